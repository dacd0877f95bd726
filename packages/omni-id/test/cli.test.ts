import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadImage } from "@omni-id/face";
import { saveSafetensors, version, zeros } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cli } from "./command-line.ts";
import { writePhotos } from "./pictures.ts";
import { writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-cli-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
let anna: string[];
let bob: string[];

beforeAll(async () => {
  await writeTinyWeights(place("weights"));
  await writeTinyWeights(place("weights2"), 2);
  anna = await writePhotos(root, 1, 3);
  bob = await writePhotos(root, 2, 2);
});

const weights = () => ["--weights", place("weights")];

describe("the command line", () => {
  it("teaches: help for every command, with exit code 0", async () => {
    const { code, out } = await cli("--help");
    expect(code).toBe(0);
    const commands = [...out.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name);
    const wanted = ["demo", "encode", "compare", "reconstruct", "evaluate", "doctor", "models", "data", "train"];
    expect(commands).toEqual(expect.arrayContaining(wanted));
    for (const command of commands) {
      const help = await cli(command, "--help");
      expect(help.code, `${command}: ${help.err}`).toBe(0);
      expect(help.out).toMatch(/^Usage: omni-id \w+.*\n\n\S+/);
      expect((await cli("help", command)).out).toBe(help.out);
    }
  });

  it("a slip of the finger gets a suggestion and exit code 2", async () => {
    expect(await cli("encod")).toMatchObject({ code: 2, err: expect.stringMatching(/did you mean encode/i) });
    expect(await cli("encode", "a.jpg", "--ouput", "x")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--out/),
    });
    expect(await cli("encode", "-o", "x")).toMatchObject({ code: 2, err: expect.stringMatching(/photos/) });
    expect(await cli("data", "synth", "-o", place("s"), "--images", "many")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/"many" is no whole number/),
    });
  });

  it("the commands of a training follow each other by their defaults", async () => {
    const defaultOf = async (option: string, ...command: string[]) => {
      const { out } = await cli(...command, "--help");
      const [, value] =
        new RegExp(`${option} <folder(?:s\\.\\.\\.)?>[^]*?\\(default:\\s+\\[?"([^"]+)"\\]?\\)`).exec(out) ?? [];
      return value;
    };
    const shards = await defaultOf("--out", "data", "synth");
    expect(shards).toBe("data/synth");
    expect(await defaultOf("--data", "train", "mtd")).toBe(shards);
    expect(await defaultOf("--data", "evaluate")).toBe(shards);
    expect(await defaultOf("--encoder", "train", "flow")).toBe(`${await defaultOf("--out", "train", "mtd")}/weights`);
    expect(await defaultOf("--base", "train", "control")).toBe(`${await defaultOf("--out", "train", "base")}/weights`);
    expect(await defaultOf("--weights", "export")).toBe(`${await defaultOf("--out", "train", "all")}/weights`);
    expect(await defaultOf("--cache", "evaluate")).toBe(await defaultOf("--cache", "train", "mtd"));
  });

  it("a wrong preset key gets a suggestion too", async () => {
    const args = ["train", "mtd", "--data", place("none"), "--out", place("run"), "--set", "mtd.optimisation.step=3"];
    const { code, err } = await cli(...args);
    expect(code).toBe(2);
    expect(err).toMatch(/mtd\.optimisation\.step/);
    expect(err).toMatch(/did you mean.*steps/i);
    expect(existsSync(place("run"))).toBe(false);
  });

  it("takes a device that is there, and no other", async () => {
    const encode = (device: string) =>
      cli("encode", anna[0], "-o", place("d.safetensors"), ...weights(), "--device", device);
    expect(await encode("gpu")).toMatchObject({ code: 2, err: expect.stringMatching(/Choose cpu, cuda/) });
    expect((await encode("cpu")).code).toBe(0);
    if (!version().cuda) {
      expect(await encode("cuda")).toMatchObject({ code: 1, err: expect.stringMatching(/^omni-id: .* no CUDA .*\n$/) });
    }
  });

  it("says what is missing on this machine, for people and for programs", async () => {
    const { out } = await cli("doctor", "--json");
    const findings = JSON.parse(out) as { what: string; ok: boolean; told: string }[];
    expect(findings.map(({ what }) => what)).toEqual(expect.arrayContaining(["Node", "LibTorch", "cache folder"]));
    expect((await cli("doctor")).out.trim().split("\n").length).toBeGreaterThanOrEqual(findings.length);
    expect(JSON.parse((await cli("models", "--json")).out).packages).toHaveLength(3);
    expect((await cli("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("says of a folder of models what each file is, and of one that holds none what lies there", async () => {
    const folder = place("several");
    mkdirSync(folder);
    writeFileSync(join(folder, "pytorch_model.bin"), Buffer.from("80020000", "hex"));
    const none = await cli("models", folder);
    expect(none).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no \.safetensors file in it, but pytorch_model\.bin.*pickle/),
    });
    writeFileSync(join(folder, "a.safetensors"), "cut off");
    saveSafetensors(join(folder, "b.safetensors"), {
      "x.lora_down.weight": zeros([1]),
      "x.lora_up.weight": zeros([1]),
    });
    const { code, out } = await cli("models", folder);
    expect([code, ...out.trim().split("\n")]).toEqual([
      0,
      expect.stringMatching(/a\.safetensors: .*(cut off|too short|header)/),
      expect.stringMatching(/b\.safetensors: a LoRA/),
    ]);
    expect(await cli("models", join(folder, "c"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/c: no such file/),
    });
  });
});

describe("encode, compare, reconstruct", () => {
  it("from photos to identity files to a similarity and a picture", async () => {
    const a = place("people", "a.safetensors"); // the folder is made
    const b = place("people", "b.safetensors");
    const encoded = await cli("encode", ...anna, "-o", a, ...weights(), "--json");
    expect(encoded.code).toBe(0);
    expect(JSON.parse(encoded.out)).toMatchObject({ file: a, shape: [4, 16], refused: [], photos: [{}, {}, {}] });
    expect((await cli("encode", ...bob, "-o", b, ...weights())).out).toMatch(/\[4, 16\] from 2 of 2 photos/);

    const same = JSON.parse((await cli("compare", a, a, ...weights(), "--json")).out);
    const other = JSON.parse((await cli("compare", a, b, ...weights(), "--json")).out);
    expect(same.similarity).toBeCloseTo(1, 3);
    expect(other.similarity).toBeLessThan(same.similarity);

    const picture = place("drawn.png");
    const drawn = await cli("reconstruct", anna[0], "--id", a, b, "-o", picture, ...weights(), "--json");
    expect(Object.keys(JSON.parse(drawn.out).l1)).toEqual([a, b]);
    expect((await loadImage(picture)).width).toBeGreaterThan(500);
  });

  it("tells on stderr which photo was refused, and still succeeds", async () => {
    writeFileSync(place("broken.jpg"), "no picture");
    const { code, err } = await cli("encode", anna[0], place("broken.jpg"), "-o", place("c.safetensors"), ...weights());
    expect(code).toBe(0);
    expect(err).toMatch(/refused: photo 2 \(broken\.jpg\): /);
  });

  it("fails with exit code 1, one message and no file", async () => {
    const out = place("never.safetensors");
    const broken = await cli("encode", place("broken.jpg"), "-o", out, ...weights());
    expect(broken).toMatchObject({ code: 1, err: expect.stringMatching(/^omni-id: none of the 1 photos can be used/) });
    expect(existsSync(out)).toBe(false);

    const away = await cli("encode", anna[0], "-o", out, "--weights", place("nowhere"));
    expect(away).toMatchObject({ code: 1, err: expect.stringMatching(/no such weights/) });

    const folder = await cli("encode", anna[0], "-o", root, ...weights());
    expect(folder).toMatchObject({ code: 2, err: expect.stringMatching(/is a folder; name a file in it/) });

    const blocked = await cli("encode", anna[0], "-o", join(anna[1], "x.safetensors"), ...weights());
    expect(blocked).toMatchObject({ code: 1, err: expect.stringMatching(/a file stands where a folder should be/) });
  });

  it("takes a folder for the pictures in it", async () => {
    const folder = place("album");
    mkdirSync(folder);
    await expect(cli("encode", folder, "-o", place("e.safetensors"), ...weights())).resolves.toMatchObject({
      code: 1,
      err: expect.stringMatching(/no pictures in this folder/),
    });
    for (const [i, photo] of anna.entries()) copyFileSync(photo, join(folder, `${i}.png`));
    writeFileSync(join(folder, "notes.txt"), "not a picture");
    const { out } = await cli("encode", folder, "-o", place("e.safetensors"), ...weights());
    expect(out).toMatch(/from 3 of 3 photos/);
  });

  it("refuses identities of another encoder and files that are none", async () => {
    const file = place("mixed.safetensors");
    await cli("encode", anna[0], "-o", file, ...weights());
    const mixed = await cli("compare", file, file, "--weights", place("weights2"));
    expect(mixed).toMatchObject({ code: 1, err: expect.stringMatching(/encode the photos again/) });
    const none = await cli("compare", anna[0], file, ...weights());
    expect(none).toMatchObject({ code: 1, err: expect.stringMatching(/person1-0\.png: /) });
    const faceless = await cli("reconstruct", place("broken.jpg"), "--id", file, "-o", place("x.png"), ...weights());
    expect(faceless).toMatchObject({ code: 1, err: expect.stringMatching(/broken\.jpg/) });
  });

  it("absent models name the command that fetches them", async () => {
    vi.stubEnv("OMNI_ID_CACHE", place("empty-cache"));
    try {
      const { code, err } = await cli("encode", anna[0], "-o", place("x.safetensors"), ...weights());
      expect(code).toBe(1);
      expect(err).toMatch(/omni-id models --fetch/);
      expect((await cli("models")).out).toMatch(/MISS faceplugin/);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("data, train, evaluate, demo", () => {
  const synth = () => place("synth");
  it("a small set goes the whole way: synth, stats, inspect, train, evaluate, demo", async () => {
    const size = ["--identities", "20", "--images", "8", "--size", "64", "--workers", "2"];
    expect(await cli("data", "synth", "-o", synth(), ...size)).toMatchObject({ code: 0 });
    const stats = JSON.parse((await cli("data", "stats", synth(), "--detect", "4", "--json")).out);
    expect(stats).toMatchObject({ identities: 20, images: 160 });
    const sheet = place("out", "inspect.png");
    expect(await cli("data", "inspect", synth(), "-o", sheet)).toMatchObject({ code: 0 });
    expect(existsSync(sheet)).toBe(true);

    const small = ["mtd.batch=2", "mtd.inputs=[1,3]", "identity.tokens=4", "identity.width=16", "encoder.headWidth=8"];
    const sizes = [
      ...small,
      "encoder.carriedTokens=0",
      "mtd.loss.likeness=0",
      "mtd.decoder.width=16",
      "mtd.decoder.headWidth=8",
      "mtd.optimisation.steps=4",
    ];
    const common = ["--data", synth(), "--cache", place("cache")];
    const trained = await cli("train", "mtd", ...common, "--out", place("run"), "--log-every", "2", "--set", ...sizes);
    expect(trained.err + trained.out).toMatch(/step 4\/4/);
    expect(trained.code).toBe(0);

    const twin = await cli("train", "mtd", ...common, "--out", place("twin"), "--set", ...sizes);
    expect(twin.code).toBe(0);
    const [one, two] = ["run", "twin"].map((run) => readFileSync(place(run, "last.safetensors")));
    expect(two.equals(one)).toBe(true); // the same seed, the same bits

    // Two processes, half of each batch each, with the likeness of faces that either may have none of.
    const weighed = [...sizes, "mtd.loss.likeness=0.1", "mtd.loss.likenessBatch=2", "mtd.loss.from=0"];
    const figures = async (out: string, ...more: string[]) => {
      const options = ["--precision", "float32", "--log-every", "1", ...more, "--set", ...weighed];
      const { code, err } = await cli("train", "mtd", ...common, "--out", place(out), ...options);
      expect(code, err).toBe(0);
      const lines = readFileSync(place(out, "log.jsonl"), "utf8").trim().split("\n");
      return { err, lines: lines.map((line) => JSON.parse(line) as Record<string, number>) };
    };
    const [alone, both] = [await figures("alone"), await figures("both", "--processes", "2")];
    expect(both.err).toMatch(/stage mtd, preset nano, float32, seed 0, 2 processes/);
    expect(both.err.match(/step 4\/4/g)).toHaveLength(1);
    for (const [i, line] of alone.lines.filter(({ loss }) => loss !== undefined).entries())
      for (const name of ["loss", "l1", "likeness", "perceptual"])
        expect(both.lines[i][name], `${name} of step ${i + 1}`).toBeCloseTo(line[name], 3);

    const again = await cli("train", "mtd", ...common, "--out", place("run"), "--set", ...sizes);
    expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/run holds a run already.*--resume/) });
    const resume = ["--out", place("run"), "--resume", "--json", "--set", ...sizes, "mtd.optimisation.clip=2"];
    const resumed = await cli("train", "mtd", ...common, ...resume);
    expect(resumed.err).toMatch(/going on from .*4 steps done/);
    expect(resumed.err).toMatch(/the preset differs from the checkpoint's: mtd\.optimisation\.clip 1 → 2/);
    expect(JSON.parse(resumed.out)).toMatchObject({ steps: 4, weights: place("run", "weights") });

    const report = place("results", "first.json");
    const evaluated = await cli("evaluate", ...common, "--weights", place("run", "weights"), "-o", report);
    expect(evaluated.code).toBe(0);
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({
      identities: 2,
      l1: { "1": expect.any(Number), identityRemoved: expect.any(Number), otherIdentity: expect.any(Number) },
      recognisers: { independent: { measure: "euclidean", "3": { mean: expect.any(Number), ci: expect.any(Array) } } },
    });
    expect(existsSync(place("results", "first.png"))).toBe(true);

    const shipped = place("shipped");
    const exported = await cli("export", "--weights", place("run", "weights"), "-o", shipped);
    expect(exported.out).toMatch(/omni-id-encoder\.safetensors: \d+\.\d MB/);
    const card = readFileSync(join(shipped, "omni-id-encoder.md"), "utf8");
    expect(card).toContain("npx omni-id data synth --identities 20 --size 64\nnpx omni-id train mtd --precision");
    expect(card).toContain("| training people | 16 rendered people;");

    const demo = await cli("demo", ...anna, ...bob.slice(0, 1), "-o", place("demo.png"), "--weights", shipped);
    expect(demo.code).toBe(0);
    expect(demo.out).toMatch(/L1 inside the face/);
    expect((await loadImage(place("demo.png"))).height).toBeGreaterThan(200);
  });

  it("Ctrl-C ends with 130 in good order, and the same command goes on", async () => {
    const args = (people: number) => [
      "data",
      "synth",
      "-o",
      place("stopped"),
      "--identities",
      `${people}`,
      "--size",
      "32",
    ];
    const stopped = cli(...args(40));
    const listening = process.listenerCount("SIGINT");
    while (process.listenerCount("SIGINT") === listening) await new Promise((resolve) => setTimeout(resolve, 20));
    process.emit("SIGINT");
    expect(await stopped).toMatchObject({ code: 130, err: expect.stringMatching(/stopped at 0 of 40 people/) });
    expect((await cli(...args(2))).out).toMatch(/^2 people × 8 pictures/);
  });

  it("missing data says how to make some", async () => {
    const { code, err } = await cli("train", "mtd", "--data", place("none"), "--out", place("run2"));
    expect(code).toBe(1);
    expect(err).toMatch(/no shards.*omni-id data synth/);
  });
});
