/** What a set of people is made by, whether from videos or from photos. Sizes are pixels, angles degrees. */
export interface SetSettings {
  preset: string;
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
  /** Least likeness (cosine) of two pieces of film, or two photos, that are taken for one person. */
  samePerson: number;
  /** Least likeness of a face to the rest of its person. */
  sameFace: number;
  /** Seed of what is drawn: clusters, who is held out, what the report shows. */
  seed: number;
  /** People in a shard. */
  shardSize: number;
}

/** What a set is made of videos by. */
export interface CurateSettings extends SetSettings {
  /** Frames a second that are looked at. */
  fps: number;
  /** Change between two frames that is a cut (`sceneChange`). */
  cut: number;
  /** Pictures of each person. */
  images: number;
  /** Clusters of head poses, from each of which the best face may be taken. */
  clusters: number;
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
  const settings = replaceSettings(CURATE_PRESETS, preset, replaced);
  const { images, clusters, fps } = settings;
  checkWhole({ images, clusters });
  if (!(fps > 0 && fps <= 60)) throw new Error(`"fps" must be above 0 and at most 60, not ${fps}`);
  if (clusters < images) throw new Error(`"clusters" (${clusters}) must be at least "images" (${images})`);
  return settings;
}

/** A preset of a table with some of its numbers replaced. @throws as {@link curateSettings} */
export function replaceSettings<S extends SetSettings>(
  presets: Readonly<Record<string, S>>,
  preset: string,
  replaced: readonly string[],
): S {
  const base = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
  if (!base) throw new Error(`no preset "${preset}"; there are: ${Object.keys(presets).join(", ")}`);
  const values: Record<string, number> = {};
  for (const text of replaced) {
    const [name, value] = text.split("=");
    if (name === "preset" || !Object.hasOwn(base, name)) {
      const names = Object.keys(base).filter((key) => key !== "preset");
      throw new Error(`--set ${text}: there is no setting "${name}"; there are: ${names.join(", ")}`);
    }
    const number = value?.trim() ? Number(value) : Number.NaN;
    if (!Number.isFinite(number) || number < 0)
      throw new Error(`--set ${text}: "${value ?? ""}" is no number of 0 or more`);
    values[name] = number;
  }
  const settings: S = { ...base, ...values };
  const { size, shardSize } = settings;
  checkWhole({ size, shardSize });
  return settings;
}

function checkWhole(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`"${name}" must be a whole number of 1 or more, not ${value}`);
  }
}
