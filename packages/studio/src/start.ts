import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { type EngineSettings, EngineThread } from "./engine/thread.ts";
import { type AppSettings, studioApp } from "./server/app.ts";
import { isLoopback } from "./server/guard.ts";

export interface StudioSettings extends Partial<Omit<AppSettings, "engine">>, Pick<EngineSettings, "device"> {
  /** 0 takes any that is free. */
  port?: number;
}

/** A studio that listens. */
export interface Studio {
  app: FastifyInstance;
  /** What to open in a browser; it holds the token, if there is one. */
  url: string;
  close(): Promise<void>;
}

/**
 * Starts the studio's server. On addresses that other machines reach it asks for a token: `token`, or a random one, which
 * stands in the `url`.
 * @throws when the port is taken
 */
export async function startStudio(settings: StudioSettings = {}): Promise<Studio> {
  const { address = "127.0.0.1", port = 4600, weights, device, places = PLACES } = settings;
  const token = settings.token ?? (isLoopback(address) ? undefined : randomBytes(24).toString("base64url"));
  const engine = new EngineThread({ weights, device });
  const app = await studioApp({ ...settings, address, token, engine, places });
  const close = async () => {
    await app.close();
    await engine.close();
  };
  try {
    const at = await app.listen({ host: address, port });
    const shown = new URL(at);
    if (address === "0.0.0.0" || address === "::") shown.hostname = "localhost";
    return { app, url: token === undefined ? shown.href : `${shown.href}#token=${token}`, close };
  } catch (error) {
    await close();
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new Error(`port ${port} of ${address} is taken; choose another one with --port`);
    if (code === "EADDRNOTAVAIL") throw new Error(`${address} is no address of this machine`);
    throw error;
  }
}

const PLACES = { runs: "runs", sets: ["data", "mfhq"], results: "results" };
