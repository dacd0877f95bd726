import { createHash, timingSafeEqual } from "node:crypto";
import { networkInterfaces } from "node:os";
import type { FastifyInstance, FastifyRequest } from "fastify";

/**
 * Who may speak to the server. A page elsewhere must not reach it: neither by its own requests (`Origin`), nor by a
 * name that it lets point here (`Host`: DNS rebinding). On other addresses than this machine's own, a token is asked for.
 */
export interface GuardSettings {
  /** What it listens on. */
  address: string;
  /** Names by which it may be called, beside those of this machine. */
  names?: readonly string[];
  /** Asked for as `Authorization: Bearer …`; none when absent. */
  token?: string;
}

/** A refusal, with its status. */
export class Refused extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.name = "Refused";
    this.statusCode = statusCode;
  }
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** Whether only this machine reaches an address. */
export const isLoopback = (address: string): boolean => /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(address);

/** Looks at every request before anything else does. */
export function guard(app: FastifyInstance, { address, names = [], token }: GuardSettings): void {
  const allowed = new Set([...LOOPBACK, ...names.map((name) => name.toLowerCase())]);
  if (!isLoopback(address)) for (const own of ownAddresses()) allowed.add(own);
  app.addHook("onRequest", async (request) => {
    const host = hostOf(request.headers.host);
    if (!host || !allowed.has(host)) {
      throw new Refused(
        421,
        `this server is not called "${host ?? ""}"; where that is right, start it with --name ${host ?? "NAME"}`,
      );
    }
    checkOrigin(request);
    if (token !== undefined && request.url.startsWith("/api/")) checkToken(request, token);
  });
}

function checkOrigin({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  const site = headers["sec-fetch-site"];
  // Browsers send one or both; other programs none, and they are no page.
  if (origin !== undefined && originHost(origin) !== host?.toLowerCase())
    throw new Refused(403, "a page of another address may not use this server");
  if (site === "cross-site" && headers["sec-fetch-mode"] !== "navigate") {
    throw new Refused(403, "a page of another address may not use this server");
  }
}

function checkToken({ headers }: FastifyRequest, token: string): void {
  const given = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
  const digest = (text: string) => createHash("sha256").update(text).digest();
  if (!timingSafeEqual(digest(given), digest(token))) {
    throw new Refused(401, "open the address that the studio printed when it started: it holds the token");
  }
}

/** Name or address of a Host header, without its port. */
function hostOf(header: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[^:[\]/\\@?#\s]+)(?::\d+)?$/i.exec(header ?? "")?.[1].toLowerCase();
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined; // "null": a page in a sandbox, or a file
  }
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .map(({ address, family }) => (family === "IPv6" ? `[${address.split("%")[0]}]` : address));
}
