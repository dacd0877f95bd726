/** A training, as its folder tells of it. */
export interface Run {
  /** Its folder, from the one of all runs. */
  name: string;
  /** Milliseconds since 1970 of the last line of its log. */
  changed: number;
}

/** A line of `log.jsonl`: figures of a step, of the training or of held-out people. */
export interface LogLine {
  kind: string;
  step: number;
  [figure: string]: number | string;
}
