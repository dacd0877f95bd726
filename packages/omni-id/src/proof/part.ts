/** One thing that was looked at on the device. */
export interface Finding {
  name: string;
  /** What was measured, such as the largest difference to the processor as a share of the largest value. */
  value: number;
  /** What `value` may be at most; absent where it is told and not judged. */
  limit?: number;
  unit?: string;
}

/** Whether a finding passes: one without a limit does, unless it is no number. */
export const holds = ({ value, limit = Number.POSITIVE_INFINITY }: Finding): boolean => value <= limit;

/** What a part of the proof runs on. */
export interface ProofContext {
  /** Such as "cuda". On "cpu" the parts prove themselves: they compare the processor with itself. */
  device: string;
  /** Folder of golden vectors. */
  golden: string;
  /** Steps of each stage. */
  steps: number;
  /** Sizes of FLUX.1-dev, or a few blocks of few channels. */
  full: boolean;
  note: (text: string) => void;
}

/** A part of the proof: its findings, one after the other. */
export type Part = (context: ProofContext) => Iterable<Finding>;
