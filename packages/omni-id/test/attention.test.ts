import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSyntheticShards } from "@omni-id/data";
import { cat, manualSeed, noGrad, randn, scope } from "@omni-id/torch";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { Block } from "../src/blocks.ts";
import { coverMouth, shareAtMouth } from "../src/evaluate/attention-covered.ts";
import { centre, chooseQueries, queryFocus, relativeEntropy } from "../src/evaluate/attention-maps.ts";
import { overlay } from "../src/evaluate/attention-overlay.ts";
import { attentionOfPeople } from "../src/evaluate/attention-people.ts";
import type { AttentionReport } from "../src/evaluate/attention-report.ts";
import type { Figure10 } from "../src/experiments/figure10.ts";
import { cli } from "./command-line.ts";
import { writePhotos } from "./pictures.ts";

const only = (place: number, places = 9) => Array.from({ length: places }, (_, i) => Number(i === place));

describe("a query's map", () => {
  it("has entropy 1 where all places weigh alike, 0 at one place, and log 2 / log n at two", () => {
    expect(relativeEntropy([2, 2, 2, 2])).toBeCloseTo(1, 12);
    expect(relativeEntropy(only(3))).toBe(0);
    expect(relativeEntropy([1, 0, 0, 1])).toBeCloseTo(Math.log(2) / Math.log(4), 12);
  });

  it("has its middle where the weights are", () => {
    expect(centre(only(0))).toEqual([1 / 6, 1 / 6]);
    expect(centre(only(5))).toEqual([5 / 6, 1 / 2]);
    expect(centre([1, 1, 1, 1])).toEqual([0.5, 0.5]);
  });

  it("is placed on the face, whatever the face's place and size in the crop", () => {
    // Between the eyes at the middle of one place, the mouth two places below: a cell down is half that distance.
    const low = { eyes: [0.5, 1 / 6], mouth: [0.5, 5 / 6] } as const;
    const small = { eyes: [1 / 6, 1 / 6], mouth: [1 / 6, 1 / 2] } as const;
    const [focus] = queryFocus([[only(4)], [only(0)]], [low, small]);
    expect(focus.place[0]).toBeCloseTo(0, 12);
    expect(focus.place[1]).toBeCloseTo(0.25, 12); // ½ and 0
    expect(focus.spread).toBeCloseTo(0.25, 12);
    expect(queryFocus([[only(4)]], [low])[0].part).toBe("nose");
    expect(queryFocus([[only(7)]], [low])[0].part).toBe("mouth");
  });

  it("chooses local queries that look at different places, and fills up with what is left", () => {
    const focus = (query: number, entropy: number, x: number) => ({
      query,
      entropy,
      place: [x, 0] as const,
      spread: 0,
      part: "nose",
    });
    const all = [focus(0, 0.9, 5), focus(1, 0.1, 0), focus(2, 0.2, 0.1), focus(3, 0.3, 1)];
    expect(chooseQueries(all, 3).map(({ query }) => query)).toEqual([1, 3, 0]);
    expect(chooseQueries(all, 4).map(({ query }) => query)).toEqual([1, 3, 0, 2]);
    expect(chooseQueries(all, 9)).toHaveLength(4);
  });

  it("colours a photo most where it weighs most", () => {
    const grey = { width: 6, height: 6, data: new Uint8Array(108).fill(100) };
    const { data } = overlay(grey, only(8));
    const red = (x: number, y: number) => data[(y * 6 + x) * 3];
    expect(red(5, 5)).toBeGreaterThan(red(3, 3));
    expect(red(0, 0)).toBeLessThan(red(3, 3));
  });
});

describe("a mouth that is hidden", () => {
  // The eyes a third of the way down, the mouth two thirds: the band goes from .55 to .92, and from .25 to .75 across.
  const face = { eyes: [0.5, 1 / 3], mouth: [0.5, 2 / 3] } as const;

  it("is grey in the crop, and all else as it was", () => {
    const crop = { width: 12, height: 12, data: new Uint8Array(432).fill(7) };
    const { data } = coverMouth(crop, face);
    const at = (x: number, y: number) => data[(y * 12 + x) * 3];
    expect([at(6, 8), at(3, 7), at(8, 10)]).toEqual([128, 128, 128]);
    expect([at(6, 5), at(2, 8), at(9, 8), at(6, 11)]).toEqual([7, 7, 7, 7]);
    expect(new Set(crop.data)).toEqual(new Set([7]));
  });

  it("has the share of the attention that lies on it, the mean over photos", () => {
    expect(shareAtMouth([only(7), only(1)], [face, face])).toBeCloseTo(0.5, 12);
    expect(shareAtMouth([[1, 1, 1, 1, 1, 1, 1, 1, 1]], [face])).toBeCloseTo(1 / 9, 12);
  });
});

describe("Block.attention", () => {
  it("gives the weights that forward uses: they rebuild its answer", () => {
    manualSeed(5);
    const block = new Block({ width: 32, context: 24, headWidth: 16 });
    scope(() =>
      noGrad(() => {
        const [x, context] = [randn([2, 3, 32]), randn([2, 7, 24])];
        const weights = block.attention(x, context);
        expect(weights.shape).toEqual([2, 2, 3, 7]);
        expect(weights.sum([-1]).sub(1).abs().amax().item()).toBeLessThan(1e-6);
        const { attn, norm1, norm_context } = block;
        if (!attn.kv || !norm_context) throw new Error("a cross-attention block");
        const values = attn.kv
          .forward(norm_context.forward(context))
          .chunk(2, -1)[1]
          .unflatten(2, [2, 16])
          .transpose(1, 2);
        const byHand = attn.out.forward(weights.matmul(values).transpose(1, 2).flatten(2));
        const answer = attn.forward(norm1.forward(x), norm_context.forward(context));
        expect(byHand.sub(answer).abs().amax().item()).toBeLessThan(1e-5);
        // A token more changes all rows: they are a softmax over everything that was shown.
        expect(
          block
            .attention(x, cat([context, context], 1))
            .narrow(3, 0, 7)
            .mul(2)
            .sub(weights)
            .abs()
            .amax()
            .item(),
        ).toBeLessThan(1e-5);
      }),
    );
  });
});

describe("omni-id attention", () => {
  const folder = mkdtempSync(join(tmpdir(), "attention-"));

  it("draws photos in rows and queries in columns, and lists every query", async () => {
    await writePhotos(folder, 4, 2);
    const out = join(folder, "maps.png");
    const { code, out: printed } = await cli("attention", folder, "-o", out, "-n", "3", "--json");
    expect(code).toBe(0);
    const report = JSON.parse(printed);
    expect(report.photos).toHaveLength(2);
    expect(report.queries).toHaveLength(32);
    expect(report.placed).toBeGreaterThan(0);
    expect(report.placed).toBeLessThanOrEqual(1.000001);
    for (const { entropy } of report.queries) expect(entropy).toBeLessThanOrEqual(1);
    expect((await sharp(readFileSync(out)).metadata()).format).toBe("png");
  });

  it("says which blocks there are", async () => {
    const { code, err } = await cli("attention", folder, "-o", join(folder, "x.jpg"), "--block", "9");
    expect(code).toBe(1);
    expect(err).toContain("this encoder has cross-attention blocks 1 to 2");
  });
});

describe("over people", () => {
  const person = (parts: readonly string[], places: readonly number[]): AttentionReport => ({
    block: 2,
    photos: [
      {
        name: "a",
        crop: { width: 1, height: 1, data: new Uint8Array(3) },
        place: { eyes: [0.5, 0.3], mouth: [0.5, 0.6] },
        maps: [],
      },
    ],
    queries: parts.map((part, query) => ({ query, part, entropy: 0.5, spread: 0.1, place: [places[query], 0] })),
    placed: 1,
  });

  it("tells how often a query looks at the same part in everybody, and how often by chance", () => {
    const four = ["nose", "mouth", "chin", "forehead"];
    const all = [0, 1, 2].map(() => person(four, [0, 1, 2, 3]));
    const { agreement, shuffled, difference, queries, betweenPeople, betweenQueries, photos } = attentionOfPeople(all);
    expect([agreement.mean, shuffled.mean, difference.mean, photos]).toEqual([1, 0, 1, 3]);
    expect(queries.map(({ part }) => part)).toEqual(four);
    expect(betweenPeople).toBe(0);
    expect(betweenQueries).toBeCloseTo(Math.sqrt(1.25), 12);
  });

  it("says how far one query moves from person to person", () => {
    const { queries, agreement } = attentionOfPeople([
      person(["nose", "mouth"], [0, 1]),
      person(["nose", "chin"], [0, 3]),
    ]);
    expect(queries[1].betweenPeople).toBeCloseTo(1, 12);
    expect(queries[1].agreement).toBe(0.5);
    expect(agreement.mean).toBe(0.5);
    expect(() => attentionOfPeople([person(["nose"], [0])])).toThrow(/1 people: .* takes two/);
  });

  it("is a command, and a section of the report", async () => {
    const root = mkdtempSync(join(tmpdir(), "omni-id-figure10-"));
    const [data, results, page] = ["data", "results", "page.md"].map((name) => join(root, name));
    await writeSyntheticShards({ identities: 40, images: 3, size: 128, seed: 5, out: data, workers: 2 });
    const made = await cli("reproduce", "figure10", "--data", data, "--people", "3", "--results", results, "--json");
    expect(made.code, made.err).toBe(0);
    const figure = JSON.parse(readFileSync(join(results, "figure10.json"), "utf8")) as Figure10;
    expect(figure.people).toBeGreaterThanOrEqual(2);
    expect(figure.queries).toHaveLength(32);
    expect(figure.hypotheses).toHaveLength(2);
    for (const { mean } of [figure.mouth.seen, figure.mouth.covered]) expect(mean).toBeGreaterThan(0);
    expect(figure.mouth.difference.mean).toBeCloseTo(figure.mouth.seen.mean - figure.mouth.covered.mean, 3);
    expect((await sharp(join(results, "figure10.png")).metadata()).height).toBeGreaterThan(300);
    copyFileSync("results/experiments/table2.json", join(results, "table2.json"));
    const report = await cli("reproduce", "report", "--from", results, "--page", page, "--html", join(root, "p.html"));
    expect(report.code, report.err).toBe(0);
    const text = readFileSync(page, "utf8");
    expect(text).toContain("## Figure 10");
    expect(text).toMatch(/!\[Figure 10.*\]\(results\/figure10\.png\)/);
    expect(readFileSync(join(root, "p.html"), "utf8")).toContain("Figure 10");
    rmSync(root, { recursive: true });
  }, 120_000);
});
