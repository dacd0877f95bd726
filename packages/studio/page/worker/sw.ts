/**
 * Browser mode without a network: every file of the page and its models is kept when it first comes, and answered from
 * there. Nothing but `GET` of the page's own files passes: what is not there is refused, and nothing is ever sent.
 */
const worker = self as unknown as ServiceWorkerGlobalScope;

/** Filled in when the page is built, and when it is exported: which files make the page, and which build this is. */
const SHELL: readonly string[] = JSON.parse("SHELL") as string[];
const CACHE = "omni-id-VERSION";

/** With these a page may use threads; many hosts cannot send them. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

worker.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await cache.addAll([...SHELL, "studio.json"].map((file) => new Request(file, { cache: "reload" })));
      await worker.skipWaiting();
    })(),
  );
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys())
        if (name.startsWith("omni-id-") && name !== CACHE) await caches.delete(name);
      await worker.clients.claim();
    })(),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const own = new URL(request.url).origin === worker.location.origin;
  event.respondWith(own && request.method === "GET" ? answer(request) : Promise.resolve(Response.error()));
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const address = request.mode === "navigate" ? new URL("index.html", worker.registration.scope).href : request.url;
  const kept = await cache.match(address, { ignoreSearch: true });
  if (kept) return isolated(kept);
  const response = await fetch(request);
  if (response.ok && response.status === 200) await cache.put(address, response.clone());
  return isolated(response);
}

function isolated(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

export {};
