import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { PreparedSet, ShardSet, splitOf } from "@omni-id/data";
import { scope, type Tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { failingServer } from "../../data/test/failing-server.ts";
import { ClipBackbone } from "../src/backbones/clip.ts";
import { RecogniserBackbone } from "../src/backbones/recogniser.ts";
import { type OpenedPeople, openPeople } from "../src/people/open-people.ts";
import { preparePeople } from "../src/people/prepare.ts";
import { prepareStreamed } from "../src/people/prepare-streamed.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { cli } from "./command-line.ts";
import { difference } from "./golden.ts";
import { TINY_PAPER_SET, writeTinyPaper } from "./paper-tiny.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-streamed-"));
const place = (...names: string[]) => join(root, ...names);
const preset = resolvePreset("paper", TINY_PAPER_SET);
const { backbone: clip } = preset;
if (clip.kind !== "clip") throw new Error("the paper's backbone is CLIP");
const backbone = new ClipBackbone({ ...clip, projection: undefined });

beforeAll(async () => {
  mkdirSync(place("models"));
  writeTinyPaper(place("models"));
  vi.stubEnv("OMNI_ID_MODELS", place("models"));
  const made = await cli("data", "synth", "--identities", "12", "--images", "3", "--size", "96", "-o", place("data"));
  expect(made.code, made.err).toBe(0);
  await prepare(place("prepared"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const prepare = (out: string, more: Partial<Parameters<typeof prepareStreamed>[0]> = {}) =>
  prepareStreamed({ data: place("data"), out, preset, quality: 95, perShard: 5, workers: 2, ...more });

/** Every file of a folder with its bytes. */
const filesOf = (folder: string): Map<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort()
      .map((path) => [relative(folder, path), readFileSync(path).toString("base64")]),
  );

const open = (
  data: string,
  { imageSize = 28, ...more }: Partial<Parameters<typeof openPeople>[0]> = {},
): Promise<OpenedPeople> =>
  openPeople({
    data: [data],
    cache: place("cache"),
    imageSize,
    faceMask: "segmentation",
    backbone,
    recogniser: () => RecogniserBackbone.load({ width: 32 }),
    stream: { workers: 2, keep: 1e9 },
    note: () => {},
    ...more,
  });

describe("data prepare", () => {
  it("in parts, interrupted, or by another number of threads comes to the same bytes", async () => {
    const whole = filesOf(place("prepared"));
    expect([...whole.keys()].filter((name) => name.startsWith("index/"))).toHaveLength(3);
    for (const index of [2, 1]) await prepare(place("parts"), { part: { index, count: 2 } });
    expect(filesOf(place("parts"))).toEqual(whole);
    const signal = AbortSignal.abort();
    expect((await prepare(place("stopped"), { signal })).finished).toBe(false);
    expect((await prepare(place("stopped"), { workers: 1 })).written).toBe(3);
    expect((await prepare(place("stopped"))).written).toBe(0);
    expect(filesOf(place("stopped"))).toEqual(whole);
  });

  it("by the command line, and a wrong one is one line", async () => {
    const args = ["--set", ...TINY_PAPER_SET];
    const told = await cli(
      "data",
      "prepare",
      place("data"),
      "-o",
      place("cli"),
      "--people-per-shard",
      "5",
      "--json",
      ...args,
    );
    expect(told.code, told.err).toBe(0);
    expect(JSON.parse(told.out)).toEqual({ people: 12, shards: 3, written: 3, sizes: [28, 64], finished: true });
    expect(filesOf(place("cli"))).toEqual(filesOf(place("prepared")));
    const refused = async (...more: string[]) => {
      const { code, err } = await cli("data", "prepare", ...more);
      expect(code).not.toBe(0);
      return err;
    };
    expect(await refused(place("data"), "-o", place("cli"), "--quality", "50", ...args)).toMatch(
      /prepared otherwise lies here \(shards, perShard, quality\); choose another folder/,
    );
    expect(await refused(place("data"), "-o", place("nano"), "--preset", "nano")).toMatch(
      /its frozen backbone computes maps/,
    );
    expect(await refused(place("data"), "-o", place("x"), "--quality", "101")).toMatch(/1 to 100/);
    expect(await refused(place("none"), "-o", place("x"), ...args)).toMatch(/no shards/);
  });
});

describe("streamed people", () => {
  it("are those of the shards themselves: rows, landmarks, masks, and pictures up to JPEG's loss", async () => {
    const shards = await ShardSet.open(place("data"));
    for (const imageSize of [28, 64]) {
      const common = { shards, backbone, recogniser: () => RecogniserBackbone.load({ width: 32 }), imageSize } as const;
      const prepared = await preparePeople({
        ...common,
        ids: splitOf(shards).train,
        faceMask: "segmentation",
        cache: place("cache"),
        jitter: true,
      });
      const { people } = await open(place("prepared"), { imageSize });
      expect([people.ids, people.counts, people.rows, people.captions]).toEqual([
        prepared.ids,
        prepared.counts,
        prepared.rows,
        prepared.captions,
      ]);
      const rows = [7, 3, 3, 20, 0];
      using pictures = await people.pictures({ crops: rows, masks: rows, maps: [5, 7] });
      const apart = (a: Tensor, b: Tensor) => scope(() => a.float().sub(b.float()).abs().mean().item());
      expect(difference(pictures.masksOf(rows), prepared.masksOf(rows))).toBe(0);
      expect(apart(pictures.cropsOf(rows), prepared.cropsOf(rows))).toBeLessThan(2.5);
      expect(apart(pictures.maps([7, 5]), prepared.maps([7, 5]))).toBeLessThan(2.5 / 127.5);
      expect(difference(pictures.cropsOf([3]), pictures.cropsOf(rows).narrow(0, 1, 1))).toBe(0);
      expect(() => pictures.cropsOf([1])).toThrow("the picture of row 1 was not fetched");
      for (const row of rows) {
        const [a, b] = [people, prepared].map((one) => one.landmarksOf([row])[0]);
        expect(Math.max(...a.map((value, i) => Math.abs(value - b[i])))).toBeLessThan(1e-3);
        expect(people.poseOf(row)).toEqual(prepared.poseOf(row));
      }
      expect(difference(people.pointsOf(rows), prepared.pointsOf(rows))).toBeLessThan(1e-3);
      if (imageSize !== 28) continue;
      const [own, theirs] = [people.faceTokens(7), prepared.faceTokens(7)];
      for (const row of people.rows) expect(own(row)).toEqual(theirs(row));
    }
  });

  it("leave watched people at hand, hold out those of the set, and say what they are asked in vain", async () => {
    const { people, validation } = await open(place("prepared"));
    const { manifest } = await PreparedSet.open(place("prepared"), { cache: place("cache") });
    expect(validation?.ids).toEqual(manifest.split.validation);
    expect(validation?.cropsOf([0, 5]).shape).toEqual([2, 3, 28, 28]);
    expect(validation?.maps([0, 5]).shape).toEqual([2, 3, 28, 28]);
    expect(people.ids.some((id) => manifest.split.test.includes(id))).toBe(false);
    expect(() => people.crops).toThrow(/are streamed, and were asked for as if they lay at hand/);
    expect(() => people.faceTokens(14)).toThrow(
      /prepared for patches of 7 px in pictures of 28, and the preset has 14 px/,
    );
    await expect(open(place("prepared"), { imageSize: 96 })).rejects.toThrow(
      /prepared at 28 and 64 px, and 96 px are wanted/,
    );
    await expect(open(place("prepared"), { data: [place("prepared"), place("data")] })).rejects.toThrow(
      /is a prepared set, and .*data is none: prepare it too/,
    );
    const nano = RecogniserBackbone.load({ width: 32 });
    await expect(open(place("prepared"), { backbone: nano })).rejects.toThrow(/frozen backbone wants maps/);
    const joined = await open(place("prepared"), { data: [place("prepared"), place("parts")], weight: [1, 3] });
    expect(joined.people.shares.map(({ weight }) => weight)).toEqual([1, 3]);
    expect(joined.people.ids).toHaveLength(2 * people.ids.length);
    using both = await joined.people.pictures({ crops: [0, people.rows.length] });
    expect(difference(both.cropsOf([0]), both.cropsOf([people.rows.length]))).toBe(0);
  });

  it("that are damaged are an exact error, and end no process", async () => {
    const broken = (name: string, change: (folder: string) => void) => {
      cpSync(place("prepared"), place(name), { recursive: true });
      change(place(name));
      return place(name);
    };
    const lost = broken("lost", (folder) => rmSync(join(folder, "index", "people-000001.safetensors")));
    await expect(open(lost)).rejects.toThrow(/shard 1 \(index\/people-000001\.safetensors\) is missing; run the part/);
    const old = broken("old", (folder) => writeFileSync(join(folder, "prepared.json"), '{"version":0}'));
    await expect(open(old)).rejects.toThrow(/old\/prepared\.json: version 0, and 1 is read here/);
    const odd = broken("odd", (folder) => writeFileSync(join(folder, "prepared.json"), "{"));
    await expect(open(odd)).rejects.toThrow(/odd\/prepared\.json: no JSON/);
    const grey = broken("grey", (folder) => {
      const tar = join(folder, "28", "people-000000.tar");
      const bytes = readFileSync(tar);
      bytes.fill(0, 600, 900);
      writeFileSync(tar, bytes);
    });
    const { people } = await open(grey, { data: [grey] });
    const all = people.pictures({ crops: people.rows });
    await expect(all).rejects.toThrow(/28\/people-000000\.tar, byte 512: no picture .*the shard is damaged/);
    const cut = broken("cut", (folder) => {
      const tar = join(folder, "28", "people-000002.tar");
      writeFileSync(tar, readFileSync(tar).subarray(0, 700));
    });
    const asked = open(cut).then(({ people }) => people.pictures({ masks: people.rows }));
    await expect(asked).rejects.toThrow(/people-000002\.tar: the file is cut off/);
  });
});

describe("training on streamed people", () => {
  const train = async (stage: string, out: string, data: string, ...more: string[]) => {
    const steps = { mtd: "mtd.optimisation.steps=4", flow: "flow.adapter.optimisation.steps=4" }[stage] ?? "";
    const told = await cli(
      ...["train", stage, "--preset", "paper", "--data", data, "--cache", place("cache"), "--out", place(out)],
      ...["--precision", "float32", "--log-every", "1", "--held-out-every", "100", ...more],
      ...["--set", ...TINY_PAPER_SET, steps],
    );
    return { ...told, last: () => readFileSync(join(place(out), "last.safetensors")) };
  };

  it("ends in the same bytes whatever the threads, interrupted or not, from here or from a server that fails", async () => {
    const whole = await train("mtd", "whole", place("prepared"));
    expect(whole.code, whole.err).toBe(0);
    const other = await train("mtd", "other", place("prepared"), "--workers", "5", "--keep-every", "2");
    expect(other.last().equals(whole.last())).toBe(true);
    // From the middle on.
    mkdirSync(place("resumed"));
    cpSync(place("other", "step-000002.safetensors"), place("resumed", "step-000002.safetensors"));
    const resumed = await train("mtd", "resumed", place("prepared"), "--resume");
    expect(resumed.err).toMatch(/going on from .*2 steps done/);
    expect(resumed.last().equals(whole.last())).toBe(true);

    const server = await failingServer(place("prepared"));
    server.failures.push(503, "none", "cut", "hang up", "none", "none", "none", 500, "none", "cut");
    const far = await train("mtd", "far", server.url);
    expect(far.code, far.err).toBe(0);
    expect(far.last().equals(whole.last())).toBe(true);
    expect(server.failures).toEqual([]);
    expect(server.asked.some((asked) => /\/28\/people-00000\d\.tar bytes=/.test(asked))).toBe(true);

    // A server that is gone ends the run with one line, and a checkpoint.
    server.failures.push(...new Array<number>(50).fill(404));
    const gone = await train("flow", "gone", server.url, "--encoder", place("whole", "weights"));
    expect(gone.code).toBe(1);
    expect(gone.err).toMatch(/404 Not Found: no such file/);
    await server.close();
  });

  it("works for stage two, at both sizes", async () => {
    const { code, err } = await train("flow", "flow", place("prepared"), "--encoder", place("whole", "weights"));
    expect(code, err).toBe(0);
  });
});
