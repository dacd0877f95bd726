import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardSet, writeShard } from "@omni-id/data";
import { afterAll, describe, expect, it } from "vitest";
import { type PrepareOptions, prepareParts } from "../src/people/prepare.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-prepare-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("people whose masks must be segmentations", () => {
  it("are refused where one lies beside no picture, before anything is prepared", async () => {
    const pose = { yaw: 0, pitch: 0, roll: 0 };
    const image = { width: 8, height: 8, landmarks: new Array(136).fill(1), pose, caption: "" };
    const byte = new Uint8Array(9);
    await writeShard(join(root, "set"), 0, [
      { record: { id: "anna", source: "v", images: [image] }, images: [byte], masks: [byte] },
      { record: { id: "bob", source: "v", images: [image, image] }, images: [byte, byte], masks: [byte, undefined] },
    ]);
    const shards = await ShardSet.open(join(root, "set"));
    const cache = join(root, "cache");
    const options = { shards, ids: shards.ids, faceMask: "segmentation", imageSize: 64, cache, jitter: false } as const;
    const backbone = { fingerprint: "f" } as PrepareOptions["backbone"];
    const prepared = prepareParts({ ...options, backbone, recogniser: () => ({}) as never });
    await expect(prepared).rejects.toThrow(/set: bob\.1\.jpg has no mask.*--set faceMask=outline-skin/);
    expect(readdirSync(root)).not.toContain("cache");
  });
});
