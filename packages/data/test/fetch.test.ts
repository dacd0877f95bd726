import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { downloadFile } from "../src/fetch/download.ts";
import { fetchLfw, LFW, LFW_TERMS } from "../src/fetch/lfw.ts";
import { unpackPhotos } from "../src/fetch/unpack.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-fetch-"));
afterAll(() => rmSync(root, { recursive: true }));

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** Answers one after the other, the last one from then on. */
async function serve(...answers: Answer[]): Promise<{ url: string; asked: (string | undefined)[] }> {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.range);
    (answers.length > 1 ? answers.shift() : answers[0])?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/set.tgz`, asked };
}

const bytes = randomBytes(200_000);
const md5 = (content: Buffer) => createHash("md5").update(content).digest("hex");
const quick = { retries: 2, wait: 1, timeout: 300 };
let number = 0;
const place = () => join(root, `${number++}`, "set.tgz");
const known = (url: string, content = bytes) => ({
  url,
  hash: { algorithm: "md5", hex: md5(content) } as const,
  most: 1e6,
});

const from = (request: IncomingMessage) => Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
/** Serves what was asked for. @param stop bytes after which the connection is broken off */
const part =
  (content: Buffer, { stop = content.length, claimed = content.length } = {}): Answer =>
  (request, response) => {
    const start = from(request);
    if (start >= content.length && start > 0) return void response.writeHead(416).end();
    const range = start > 0 ? { "content-range": `bytes ${start}-${claimed - 1}/${claimed}` } : {};
    response.writeHead(start > 0 ? 206 : 200, { "content-length": claimed - start, ...range });
    const body = content.subarray(start, Math.max(start, stop));
    if (stop < content.length || claimed !== content.length)
      response.write(body, () => setTimeout(() => request.socket.destroy(), 100));
    else response.end(body);
  };
const whole =
  (content: Buffer): Answer =>
  (_, response) =>
    response.writeHead(200, { "content-length": content.length }).end(content);

describe("a large file from elsewhere", () => {
  it("goes on where the connection broke off, however often, and asks for the rest alone", async () => {
    const stops = [60_000, 100_000, 140_000, 180_000].map((stop) => part(bytes, { stop }));
    const { url, asked } = await serve(...stops, part(bytes));
    const path = place();
    await downloadFile(known(url), path, { patience: quick });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(asked.length).toBe(5); // more breaks than attempts: each of them brought some
    expect(asked[0]).toBeUndefined();
    expect(asked.filter((range) => /^bytes=\d+-$/.test(range ?? "")).length).toBeGreaterThan(2);
    expect(readdirSync(join(path, ".."))).toEqual(["set.tgz"]);
    await downloadFile(known(url), path); // it is there, and nobody is asked
    expect(asked.length).toBe(5);
  });

  it("goes on in another run too, and begins again where the server knows no ranges", async () => {
    const controller = new AbortController();
    const { url, asked } = await serve(part(bytes, { stop: 80_000 }), (_, response) => {
      response.writeHead(503).end();
      controller.abort();
    });
    const path = place();
    await expect(downloadFile(known(url), path, { patience: quick, signal: controller.signal })).rejects.toThrow();
    expect(existsSync(path)).toBe(false);
    expect(existsSync(`${path}.part`)).toBe(true);
    expect(asked).toHaveLength(2);
    const other = await serve(whole(bytes));
    await downloadFile(known(other.url), path, { patience: quick });
    expect(other.asked[0]).toMatch(/^bytes=\d+-$/);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it("is taken by its hash, whatever lengths a server tells", async () => {
    const longer = await serve(part(bytes, { claimed: 300_000 }));
    const path = place();
    await downloadFile(known(longer.url), path, { patience: quick });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    // Less than there is: the rest is asked for, and comes.
    const shorter = await serve((_, response) => {
      response.writeHead(200, { "content-length": 50_000 }).end(bytes.subarray(0, 50_000));
    }, part(bytes));
    const second = place();
    await downloadFile(known(shorter.url), second, { patience: quick });
    expect(readFileSync(second).equals(bytes)).toBe(true);
    // A part that is not the one asked for.
    const astray = await serve(
      part(bytes, { stop: 50_000 }),
      (_, response) => response.writeHead(206, { "content-range": "bytes 0-9/10" }).end(bytes.subarray(0, 10)),
      part(bytes),
    );
    const third = place();
    await downloadFile(known(astray.url), third, { patience: quick });
    expect(readFileSync(third).equals(bytes)).toBe(true);
  });

  it("that is another file, is one that never ends, or is not there, is told and not kept", async () => {
    const other = await serve(whole(randomBytes(1000)));
    const path = place();
    await expect(downloadFile(known(other.url), path, { patience: quick })).rejects.toThrow(
      `${other.url}: 1000 bytes came that are not this file, 2 times; name another place`,
    );
    const endless = await serve((_, response) => {
      const more = () => response.write(Buffer.alloc(100_000), () => setImmediate(more));
      response.on("close", () => response.destroy());
      more();
    });
    await expect(downloadFile(known(endless.url), place(), { patience: quick })).rejects.toThrow(
      /more than 1000000 bytes came; this is not the file/,
    );
    const none = await serve((_, response) => response.writeHead(404).end());
    await expect(downloadFile(known(none.url), place(), { patience: quick })).rejects.toThrow(/404 Not Found$/);
    expect(none.asked).toHaveLength(1);
    expect(existsSync(path) || existsSync(`${path}.part`)).toBe(false);
  });

  it("is waited for so long and no longer, and taken from a server that failed a few times", async () => {
    const silent = await serve(() => {});
    await expect(
      downloadFile(known(silent.url), place(), { patience: { ...quick, retries: 1, timeout: 50 } }),
    ).rejects.toThrow(/no answer within 0.05 s, after 2 attempts; run it again later/);
    const failing = await serve(
      (_, response) => response.writeHead(503).end(),
      (request) => request.socket.destroy(),
      part(bytes),
    );
    const path = place();
    await downloadFile(known(failing.url), path, { patience: quick });
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it("that somebody has changed since is brought again", async () => {
    const { url } = await serve(part(bytes));
    const path = place();
    await downloadFile(known(url), path, { patience: quick });
    writeFileSync(path, "changed");
    await downloadFile(known(url), path, { patience: quick });
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

/** A tar file that gzip has packed. */
async function archive(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.entry({ name: "set/Ann/link.jpg", type: "symlink", linkname: "/etc/passwd" });
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const some of tar) parts.push(some as Buffer);
  return gzipSync(Buffer.concat(parts));
}

const PHOTOS = { "set/Ann/Ann_0001.jpg": "a", "set/Ann/Ann_0002.jpg": "b", "set/Bob_B/Bob_B_0001.jpg": "c" };

describe("photos in an archive", () => {
  it("come out one folder a person, and nothing lands elsewhere", async () => {
    const file = join(root, "photos.tgz");
    const odd = { "set/README": "no", "set/../../evil.jpg": "no", "set/.git/x.jpg": "no", "/abs.jpg": "no" };
    writeFileSync(file, await archive({ ...PHOTOS, ...odd, "set/Ann/._Ann_0001.jpg": "no", "./set/Ann/c.JPG": "d" }));
    const folder = join(root, "unpacked", "photos");
    expect(await unpackPhotos(file, folder)).toEqual({ people: 2, photos: 4 });
    expect(readdirSync(folder).toSorted()).toEqual(["Ann", "Bob_B"]);
    expect(readdirSync(join(folder, "Ann")).toSorted()).toEqual(["Ann_0001.jpg", "Ann_0002.jpg", "c.JPG"]);
    expect(readFileSync(join(folder, "Ann", "Ann_0002.jpg"), "utf8")).toBe("b");
    expect(readdirSync(join(root, "unpacked"))).toEqual(["photos"]);
    expect(await unpackPhotos(file, folder)).toBeUndefined();
  });

  it("of a damaged archive are none at all", async () => {
    const file = join(root, "damaged.tgz");
    const good = await archive({ ...PHOTOS, "set/Ann/Ann_0003.jpg": randomBytes(9000).toString("hex") });
    for (const bad of [good.subarray(0, good.length / 2), randomBytes(500)]) {
      writeFileSync(file, bad);
      await expect(unpackPhotos(file, join(root, "none"))).rejects.toThrow(/damaged .*; delete it and run/);
      expect(existsSync(join(root, "none"))).toBe(false);
    }
  });
});

describe("Labeled Faces in the Wild", () => {
  it("is brought once, checked by hash and number, and brought again when photos are missing", async () => {
    const tgz = await archive(PHOTOS);
    const expected = { md5: md5(tgz), people: 2, photos: 3 };
    const { url, asked } = await serve(part(tgz, { stop: 100 }), part(tgz));
    const folder = join(root, "lfw");
    const fetched = () => fetchLfw({ folder, from: url, expect: expected, patience: quick });
    const photos = await fetched();
    expect(readdirSync(photos).toSorted()).toEqual(["Ann", "Bob_B"]);
    await fetched();
    expect(asked).toHaveLength(2);
    rmSync(join(photos, "Ann", "Ann_0001.jpg"));
    await fetched(); // the archive is still there
    expect(readdirSync(join(photos, "Ann"))).toHaveLength(2);
    expect(asked).toHaveLength(2);
    const more = { ...expected, photos: 4 };
    await expect(fetchLfw({ folder, from: url, expect: more, patience: quick })).rejects.toThrow(
      /3 photos of 2 people, and not 4 of 2/,
    );
  });

  it("tells its terms: whence, that no licence is stated, and what that means", () => {
    expect(LFW_TERMS).toContain(`${LFW.place}/${LFW.file}`);
    expect(LFW_TERMS).toMatch(/none is stated/);
    expect(LFW_TERMS).toMatch(/keep the photographs.*to yourself/);
  });
});
