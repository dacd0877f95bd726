import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EncodeAnswer, GenerateAnswer, IdentityInfo, LandmarksAnswer } from "../src/api.ts";
import { parseIdentityBytes } from "../src/identity-file.ts";
import { type AppSettings, studioApp } from "../src/server/app.ts";
import { FakeEngine, gate } from "./fake-engine.ts";
import { form, rawRequest, readEvents } from "./forms.ts";

let folder: string;
let engine: FakeEngine;
let app: FastifyInstance;
let url: string;

async function start(settings: Partial<AppSettings> = {}): Promise<void> {
  engine = new FakeEngine();
  const places = { runs: join(folder, "runs"), sets: [join(folder, "sets")], results: join(folder, "results") };
  app = await studioApp({ address: "127.0.0.1", engine, places, page: join(folder, "page"), ...settings });
  url = await app.listen({ host: "127.0.0.1", port: 0 });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-studio-"));
});
afterEach(async () => {
  await app?.close();
  rmSync(folder, { recursive: true });
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, {
    method: "POST",
    ...(body instanceof FormData
      ? { body, headers }
      : { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } }),
  });
const json = async <T>(answer: Promise<Response>) => (await (await answer).json()) as T;
const alice = () => post("/api/identities", form({ "1.jpg": "a", "2.jpg": "b" }, { name: "Alicé & Co." }));

describe("identities", () => {
  it("are made of photos, listed, given as a file that is read back the same, compared and forgotten", async () => {
    await start();
    const made = await json<EncodeAnswer>(alice());
    expect(made.identity).toMatchObject({ id: "alice-co", name: "Alicé & Co.", photos: 2, saved: false });
    expect(made.used.map(({ photo }) => photo)).toEqual(["1.jpg", "2.jpg"]);
    expect(await json(fetch(`${url}/api/identities`))).toEqual([made.identity]);

    const file = await fetch(`${url}/api/identities/alice-co/file`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    expect(parseIdentityBytes("it", bytes).values[3]).toBe(3 / 8);
    const again = await json<EncodeAnswer>(post("/api/identities", form({ "bob.safetensors": bytes })));
    expect(again.identity).toMatchObject({ id: "bob", name: "bob", photos: 2 });

    expect((await fetch(`${url}/api/identities/bob`, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(`${url}/api/identities/bob/file`)).status).toBe(404);
  });

  it("lie in memory until they are saved; then in the folder, from where the next server reads them", async () => {
    const identities = join(folder, "people");
    await start({ identities });
    await alice();
    expect(() => readdirSync(identities)).toThrow();
    const saved = await json<IdentityInfo>(fetch(`${url}/api/identities/alice-co/saved`, { method: "PUT" }));
    expect(saved.saved).toBe(true);
    expect(readdirSync(identities)).toEqual(["alice-co.safetensors"]);
    await app.close();
    writeFileSync(join(identities, "notes.txt"), "no identity");
    writeFileSync(join(identities, "broken.safetensors"), "no identity either");
    await start({ identities });
    expect(await json(fetch(`${url}/api/identities`))).toMatchObject([{ id: "alice-co", saved: true, photos: 2 }]);
    await fetch(`${url}/api/identities/alice-co`, { method: "DELETE" });
    expect(readdirSync(identities).sort()).toEqual(["broken.safetensors", "notes.txt"]);
  });

  it("saving never replaces a file that another program wrote meanwhile", async () => {
    const identities = join(folder, "people");
    mkdirSync(identities);
    await start({ identities });
    await alice();
    writeFileSync(join(identities, "alice-co.safetensors"), "somebody else's");
    await fetch(`${url}/api/identities/alice-co/saved`, { method: "PUT" });
    expect(readFileSync(join(identities, "alice-co.safetensors"), "utf8")).toBe("somebody else's");
    expect(readdirSync(identities)).toContain("alice-co-2.safetensors");
  });

  it("without a folder saving is refused with what to do", async () => {
    await start();
    await alice();
    const answer = await fetch(`${url}/api/identities/alice-co/saved`, { method: "PUT" });
    expect([answer.status, await answer.json()]).toEqual([409, { error: expect.stringContaining("--identities") }]);
  });
});

describe("pictures", () => {
  it("are drawn, reconstructed and explained; a form's fields are checked", async () => {
    await start();
    await alice();
    const drawn = post("/api/generate", { identities: [{ id: "alice-co", share: 1 }], count: 3, seed: 5 });
    expect((await json<GenerateAnswer>(drawn)).pictures).toEqual(
      Array.from({ length: 3 }, () => "data:image/png;base64,iVBORw=="),
    );
    const target = form({ "t.jpg": "x" }, { identities: "alice-co" });
    expect(await json(post("/api/reconstruct", target))).toMatchObject({ made: [{ id: "alice-co", l1: 0.1 }] });
    expect((await post("/api/reconstruct", form({ "t.jpg": "x" }, { identities: "../x" }))).status).toBe(422);
    const { landmarks } = await json<LandmarksAnswer>(post("/api/landmarks", form({ "t.jpg": "x" })));
    expect(landmarks).toHaveLength(136);
    const attention = post("/api/attention", form({ "t.jpg": "x" }, { block: "1" }));
    expect(await json(attention)).toMatchObject({ block: 1 });
  });

  it.each([
    [{ identities: [{ id: "nobody", share: 1 }], count: 1, seed: 0 }, 404, "nobody"],
    [{ identities: [{ id: "alice-co", share: 0 }], count: 1, seed: 0 }, 422, "share"],
    [{ identities: [], count: 99, seed: 0 }, 400, "count"],
    [{ identities: [], count: 1, seed: -1 }, 400, "seed"],
    [{ identities: [], count: 1, seed: 0, pose: { yaw: 170, pitch: 0 } }, 400, "yaw"],
    [{ identities: [], count: 1, seed: 0, mistyped: 1 }, 400, ""],
  ])("%j is refused with %i", async (body, status, told) => {
    await start();
    await alice();
    const answer = await post("/api/generate", body);
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { error: string }).error).toContain(told);
  });

  it("are told of step by step where events are asked for", async () => {
    await start();
    const answer = await post("/api/generate", { identities: [], count: 1, seed: 0 }, { accept: "text/event-stream" });
    const events: string[] = [];
    for await (const { event, data } of readEvents(answer)) {
      events.push(event);
      if (event === "progress" && data.done === 2) expect(data.pictures).toHaveLength(1);
    }
    expect(events).toEqual(["queued", "progress", "progress", "result"]);
    expect(answer.headers.get("content-security-policy")).toContain("connect-src 'self'");
  });
});

describe("the queue", () => {
  const ask = () => post("/api/generate", { identities: [], count: 1, seed: 0 }, { accept: "text/event-stream" });

  it("runs one at a time; what waits and what runs can be cancelled, by name or by hanging up", async () => {
    await start();
    const { closed, open } = gate();
    engine.gate = closed;
    const [first, second, third] = [readEvents(await ask()), readEvents(await ask()), readEvents(await ask())];
    const firstJob = (await first.next()).value?.data;
    const secondJob = (await second.next()).value?.data;
    expect([firstJob?.place, secondJob?.place, (await third.next()).value?.data.place]).toEqual([0, 1, 2]);
    expect((await fetch(`${url}/api/jobs/${secondJob?.job}`, { method: "DELETE" })).status).toBe(204);
    expect((await second.next()).value).toMatchObject({ event: "failed", data: { status: 499 } });
    expect((await third.next()).value).toMatchObject({ event: "queued", data: { place: 1 } });
    await first.return(undefined); // hangs up
    await expect.poll(() => engine.cancelled).toBe(1);
    open();
    const rest: string[] = [];
    for await (const { event } of third) rest.push(event);
    expect(rest.at(-1)).toBe("result");
    expect(engine.mostRunning).toBe(1);
    expect((await fetch(`${url}/api/jobs/${firstJob?.job}`, { method: "DELETE" })).status).toBe(404);
  });

  it("50 requests at once: as many as may wait are served, the others told to come again, their bodies not kept", async () => {
    await start({ waiting: 10, memory: 40_000_000 });
    const { closed, open } = gate();
    engine.gate = closed;
    const photo = new Uint8Array(1_000_000);
    const calls = Array.from({ length: 50 }, () => post("/api/identities", form({ "a.jpg": photo })));
    await expect.poll(() => engine.asked.length).toBe(1);
    open();
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    const served = statuses.filter((status) => status === 200).length;
    expect(served).toBeGreaterThanOrEqual(11);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(engine.mostRunning).toBe(1);
  });
});

describe("uploads", () => {
  it("of more than is allowed are refused, and so are too many, none, and what is no form", async () => {
    await start({ limits: { photos: 3, photoBytes: 1000, requestBytes: 2500 } });
    const large = new Uint8Array(1001);
    const small = new Uint8Array(900);
    const refused = async (body: unknown) => {
      const answer = await post("/api/identities", body);
      return [answer.status, ((await answer.json()) as { error: string }).error];
    };
    expect(await refused(form({ "large.jpg": large }))).toEqual([
      413,
      expect.stringContaining("large.jpg: larger than"),
    ]);
    expect(await refused(form({ a: small, b: small, c: small }))).toEqual([413, expect.stringContaining("at once")]);
    expect(await refused(form({ a: "1", b: "1", c: "1", d: "1" }))).toEqual([
      413,
      expect.stringContaining("more than 3 photos"),
    ]);
    expect(await refused(form({}, { name: "x" }))).toEqual([422, expect.stringContaining("no photos")]);
    expect(await refused({ not: "a form" })).toEqual([415, expect.stringContaining("form")]);
    expect(engine.asked).toEqual([]);
    expect((await alice()).status).toBe(200);
  });

  it("an oversize JSON body is refused before it is read", async () => {
    await start();
    const answer = await post("/api/generate", { identities: [], count: 1, seed: 0, prompt: "x".repeat(200_000) });
    expect(answer.status).toBe(413);
  });

  it("one that breaks off gives its memory back, and one that never ends is ended", async () => {
    await start({ requestTimeout: 1500, memory: 100_000 });
    const { port } = new URL(url);
    const head = [
      "POST /api/identities HTTP/1.1",
      "Host: localhost",
      "Content-Type: multipart/form-data; boundary=x",
      "Content-Length: 99999",
      "",
      '--x\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n',
    ].join("\r\n");
    const broken = connect(Number(port), "127.0.0.1");
    broken.write(`${head}${"y".repeat(90_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    broken.destroy();
    await expect
      .poll(async () => (await post("/api/identities", form({ a: new Uint8Array(90_000) }))).status)
      .toBe(200);

    const slow = connect(Number(port), "127.0.0.1");
    slow.write(head);
    const ended = new Promise((resolve) => slow.on("close", resolve));
    slow.on("error", () => {});
    slow.resume();
    await ended;
    expect((await fetch(`${url}/api/identities`)).status).toBe(200);
  });
});

describe("who may ask", () => {
  it("other hosts and pages of other addresses may not, whatever they ask for", async () => {
    await start();
    const status = async (headers: object, path = "/api/identities") =>
      (await rawRequest(url, { path, headers })).status;
    const { port } = new URL(url);
    expect(await status({ host: `evil.example:${port}` })).toBe(421);
    expect(await status({ host: `127.0.0.1.evil.example:${port}` })).toBe(421);
    expect(await status({ host: `localhost@evil.example:${port}` })).toBe(421);
    expect(await status({ host: `evil.example:${port}` }, "/")).toBe(421);
    expect(await status({ host: `localhost:${port}` })).toBe(200);
    expect(await status({ host: `[::1]:${port}` })).toBe(200);
    const host = `localhost:${port}`;
    expect(await status({ host, origin: "https://evil.example" })).toBe(403);
    expect(await status({ host, origin: "null" })).toBe(403);
    expect(await status({ host, origin: `http://localhost:${Number(port) + 1}` })).toBe(403);
    expect(await status({ host, origin: `http://localhost:${port}` })).toBe(200);
    expect(await status({ host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toBe(403);
  });

  it("where a token is asked for, nobody may without it", async () => {
    await start({ token: "open sesame", names: ["studio.example.org"] });
    const ask = (headers: object, path = "/api/about") => rawRequest(url, { path, headers });
    expect((await ask({})).status).toBe(401);
    expect((await ask({ authorization: "Bearer open" })).status).toBe(401);
    expect((await ask({ authorization: "Bearer open sesame" })).status).toBe(200);
    expect((await ask({ authorization: "Bearer open sesame", host: "studio.example.org" })).status).toBe(200);
    expect((await ask({}, "/studio.json")).status).toBe(200);
  });

  it("no path leads out of the folders that were named", async () => {
    for (const name of ["page", "runs/one", "results", "sets"]) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, "page/index.html"), "the page");
    writeFileSync(join(folder, "secret.png"), "secret");
    writeFileSync(join(folder, "runs/one/log.jsonl"), '{"kind":"train","step":1,"loss":2}\n{"kind":"tr');
    writeFileSync(join(folder, "results/figures.json"), '{"a":1}');
    await start();
    const paths = [
      "/../secret.png",
      "/%2e%2e/secret.png",
      "/..%2fsecret.png",
      "/....//secret.png",
      "/api/results/file?name=../secret.png",
      "/api/results/file?name=..%2fsecret.png",
      "/api/runs/picture?run=..&file=secret.png",
      "/api/runs/picture?run=one&file=../../secret.png",
      "/api/runs/curves?run=../runs/one",
      "/api/sets/people?set=..",
      "/api/identities/..%2f..%2fsecret/file",
    ];
    for (const path of paths) {
      const { status, body } = await rawRequest(url, { path });
      expect([path, status >= 400 && status < 500, body.includes("secret\n")]).toEqual([path, true, false]);
    }
    expect((await rawRequest(url, { path: "/" })).body).toBe("the page");
    expect((await rawRequest(url, { path: "/api/results/file?name=figures.json" })).body).toBe('{"a":1}');
    expect(JSON.parse((await rawRequest(url, { path: "/api/runs/curves?run=one" })).body)).toEqual({
      lines: [{ kind: "train", step: 1, loss: 2 }],
      pictures: [],
    });
  });
});

it("describes itself: every route that a program may call stands in the OpenAPI description", async () => {
  await start();
  const { openapi, paths } = await json<{ openapi: string; paths: Record<string, object> }>(
    fetch(`${url}/api/openapi.json`),
  );
  expect(openapi).toMatch(/^3\./);
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  for (const route of ["identities", "compare", "generate", "reconstruct", "attention"]) {
    expect(routes).toContain(`post /api/${route}`);
  }
  expect(routes).toContain("delete /api/jobs/{job}");
});
