import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-fetch-command-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("data fetch", () => {
  it("shows the terms first, brings nothing until somebody agrees, and tells what is wrong with a place", async () => {
    let asked = 0;
    const server = createServer((_, response) => {
      asked++;
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/set.tgz`;
    const [out, photos] = [join(root, "lfw"), join(root, "photos")];
    const args = ["data", "fetch", "lfw", "-o", out, "--photos", photos, "--from", from];

    const unasked = await cli(...args);
    expect(unasked.code).toBe(2);
    expect(unasked.err).toMatch(/^Labeled Faces in the Wild: .*\n[\s\S]*Licence: +none is stated[\s\S]*add --agree/);
    expect([asked, existsSync(out), existsSync(photos)]).toEqual([0, false, false]);

    const agreed = await cli(...args, "--agree");
    expect(agreed).toMatchObject({ code: 1, err: expect.stringContaining(`${from}: 404 Not Found`) });
    expect(asked).toBe(1);
    const other = await cli("data", "fetch", "everybody");
    expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/Allowed choices are lfw/) });
    await new Promise((resolve) => server.close(resolve));
  });
});
