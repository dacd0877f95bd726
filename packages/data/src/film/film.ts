/** A synthetic video, as plain data: what is filmed follows from it alone. */
export interface Film {
  /** Id of the video. */
  name: string;
  /** Height of the frames, pixels; they are twice as wide, room for two people side by side. */
  height: number;
  fps: number;
  /** Constant rate factor of x264: 18 is nearly clean, 40 is mush. */
  crf: number;
  shots: Shot[];
}

/** A piece without a cut. */
export interface Shot {
  seconds: number;
  /** One person in the middle, or two side by side. */
  actors: Actor[];
}

export interface Actor {
  /** Seed and number of the person, see `drawPerson`. */
  seed: number;
  identity: number;
  /** Which of the person's views gives clothes, light and background. */
  look: number;
  /** How far the head turns; shakes are fast enough to blur. */
  motion: "still" | "talks" | "turns" | "shakes";
  /** Seconds of the shot during which the person is out of the picture. */
  away?: [number, number];
  /** The light's strength swings by this share. */
  flicker?: number;
}

/** What is true of a film: one record a frame. */
export interface FilmTruth {
  film: Film;
  width: number;
  frames: FrameTruth[];
}

export interface FrameTruth {
  /** Seconds. */
  t: number;
  shot: number;
  faces: FaceTruth[];
}

export interface FaceTruth {
  /** `seed/identity` */
  person: string;
  /** 68 points, pixels of the frame. */
  landmarks: number[];
  pose: { yaw: number; pitch: number; roll: number };
  expression: string;
  /** Length of the motion blur, pixels. */
  blur: number;
  /** Share of the landmarks that lie inside the actor's part of the frame. */
  visible: number;
}

export const personOf = ({ seed, identity }: Pick<Actor, "seed" | "identity">) => `${seed}/${identity}`;
