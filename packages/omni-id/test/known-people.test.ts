import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eye, manualSeed, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { presets } from "../src/presets/index.ts";
import { KnownPeople, loadKnownPeople, saveKnownPeople } from "../src/weights/known-people.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-known-"));
afterAll(() => rmSync(root, { recursive: true }));

const far = (one: Tensor, two: Tensor) => one.sub(two).abs().max().item();

/** People who differ in three directions of twelve numbers, and a little in all. */
function people(noise = 0): { identities: Tensor; directions: Tensor } {
  manualSeed(9);
  const directions = randn([3, 12]);
  const identities = scope(() =>
    randn([40, 3])
      .mul(tensor([3, 2, 1]))
      .matmul(directions)
      .add(5)
      .add(randn([40, 12]).mul(noise))
      .reshape([40, 4, 3]),
  );
  return { identities, directions };
}

describe("what training people differ in", () => {
  it("is kept whole of them, and all else of a stranger goes: what is left lies among them", () => {
    const { identities, directions } = people();
    const known = KnownPeople.fit(identities, 3);
    expect(known.directions.shape).toEqual([3, 12]);
    expect(
      far(
        scope(() => known.directions.matmul(known.directions.t())),
        eye(3),
      ),
    ).toBeLessThan(1e-4);
    expect(far(known.partOf(identities), identities)).toBeLessThan(1e-3);

    const one = scope(() => identities.select(0, 0));
    const stranger = scope(() => one.add(randn([4, 3]).mul(2)));
    const part = known.partOf(stranger);
    expect(part.shape).toEqual([4, 3]);
    expect(far(part, stranger)).toBeGreaterThan(0.5);
    expect(far(known.partOf(part), part)).toBeLessThan(1e-3);
    // Its difference to anybody is a sum of the three directions: least squares leave nothing.
    const difference = scope(() => part.sub(one).reshape([12, 1]));
    const left = scope(() => {
      const basis = directions.t();
      const inverse = basis.t().matmul(basis).inverse();
      return difference.sub(basis.matmul(inverse.matmul(basis.t().matmul(difference))));
    });
    expect(left.abs().max().item()).toBeLessThan(1e-2);
  });

  it("are the directions of most variance, and no more than so many people can differ in", () => {
    const { identities } = people(0.1);
    const lost = [1, 2, 3].map((most) => {
      const known = KnownPeople.fit(identities, most);
      return scope(() => known.partOf(identities).sub(identities).square().mean().item());
    });
    expect(lost[0]).toBeGreaterThan(lost[1]);
    expect(lost[1]).toBeGreaterThan(lost[2]);
    expect(lost[2]).toBeLessThan(0.05);
    expect(KnownPeople.fit(scope(() => identities.narrow(0, 0, 5))).directions.shape).toEqual([4, 12]);
  });

  it("comes back from its file, and belongs to one encoder", async () => {
    const known = KnownPeople.fit(people(0.1).identities, 3);
    const note = { preset: presets.nano, metadata: {} };
    expect(await loadKnownPeople(root, { hash: "a" })).toBe(undefined);
    await saveKnownPeople(root, { ...note, known, encoderHash: "a", dtype: "float16" });
    const read = (await loadKnownPeople(root, { hash: "a" })) as KnownPeople;
    const stranger = randn([2, 4, 3]);
    expect(far(read.partOf(stranger), known.partOf(stranger))).toBeLessThan(0.05);
    await expect(loadKnownPeople(root, { hash: "b" })).rejects.toThrow(
      /known-people\.safetensors: made for another encoder/,
    );
  });
});
