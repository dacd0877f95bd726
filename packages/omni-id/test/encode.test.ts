import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadImage, type RgbImage, resizeImage, saveImage, toSharp } from "@omni-id/face";
import { saveSafetensors, type Tensor, zeros } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  checkEncoder,
  compareIdentities,
  IdentityEncoder,
  type LoadedEncoder,
  loadEncoder,
  loadIdentity,
  loadMaskedDecoder,
  saveIdentity,
} from "../src/index.ts";
import { beside, writePhotos } from "./pictures.ts";
import { writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-encode-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (name: string) => join(root, name);

let encoder: LoadedEncoder;
let maker: IdentityEncoder;
let anna: string[];
let bob: string[];
const grey: RgbImage = { width: 200, height: 160, data: new Uint8Array(200 * 160 * 3).fill(128) };

beforeAll(async () => {
  await writeTinyWeights(place("weights"));
  encoder = await loadEncoder(place("weights"));
  maker = await IdentityEncoder.create(encoder);
  anna = await writePhotos(root, 1, 5);
  bob = await writePhotos(root, 2, 2);
});

const difference = (a: Tensor, b: Tensor) => a.sub(b).abs().flatten().amax([0]).item();

describe("encoding photos", () => {
  it("gives one identity of fixed size, whatever the number and the order of the photos", async () => {
    const one = await maker.encode(anna.slice(0, 1));
    const five = await maker.encode(anna);
    const turned = await maker.encode([...anna].reverse());
    expect(one.identity.tokens.shape).toEqual([4, 16]);
    expect(five.identity.tokens.shape).toEqual([4, 16]);
    expect(five.identity.photos).toHaveLength(5);
    expect(difference(five.identity.tokens, turned.identity.tokens)).toBeLessThan(1e-4);
    expect(difference(five.identity.tokens, one.identity.tokens)).toBeGreaterThan(1e-3);
  });

  it("takes bytes and pixels as well as paths", async () => {
    const [path] = anna;
    const results = await Promise.all([
      maker.encode([path]),
      maker.encode([readFileSync(path)]),
      maker.encode([{ name: "pixels", image: await loadImage(path) }]),
    ]);
    for (const { identity } of results) expect(difference(identity.tokens, results[0].identity.tokens)).toBe(0);
    expect(results[2].identity.photos[0].name).toBe("pixels");
  });

  it("refuses what it cannot use, one by one with the reason, and goes on with the rest", async () => {
    writeFileSync(place("text.jpg"), "this is no picture");
    await saveImage(place("empty.png"), grey);
    const small = place("small.png");
    await saveImage(small, await resizeImage(await loadImage(anna[1]), 24, 24));
    const cut = place("cut.png");
    writeFileSync(cut, readFileSync(anna[0]));
    truncateSync(cut, 900);
    const { identity, refused } = await maker.encode([
      anna[0],
      place("text.jpg"),
      place("empty.png"),
      cut,
      place("none.jpg"),
      small,
    ]);
    expect(identity.photos).toHaveLength(1);
    expect(refused.map(({ photo }) => photo)).toEqual([
      "photo 2 (text.jpg)",
      "photo 3 (empty.png)",
      "photo 4 (cut.png)",
      "photo 5 (none.jpg)",
      "photo 6 (small.png)",
    ]);
    expect(refused[1].reason).toMatch(/no face found/);
    expect(refused[3].reason).toBe("no such file");
    expect(refused[4].reason).toMatch(/the face is only \d+ px wide/);
  });

  it("throws with every reason when nothing is usable, and when there is nothing", async () => {
    await expect(maker.encode([place("empty.png"), place("text.jpg")])).rejects.toThrow(
      /none of the 2 photos can be used:\n {2}photo 1 \(empty\.png\): no face found.*\n {2}photo 2 \(text\.jpg\): /,
    );
    await expect(maker.encode([])).rejects.toThrow(/no photos given/);
  });

  it("of two people in a photo it takes the one whom the other photos show, and refuses to guess", async () => {
    const both = beside(await loadImage(bob[1]), await loadImage(anna[1]));
    const photo = { name: "both", image: both };
    const { used, refused } = await maker.encode([anna[0], anna[2], photo]);
    expect(refused).toEqual([]);
    const face = used.at(-1)?.face;
    expect((face?.box.x ?? 0) + (face?.box.width ?? 0) / 2).toBeGreaterThan(192); // the right half
    await expect(maker.encode([photo])).rejects.toThrow(/2 faces of like size/);
  });

  it("of three photos with two people each it takes the one who is in all of them", async () => {
    const carl = await writePhotos(root, 5, 1);
    const with_ = async (a: string, b: string, name: string) => ({
      name,
      image: beside(await loadImage(a), await loadImage(b)),
    });
    const photos = [
      await with_(anna[0], bob[0], "with Bob"),
      await with_(carl[0], anna[2], "with Carl"),
      await with_(anna[1], (await writePhotos(root, 6, 1))[0], "with Dora"),
    ];
    const { used, refused, warnings } = await maker.encode(photos);
    expect(refused).toEqual([]);
    expect(warnings.filter((text) => /somebody else/.test(text))).toEqual([]);
    const sides = used.map(({ face: { box } }) => (box.x + box.width / 2 < 192 ? "left" : "right"));
    expect(sides).toEqual(["left", "right", "left"]);
    // The same two people in both photos: nobody can say whose identity is wanted.
    const couple = [await with_(anna[1], bob[1], "one"), await with_(bob[1], anna[1], "two")];
    await expect(maker.encode(couple)).rejects.toThrow(/they show the same people; crop it to one person/);
  });

  it("sees through a photo that lies on its side or stands on its head", async () => {
    const upright = await loadImage(anna[0]);
    const straight = await maker.encode([{ name: "straight", image: upright }]);
    for (const turn of [90, 180, 270]) {
      const { data, info } = await toSharp(upright).rotate(turn).raw().toBuffer({ resolveWithObject: true });
      const image = { width: info.width, height: info.height, data: new Uint8Array(data) };
      const { identity, warnings } = await maker.encode([{ name: "lying", image }]);
      expect(compareIdentities(encoder, identity, straight.identity)).toBeGreaterThan(0.95);
      expect(warnings).toEqual([expect.stringMatching(/^lying lies on its side or upside down/)]);
    }
  });

  it("says of a useless face what is wrong with it", async () => {
    const photo = await loadImage(anna[0]);
    const spoiled = async (change: (picture: ReturnType<typeof toSharp>) => ReturnType<typeof toSharp>) => {
      const { data, info } = await change(toSharp(photo)).raw().toBuffer({ resolveWithObject: true });
      const image = { width: info.width, height: info.height, data: new Uint8Array(data) };
      return maker.encode([{ name: "spoiled", image }]).then(
        () => "accepted",
        (error: Error) => error.message,
      );
    };
    expect(await spoiled((picture) => picture.blur(15))).toMatch(/blurred/);
    expect(await spoiled((picture) => picture.linear(0.04, 0))).toMatch(/dark/);
    expect(await spoiled((picture) => picture.linear(30, 0))).toMatch(/burnt out|no face found/);
    expect(await spoiled((picture) => picture.resize(24, 24))).toMatch(/only 24×24 pixels|only \d+ px wide/);
  });

  it("takes a hundred photos", async () => {
    const many = Array.from({ length: 100 }, (_, i) => anna[i % 5]);
    const { identity } = await maker.encode(many);
    const five = await maker.encode(anna);
    expect(identity.photos).toHaveLength(100);
    // Softmax over keys that each stand twenty times is softmax over the keys.
    expect(difference(identity.tokens, five.identity.tokens)).toBeLessThan(1e-3);
  });
});

describe("identity files", () => {
  it("keep tokens, photos and encoder; float16 to its own precision", async () => {
    const { identity } = await maker.encode(anna.slice(0, 2));
    saveIdentity(place("a32.safetensors"), identity, { dtype: "float32" });
    saveIdentity(place("a16.safetensors"), identity);
    const exact = loadIdentity(place("a32.safetensors"));
    expect(difference(exact.tokens, identity.tokens)).toBe(0);
    expect({ ...exact, tokens: 0 }).toEqual({ ...identity, tokens: 0 });
    expect(difference(loadIdentity(place("a16.safetensors")).tokens, identity.tokens)).toBeLessThan(2e-3);
    expect(compareIdentities(encoder, exact, identity)).toBeCloseTo(1, 5);
  });

  it("of another encoder, of a later format, or no identity at all, are refused with what to do", async () => {
    const { identity } = await maker.encode(anna.slice(0, 1));
    expect(() => checkEncoder("a.safetensors", identity, "f".repeat(64))).toThrow(
      /a\.safetensors: made by encoder nano/,
    );
    const save = (tensors: Record<string, Tensor>, metadata: Record<string, string>) =>
      saveSafetensors(place("odd.safetensors"), tensors, { metadata });
    const format = "omni-id-identity/1";
    save({ identity: zeros([4, 16]) }, { format: "omni-id-identity/2" });
    expect(() => loadIdentity(place("odd.safetensors"))).toThrow(/newer than this program/);
    save({ weight: zeros([4, 16]) }, { format });
    expect(() => loadIdentity(place("odd.safetensors"))).toThrow(/no identity file; make one with/);
    save({ identity: zeros([4]) }, { format });
    expect(() => loadIdentity(place("odd.safetensors"))).toThrow(/shape \[L, C\]/);
    save({ identity: zeros([4, 16]).fill_(Number.NaN) }, { format });
    expect(() => loadIdentity(place("odd.safetensors"))).toThrow(/damaged/);
    for (const photos of ["{", "7", '{"a":1}']) {
      save({ identity: zeros([4, 16]) }, { format, photos });
      expect(loadIdentity(place("odd.safetensors")).photos).toEqual([]);
    }
  });
});

describe("weights", () => {
  it("of two runs do not mix; missing, damaged or foreign ones say so", async () => {
    await writeTinyWeights(place("other"), 2);
    await expect(loadMaskedDecoder(place("other"), encoder)).rejects.toThrow(/trained with another encoder/);
    await expect(loadEncoder(place("nowhere"))).rejects.toThrow(/no such weights; train them/);
    const file = join(place("other"), "omni-id-encoder.safetensors");
    truncateSync(file, 5000);
    await expect(loadEncoder(place("other"))).rejects.toThrow(/omni-id-encoder\.safetensors: .*(cut off|claims)/);
    saveSafetensors(file, { x: zeros([1]) });
    await expect(loadEncoder(place("other"))).rejects.toThrow(/holds no preset/);
  });
});
