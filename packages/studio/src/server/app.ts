import { existsSync, readFileSync } from "node:fs";
import fastifyStatic from "@fastify/static";
import swagger from "@fastify/swagger";
import type { FastifyPluginAsyncTypebox, TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import fastify, { type FastifyInstance } from "fastify";
import { openComparison, shippedWeights } from "omni-id";
import Type from "typebox";
import { About, Failure } from "../api.ts";
import type { TaskRunner } from "../engine/thread.ts";
import { builtPage } from "../page.ts";
import { failureOf } from "./answer.ts";
import { Budget } from "./budget.ts";
import { type GuardSettings, guard, Refused } from "./guard.ts";
import { PAGE_HEADERS } from "./headers.ts";
import { IdentityStore } from "./identities.ts";
import { JobQueue } from "./queue.ts";
import { diskRoutes } from "./routes-disk.ts";
import { identityRoutes } from "./routes-identities.ts";
import { pictureRoutes } from "./routes-pictures.ts";
import type { Places, Services } from "./services.ts";
import { acceptUploads, UPLOAD_LIMITS, type UploadLimits } from "./uploads.ts";

export interface AppSettings extends GuardSettings {
  /** Runs the tasks. */
  engine: TaskRunner;
  /** Folder of the weights; the shipped ones when absent. */
  weights?: string;
  /** Folder in which identities are saved; only memory when absent. */
  identities?: string;
  places: Places;
  limits?: Partial<UploadLimits>;
  /** Jobs that may wait. */
  waiting?: number;
  /** Bytes of uploads that may lie in memory at once. */
  memory?: number;
  /** Folder of the built page. */
  page?: string;
  /** Milliseconds within which a request must have come whole. */
  requestTimeout?: number;
}

const MEMORY = 600_000_000;
/** JSON bodies: a request to draw has 136 landmarks at most. */
const BODY = 100_000;
const REQUEST_TIMEOUT = 300_000;

/** The studio's server, not listening yet. */
export async function studioApp(settings: AppSettings): Promise<FastifyInstance> {
  const { engine, weights = shippedWeights(), places, page = builtPage() } = settings;
  const { requestTimeout = REQUEST_TIMEOUT } = settings;
  const limits = { ...UPLOAD_LIMITS, ...settings.limits };
  const app = fastify({
    bodyLimit: BODY,
    requestTimeout,
    connectionTimeout: 0,
    http: {
      requestTimeout,
      headersTimeout: Math.min(30_000, requestTimeout),
      connectionsCheckingInterval: Math.min(10_000, requestTimeout),
    },
    // What a request has beyond its schema is a slip of the pen, and not to be passed over.
    ajv: { customOptions: { removeAdditional: false } },
    routerOptions: { maxParamLength: 500 },
    forceCloseConnections: true,
  }).withTypeProvider<TypeBoxTypeProvider>();
  const queue = new JobQueue(engine, { most: settings.waiting });
  const services: Services = {
    store: new IdentityStore({ folder: settings.identities }),
    queue,
    budget: new Budget(settings.memory ?? MEMORY),
    limits,
    places,
    comparison: once(() => openComparison(weights)),
    models: once(() => queue.run("about", {})),
  };

  guard(app, settings);
  app.addHook("onRequest", async (_, reply) => {
    reply.headers(PAGE_HEADERS);
  });
  app.setErrorHandler((error, _, reply) => {
    const { status, message } = failureOf(error);
    if (status === 503) reply.header("retry-after", "10");
    return reply.code(status === 499 ? 400 : status).send({ error: message });
  });
  app.setNotFoundHandler((request) => {
    throw new Refused(404, `there is nothing at ${request.url.slice(0, 200)}`);
  });
  await acceptUploads(app, limits);
  await app.register(swagger, {
    openapi: {
      info: {
        title: "Omni-ID studio",
        version: version(),
        description: "Photos to identities, identities to pictures.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: settings.token === undefined ? [] : [{ token: [] }],
    },
  });
  await app.register(apiRoutes(services), { prefix: "/api" });
  app.get("/studio.json", { schema: { hide: true } }, async () => ({ engine: "server" }));
  if (existsSync(page)) {
    await app.register(fastifyStatic, { root: page, wildcard: true, dotfiles: "ignore", cacheControl: false });
  } else {
    app.get("/", { schema: { hide: true } }, async () => {
      throw new Refused(503, "the page is not built yet; run: npm run setup");
    });
  }
  return app;
}

const apiRoutes =
  (services: Services): FastifyPluginAsyncTypebox =>
  async (api) => {
    await api.register(identityRoutes(services));
    await api.register(pictureRoutes(services));
    await api.register(diskRoutes(services));
    api.get(
      "/about",
      { schema: { summary: "What this studio has", response: { 200: About, "4xx": Failure, "5xx": Failure } } },
      async () => {
        const { store, limits } = services;
        return { ...(await services.models()), version: version(), folder: store.folder ?? null, limits };
      },
    );
    api.delete(
      "/jobs/:job",
      { schema: { summary: "Cancel a job, waiting or at work", params: Type.Object({ job: Type.String() }) } },
      async ({ params: { job } }, reply) => {
        if (!services.queue.cancel(job)) throw new Refused(404, "no such job; it may be done");
        return reply.code(204).send(null);
      },
    );
    api.get("/openapi.json", { schema: { hide: true } }, async () => api.swagger());
  };

export function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Calls once and keeps the answer; a failure is not kept. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
