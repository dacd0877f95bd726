/** What a curated set is made by. Sizes are pixels, angles degrees. */
export interface CurateSettings {
  preset: string;
  /** Frames a second that are looked at. */
  fps: number;
  /** Side of the pictures that are written. */
  size: number;
  /** Least side of the aligned square of a face in its frame: what the picture is made from. */
  minSize: number;
  /** Least score of a detection, 0…1. */
  minScore: number;
  /** Least detail of a face (`recordingParts`), 0…1. */
  minDetail: number;
  /** Least quality, 0…1. */
  minQuality: number;
  /** Largest yaw and pitch, either way. */
  maxYaw: number;
  maxPitch: number;
  /** Largest share of the aligned square that may lie outside the frame. */
  maxOutside: number;
  /** Change between two frames that is a cut (`sceneChange`). */
  cut: number;
  /** Least likeness (cosine) of two pieces of film that are taken for one person. */
  samePerson: number;
  /** Least likeness of a face to the rest of its person. */
  sameFace: number;
  /** Pictures of each person. */
  images: number;
  /** Clusters of head poses, from each of which the best face may be taken. */
  clusters: number;
  /** Seed of clusters, of who is held out, and of what the report shows. */
  seed: number;
  /** People in a shard. */
  shardSize: number;
}

const common = {
  fps: 5,
  minScore: 0.7,
  maxYaw: 75,
  maxPitch: 45,
  maxOutside: 0.3,
  cut: 0.6,
  samePerson: 0.55,
  sameFace: 0.4,
  images: 8,
  clusters: 24,
  seed: 0,
  shardSize: 64,
};

/** As in the paper (3.4): faces of more than 448 pixels, eight of each person. */
const paper: CurateSettings = {
  ...common,
  preset: "paper",
  size: 512,
  minSize: 448,
  minDetail: 0.05,
  minQuality: 0.07,
};
/** For the nano preset of the training, whose crops are 64 pixels and whose backbone sees 112. */
const nano: CurateSettings = { ...common, preset: "nano", size: 160, minSize: 112, minDetail: 0.03, minQuality: 0.05 };

export const CURATE_PRESETS: Readonly<Record<string, CurateSettings>> = { nano, paper };

/**
 * A preset with some values replaced: `["fps=10", "minSize=256"]`.
 * @throws when there is no such preset or setting (the message lists them), or a value is no number that makes sense
 */
export function curateSettings(preset: string, replaced: readonly string[] = []): CurateSettings {
  const base = CURATE_PRESETS[preset];
  if (!base) throw new Error(`no preset "${preset}"; there are: ${Object.keys(CURATE_PRESETS).join(", ")}`);
  const settings: CurateSettings = { ...base };
  for (const text of replaced) {
    const [name, value] = text.split("=");
    if (name === "preset" || !(name in base)) {
      const names = Object.keys(base).filter((key) => key !== "preset");
      throw new Error(`--set ${text}: there is no setting "${name}"; there are: ${names.join(", ")}`);
    }
    const number = value?.trim() ? Number(value) : Number.NaN;
    if (!Number.isFinite(number) || number < 0)
      throw new Error(`--set ${text}: "${value ?? ""}" is no number of 0 or more`);
    (settings as unknown as Record<string, number>)[name] = number;
  }
  const { images, clusters, fps, size, shardSize } = settings;
  for (const [name, value] of Object.entries({ images, clusters, size, shardSize })) {
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`"${name}" must be a whole number of 1 or more, not ${value}`);
  }
  if (!(fps > 0 && fps <= 60)) throw new Error(`"fps" must be above 0 and at most 60, not ${fps}`);
  if (clusters < images) throw new Error(`"clusters" (${clusters}) must be at least "images" (${images})`);
  return settings;
}
