import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { originOf, Place } from "../src/stream/place.ts";
import { Remote } from "../src/stream/remote.ts";
import { type FailingServer, type Failure, failingServer, s3Signature } from "./failing-server.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-remote-"));
const bytes = randomBytes(5000);
mkdirSync(join(root, "served", "a b"), { recursive: true });
writeFileSync(join(root, "served", "file.bin"), bytes);
writeFileSync(join(root, "served", "a b", "file.bin"), bytes);
const hash = createHash("sha256").update(bytes).digest("hex");
const quick = { retries: 3, wait: 1, timeout: 400 };

const servers: FailingServer[] = [];
async function serve(...options: Parameters<typeof failingServer> extends [string, ...infer R] ? R : never) {
  const server = await failingServer(join(root, "served"), ...options);
  servers.push(server);
  return server;
}
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  rmSync(root, { recursive: true });
});

describe("files at an address", () => {
  it.each<Failure[]>([[503, 429], ["cut"], ["hang up", "hang up"], ["stall"], [500, "cut", "hang up"]])(
    "come in spite of %j %j",
    async (...failures) => {
      const server = await serve();
      const remote = new Remote(`${server.url}/`, quick);
      server.failures.push(...failures);
      expect((await remote.get("file.bin", { offset: 100, size: 50 })).equals(bytes.subarray(100, 150))).toBe(true);
      expect(server.asked).toHaveLength(failures.length + 1);
      server.failures.push(...failures);
      expect((await remote.get("file.bin")).equals(bytes)).toBe(true);
    },
  );

  it("are an exact error after all attempts, and at once where another attempt is of no use", async () => {
    const server = await serve();
    const remote = new Remote(server.url, quick);
    server.failures.push(503, 503, 503, 503);
    await expect(remote.get("file.bin")).rejects.toThrow(
      `${server.url}/file.bin: 503 Service Unavailable, after 4 attempts`,
    );
    server.asked.length = 0;
    await expect(remote.get("none.bin")).rejects.toThrow(`${server.url}/none.bin: 404 Not Found: no such file`);
    server.failures.push(403);
    await expect(remote.get("file.bin")).rejects.toThrow("/file.bin: 403 Forbidden: credentials are wanted, or others");
    expect(server.asked).toHaveLength(2);
    server.failures.push("stall", "stall", "stall", "stall");
    await expect(remote.get("file.bin")).rejects.toThrow("no answer within 0.4 s, after 4 attempts");
    const gone = await serve();
    await gone.close();
    await expect(new Remote(gone.url, quick).get("x")).rejects.toThrow(/\/x: .*ECONNREFUSED.*, after 4 attempts$/);
    // A range beyond the end is no file of the size that was told.
    await expect(remote.get("file.bin", { offset: 4990, size: 20 })).rejects.toThrow("10 of 20 bytes came");
  });

  it("come from a server that knows no ranges too", async () => {
    const server = await serve({ ranges: false });
    const remote = new Remote(server.url, quick);
    expect((await remote.get("file.bin", { offset: 7, size: 9 })).equals(bytes.subarray(7, 16))).toBe(true);
  });

  it("are brought here whole or not at all, and only when they are what they should be", async () => {
    const server = await serve();
    const remote = new Remote(server.url, quick);
    const path = join(root, "kept", "file.bin");
    server.failures.push("garbage", "cut", 503);
    await remote.download("file.bin", path, hash);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(readdirSync(join(root, "kept"))).toEqual(["file.bin"]);
    const other = join(root, "kept", "other.bin");
    await expect(remote.download("file.bin", other, "0".repeat(64))).rejects.toThrow(
      /5000 bytes came that are not this file \(SHA-256 .*after 4 attempts/,
    );
    expect(existsSync(other)).toBe(false);
    // From then on the copy is read.
    const origin = originOf(server.url, join(root, "cache"), quick);
    mkdirSync(origin.folder, { recursive: true });
    const place = new Place(origin);
    await place.range("file.bin", 5, 5);
    server.asked.length = 0;
    writeFileSync(join(origin.folder, "file.bin"), bytes);
    expect((await place.range("file.bin", 5, 5)).equals(bytes.subarray(5, 10))).toBe(true);
    expect(server.asked).toEqual([]);
    await expect(place.range("file.bin", 4998, 5)).rejects.toThrow(/file\.bin: the file is cut off/);
    await place.close();
  });

  it("of S3 are asked for with a signature that holds, and without one where nobody has credentials", async () => {
    const [id, secret] = ["AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"];
    const told: { authorization?: string; signature: { given: string; wanted: string } }[] = [];
    const server = await serve({
      check: (request) => {
        const { authorization } = request.headers;
        told.push({ authorization, signature: s3Signature(request, secret) });
        return undefined;
      },
    });
    vi.stubEnv("AWS_ENDPOINT_URL", server.url);
    vi.stubEnv("AWS_REGION", "eu-central-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "");
    mkdirSync(join(root, "served", "bucket", "set"), { recursive: true });
    writeFileSync(join(root, "served", "bucket", "set", "file 1.bin"), bytes);
    const remote = new Remote("s3://bucket/set", quick);
    expect((await remote.get("file 1.bin")).equals(bytes)).toBe(true);
    expect(told.pop()?.authorization).toBeUndefined();
    vi.stubEnv("AWS_ACCESS_KEY_ID", id);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", secret);
    server.failures.push(503);
    expect((await remote.get("file 1.bin", { offset: 1, size: 2 })).equals(bytes.subarray(1, 3))).toBe(true);
    expect(told).toHaveLength(2);
    for (const { authorization, signature } of told) {
      expect(authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/s3\/aws4_request/);
      expect(signature.given).toBe(signature.wanted);
    }
    await expect(new Remote("s3:///set", quick).get("x")).rejects.toThrow("write s3://bucket/folder");
  });
});
