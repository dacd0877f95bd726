import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { JobEvents } from "../api.ts";
import type { TaskProgress } from "../engine/tasks.ts";
import { Cancelled } from "../engine/tasks.ts";
import { BudgetSpent } from "./budget.ts";
import { Refused } from "./guard.ts";
import { rgbAddress } from "./pictures.ts";
import { type JobListener, QueueFull } from "./queue.ts";

/** How a job is followed by the request that asked for it. */
export interface Following extends JobListener {
  /** Aborted when the one who asked is gone. */
  signal: AbortSignal;
}

/**
 * Answers a request that takes a while: by JSON when all is done, or, where it is asked for as `text/event-stream`, by
 * events on the way. Whoever hangs up cancels the job.
 */
export async function answerJob<Answer>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (following: Following) => Promise<Answer>,
): Promise<Answer | undefined> {
  const gone = new AbortController();
  reply.raw.on("close", () => gone.abort());
  if (!/\btext\/event-stream\b/.test(request.headers.accept ?? "")) return work({ signal: gone.signal });
  reply.hijack();
  const events = new EventStream<JobEvents<Answer>>(reply.raw, reply.getHeaders());
  let last = Promise.resolve();
  const tellProgress = async ({ pictures, ...progress }: TaskProgress) => {
    // Somebody who reads slowly is told less often, and the job waits for nobody.
    if (!events.ready) return;
    events.send("progress", { ...progress, pictures: pictures && (await Promise.all(pictures.map(rgbAddress))) });
  };
  try {
    const answer = await work({
      signal: gone.signal,
      onPlace: (job, place) => events.send("queued", { job, place }),
      onProgress: (progress) => {
        last = last.then(() => tellProgress(progress));
      },
    });
    await last;
    events.send("result", answer);
  } catch (error) {
    const { status, message } = failureOf(error);
    if (status >= 500) request.log.error(error);
    events.send("failed", { error: message, status });
  }
  await events.end();
  return undefined;
}

/** What is said of an error, and with which status. */
export function failureOf(error: unknown): { status: number; message: string } {
  const { message, statusCode, code } = error as Error & { statusCode?: number; code?: string };
  if (error instanceof Refused) return { status: error.statusCode, message };
  if (error instanceof QueueFull || error instanceof BudgetSpent) return { status: 503, message };
  if (error instanceof Cancelled) return { status: 499, message: "cancelled" };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return { status: statusCode, message };
  if (code === "ENOSPC" || code === "EDQUOT")
    return { status: 507, message: "the disk is full; free some space and try again" };
  if (code === "EACCES" || code === "EROFS")
    return { status: 500, message: `nothing can be written there: ${message}` };
  // What the engine says is for a person: a photo without a face, an identity of another encoder.
  return { status: 422, message };
}

/** Server-sent events on one response (WHATWG HTML, 9.2). */
class EventStream<Events extends object> {
  readonly #raw: ServerResponse;

  constructor(raw: ServerResponse, headers: ReturnType<FastifyReply["getHeaders"]>) {
    this.#raw = raw;
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" });
    raw.flushHeaders();
  }

  /** Whether what was sent before is on its way. */
  get ready(): boolean {
    return !this.#raw.writableNeedDrain && !this.#raw.destroyed;
  }

  send<Name extends keyof Events & string>(name: Name, data: Events[Name]): void {
    if (!this.#raw.destroyed) this.#raw.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async end(): Promise<void> {
    if (this.#raw.destroyed) return;
    this.#raw.end();
    await Promise.race([once(this.#raw, "finish"), once(this.#raw, "close")]);
  }
}
