import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import fastify from "fastify";
import { guard } from "./guard.ts";
import { PAGE_HEADERS } from "./headers.ts";

export interface StaticHostSettings {
  address?: string;
  /** 0 takes any that is free. */
  port?: number;
  names?: readonly string[];
  /** Whether it sends the headers that a good host sends; without them the page's service worker makes do. */
  headers?: boolean;
}

export interface StaticHost {
  url: string;
  /** Requests that came, and bytes that were sent. */
  requests: readonly string[];
  bytes: () => number;
  close: () => Promise<void>;
}

/**
 * Serves what `omni-id export --web` wrote, to look at it: any other web server does as well.
 * @throws when the folder holds no export
 */
export async function serveExport(
  folder: string,
  { address = "127.0.0.1", port = 0, names, headers = true }: StaticHostSettings = {},
): Promise<StaticHost> {
  if (!existsSync(join(folder, "studio.json"))) {
    throw new Error(`${folder}: no export of the page; write one with: omni-id export --web ${folder}`);
  }
  const app = fastify({ forceCloseConnections: true });
  const requests: string[] = [];
  let bytes = 0;
  guard(app, { address, names });
  app.addHook("onRequest", async ({ method, url }, reply) => {
    requests.push(`${method} ${url}`);
    if (headers) reply.headers(PAGE_HEADERS);
  });
  app.addHook("onResponse", async (request, reply) => {
    if (reply.statusCode === 200) bytes += sizeOf(folder, request.url);
  });
  await app.register(fastifyStatic, { root: folder, cacheControl: false });
  const at = await app.listen({ host: address, port });
  return { url: new URL(at).href, requests, bytes: () => bytes, close: () => app.close() };
}

function sizeOf(folder: string, url: string): number {
  const { pathname } = new URL(url, "http://host");
  return statSync(join(folder, pathname.endsWith("/") ? "index.html" : pathname), { throwIfNoEntry: false })?.size ?? 0;
}
