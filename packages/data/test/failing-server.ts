import { createHash, createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface FailingServer {
  url: string;
  /** Paths that were asked for, with their ranges. */
  asked: string[];
  /** How it fails, one after the other; once there is nothing left it serves. */
  failures: Failure[];
  close(): Promise<void>;
}

/** A number: that status. `cut`: half of the body, then silence is broken off. `short`: half a body that claims to be all. */
export type Failure = number | "cut" | "hang up" | "stall" | "garbage" | "none";

/** Serves a folder on 127.0.0.1, and fails on purpose. @param check refuses a request with a status */
export async function failingServer(
  folder: string,
  {
    ranges = true,
    check = () => undefined,
  }: { ranges?: boolean; check?: (request: IncomingMessage) => number | undefined } = {},
): Promise<FailingServer> {
  const asked: string[] = [];
  const failures: Failure[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    const refused = check(request);
    if (refused !== undefined) response.writeHead(refused).end();
    else
      serve(join(folder, decodeURIComponent(request.url ?? "/")), {
        request,
        response,
        ranges,
        failure: failures.shift(),
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    failures,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function serve(
  path: string,
  {
    request,
    response,
    ranges,
    failure = "none",
  }: { request: IncomingMessage; response: ServerResponse; ranges: boolean; failure?: Failure },
): void {
  if (typeof failure === "number") return void response.writeHead(failure).end("no");
  if (failure === "stall") return;
  if (failure === "hang up") return void request.socket.destroy();
  if (!existsSync(path)) return void response.writeHead(404).end();
  const whole = readFileSync(path);
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec((ranges && request.headers.range) || "") ?? [];
  const body = from === undefined ? whole : whole.subarray(Number(from), Number(to) + 1);
  response.writeHead(from === undefined ? 200 : 206, { "content-length": body.length });
  if (failure === "cut") {
    response.write(body.subarray(0, Math.floor(body.length / 2)), () => request.socket.destroy());
  } else if (failure === "garbage") response.end(Buffer.alloc(body.length, 7));
  else response.end(body);
}

/** The signature that S3 would compute of a request (AWS Signature Version 4), to hold ours against. */
export function s3Signature(request: IncomingMessage, secret: string): { given: string; wanted: string } {
  const header = request.headers.authorization;
  if (header === undefined) return { given: "", wanted: "" };
  const [, scope, names, given] = /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=(\w+)/.exec(header) ?? [];
  const [date, region, service, end] = (scope ?? "").split("/");
  const headers = (names ?? "").split(";").map((name) => `${name}:${request.headers[name]}\n`);
  const hash = String(request.headers["x-amz-content-sha256"]);
  const canonical = [request.method, request.url, "", headers.join(""), names, hash].join("\n");
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, digest].join("\n");
  const key = [date, region, service, end].reduce<Buffer>(
    (last, part) => createHmac("sha256", last).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  return { given: given ?? "", wanted: createHmac("sha256", key).update(text).digest("hex") };
}
