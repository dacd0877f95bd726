import { cat, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { chunk } from "../people/chunk.ts";
import { encodeRows, type SetEncoder } from "../people/encode-rows.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";

/** Training people whose mean identity stands for a colour. */
const NEAREST = 16;

/**
 * Identities that know colours only: for each set of photos, the mean ℓ of the sixteen training people whose skin and
 * hair are coloured most like the set's. What a model reaches with these is owed to colour, not to whose face it is.
 * @param sets rows of `held`, one set an identity @returns `[sets, L, C]`
 */
export function colourIdentities(
  encoder: SetEncoder,
  training: People,
  held: People,
  sets: readonly (readonly number[])[],
): Tensor {
  return scope(() => {
    const people = training.ids.map((_, person) => training.rowsOf(person));
    const colours = meanColours(training, people); // [P, 6]
    const wanted = meanColours(held, sets); // [S, 6]
    const distance = wanted.unsqueeze(1).sub(colours.unsqueeze(0)).square().sum([2]);
    const nearest = (distance.neg().topk(NEAREST)[1] as Tensor).tolist() as number[][];
    const used = [...new Set(nearest.flat())];
    const identities = cat(
      chunk(used, 64).map((some) =>
        encodeRows(
          encoder,
          training,
          some.flatMap((person) => people[person].slice(0, 3)),
          some.length,
        ).float(),
      ),
    );
    const place = new Map(used.map((person, i) => [person, i]));
    return stack(
      nearest.map((some) =>
        identities
          .indexSelect(
            0,
            tensor(
              some.map((person) => place.get(person) ?? 0),
              { dtype: "int64" },
            ),
          )
          .mean([0]),
      ),
    );
  });
}

/** Mean colour inside the face mask and above it (hair, or what is there), of each set of rows: `[sets, 6]`. */
function meanColours(people: People, sets: readonly (readonly number[])[]): Tensor {
  return scope(() => {
    const rows = [...new Set(sets.flat())];
    const place = new Map(rows.map((row, i) => [row, i]));
    const each = cat(chunk(rows, 512).map((some) => pictureColours(people, some)));
    return stack(
      sets.map((set) =>
        each
          .indexSelect(
            0,
            tensor(
              set.map((row) => place.get(row) ?? 0),
              { dtype: "int64" },
            ),
          )
          .mean([0]),
      ),
    );
  });
}

function pictureColours(people: People, rows: readonly number[]): Tensor {
  return scope(() => {
    const pictures = toUnit(people.cropsOf(rows));
    const face = people.masksOf(rows).unsqueeze(1).float();
    // Hair: the upper third between the temples, outside the face.
    const side = pictures.shape[3];
    const above = face.mul(-1).add(1);
    const region = above.narrow(2, 0, Math.round(side / 3)).narrow(3, Math.round(side / 4), Math.round(side / 2));
    const hair = pictures.narrow(2, 0, Math.round(side / 3)).narrow(3, Math.round(side / 4), Math.round(side / 2));
    const mean = (of: Tensor, mask: Tensor) =>
      of
        .mul(mask)
        .sum([2, 3])
        .div(mask.sum([2, 3]).clampMin(1));
    return cat([mean(pictures, face), mean(hair, region)], 1);
  });
}
