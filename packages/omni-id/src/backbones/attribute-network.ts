import { SCENE_GROUPS, SCENE_WORDS, type SceneGroup } from "@omni-id/data";
import { cropBatch, DLIB_TEMPLATE } from "@omni-id/face";
import { cat, F, nn, scope, type Tensor } from "@omni-id/torch";

export interface AttributeNetworkOptions {
  /** Side of a picture, in pixels; a multiple of 32. */
  imageSize: number;
  /** Channels of the first level; the following ones have twice, three, four and four times as many. */
  width: number;
}

/** Halved five times, so that 128 px end as 4 × 4 places that still know left from right and above from below. */
const LEVELS = [1, 2, 3, 4, 4] as const;
/** What the face is asked has to be seen larger: glasses of a half figure are three pixels high. */
const FACE = 64;
const FACE_LEVELS = LEVELS.slice(0, 4);
const [HIDDEN, FACE_HIDDEN] = [256, 128];
/** The recogniser's crop, seen from further away and from below: hair belongs to it. The face is in the middle. */
const TEMPLATE = DLIB_TEMPLATE.map((value, i) => {
  const [middle, there] = i % 2 === 0 ? [74.01, 75] : [75, 84];
  return (((value - middle) * 0.62 + there) * FACE) / 150;
});
/** Words that stand in a face. */
export const FACE_GROUPS: readonly SceneGroup[] = ["glasses", "expression", "hairLength", "hairColour"];

class Level extends nn.Module {
  readonly down: nn.Conv2d;
  readonly norm1: nn.GroupNorm;
  readonly conv: nn.Conv2d;
  readonly norm2: nn.GroupNorm;

  constructor(from: number, to: number) {
    super();
    this.down = new nn.Conv2d({ in: from, out: to, kernel: 3, stride: 2, padding: 1 });
    this.norm1 = new nn.GroupNorm({ groups: 8, channels: to });
    this.conv = new nn.Conv2d({ in: to, out: to, kernel: 3, padding: 1 });
    this.norm2 = new nn.GroupNorm({ groups: 8, channels: to });
  }

  forward(x: Tensor): Tensor {
    const y = F.gelu(this.norm1.forward(this.down.forward(x)));
    return y.add(F.gelu(this.norm2.forward(this.conv.forward(y))));
  }
}

/** Levels one after the other, and a layer over all places that are left. */
class Trunk extends nn.Module {
  readonly levels: Level[];
  readonly hidden: nn.Linear;

  constructor(options: { imageSize: number; width: number; levels: readonly number[]; out: number }) {
    super();
    const { imageSize, width, levels, out } = options;
    const channels = [3, ...levels.map((times) => times * width)];
    this.levels = levels.map((_, level) => new Level(channels[level], channels[level + 1]));
    this.hidden = new nn.Linear({ in: channels[levels.length] * (imageSize / 2 ** levels.length) ** 2, out });
  }

  forward(pictures: Tensor): Tensor {
    return scope(() => {
      let x = pictures;
      for (const level of this.levels) x = level.forward(x);
      return F.gelu(this.hidden.forward(x.flatten(1)));
    });
  }
}

const headOf = (group: SceneGroup) => new nn.Linear({ in: HIDDEN + FACE_HIDDEN, out: SCENE_WORDS[group].length });

/** A layer for each group of words, by its name. */
class Heads extends nn.Module implements Record<SceneGroup, nn.Linear> {
  readonly garment = headOf("garment");
  readonly garmentColour = headOf("garmentColour");
  readonly pattern = headOf("pattern");
  readonly hat = headOf("hat");
  readonly hatColour = headOf("hatColour");
  readonly glasses = headOf("glasses");
  readonly expression = headOf("expression");
  readonly place = headOf("place");
  readonly light = headOf("light");
  readonly hairLength = headOf("hairLength");
  readonly hairColour = headOf("hairColour");
}

/**
 * Reads off a picture what a sentence could say of it: garment, hat, place, light and so on, each group by a layer of its
 * own. It judges how far a prompt was followed, so nothing is ever trained through it.
 */
export class AttributeNetwork extends nn.Module {
  readonly scene: Trunk;
  readonly face: Trunk;
  readonly heads: Heads;

  constructor({ imageSize, width }: AttributeNetworkOptions) {
    super();
    if (imageSize % 32 !== 0) throw new RangeError(`pictures of ${imageSize} px: a multiple of 32 is wanted`);
    this.scene = new Trunk({ imageSize, width, levels: LEVELS, out: HIDDEN });
    this.face = new Trunk({ imageSize: FACE, width, levels: FACE_LEVELS, out: FACE_HIDDEN });
    this.heads = new Heads();
  }

  /**
   * What the heads look at, `[B, 384]`: pictures that say the same lie close.
   * @param pictures `[B, 3, S, S]` in [−1, 1] @param points five landmarks of each face, `[B, 5, 2]`, pixels
   */
  features(pictures: Tensor, points: Tensor): Tensor {
    return scope(() => {
      const faces = cropBatch(pictures, points, TEMPLATE, FACE);
      return cat([this.scene.forward(pictures), this.face.forward(faces)], 1);
    });
  }

  /** Features `[B, 384]` → of each group a score for each of its words, `[B, words]`. */
  scores(features: Tensor): Record<SceneGroup, Tensor> {
    const scored = SCENE_GROUPS.map((group) => [group, this.heads[group].forward(features)] as const);
    return Object.fromEntries(scored) as Record<SceneGroup, Tensor>;
  }
}
