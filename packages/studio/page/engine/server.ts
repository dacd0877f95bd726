import type {
  About,
  AttentionAnswer,
  EncodeAnswer,
  GenerateAnswer,
  GenerateRequest,
  IdentityInfo,
  JobEvents,
  LandmarksAnswer,
  ReconstructAnswer,
} from "../../src/api.ts";
import { words } from "../words.ts";
import type { Disk, Engine, Models, Work } from "./engine.ts";
import { serverEvents } from "./events.ts";

/** The engine that is a server of `omni-id studio`. */
export class ServerEngine implements Engine {
  readonly kind = "server";
  readonly disk: Disk;
  readonly #token: string | undefined;

  /** @param token what the server asks for, if it does */
  constructor(token?: string) {
    this.#token = token;
    const json = <T>(path: string, query?: Record<string, string | number>) => this.#json<T>(`${path}${search(query)}`);
    const picture = async (path: string, query: Record<string, string | number>) =>
      URL.createObjectURL(await (await this.#call(`${path}${search(query)}`)).blob());
    this.disk = {
      runs: () => json("runs"),
      curves: (run) => json("runs/curves", { run }),
      sets: () => json("sets"),
      setPeople: (set, from, count) => json("sets/people", { set, from, count }),
      results: () => json("results"),
      resultJson: (name) => json("results/file", { name }),
      runPicture: (run, file) => picture("runs/picture", { run, file }),
      setPicture: (set, id, index) => picture("sets/picture", { set, id, index }),
      resultPicture: (name) => picture("results/file", { name }),
    };
  }

  async models(): Promise<Models> {
    const { limits, ...about } = await this.#json<About>("about");
    return { ...about, mostPhotos: limits.photos };
  }
  people(): Promise<IdentityInfo[]> {
    return this.#json("identities");
  }
  encode(name: string, photos: readonly File[], work?: Work): Promise<EncodeAnswer> {
    return this.#job("identities", form(photos, { name }), work);
  }
  async open(file: File): Promise<IdentityInfo> {
    return (await this.#json<EncodeAnswer>("identities", { method: "POST", body: form([file]) })).identity;
  }
  async file(id: string): Promise<Blob> {
    return (await this.#call(`identities/${id}/file`)).blob();
  }
  save(id: string): Promise<IdentityInfo> {
    return this.#json(`identities/${id}/saved`, { method: "PUT" });
  }
  async forget(id: string): Promise<void> {
    await this.#call(`identities/${id}`, { method: "DELETE" });
  }
  async compare(a: string, b: string): Promise<number> {
    return (await this.#json<{ similarity: number }>("compare", { method: "POST", ...jsonBody({ a, b }) })).similarity;
  }
  generate(request: GenerateRequest, work?: Work): Promise<GenerateAnswer> {
    return this.#job("generate", request, work);
  }
  landmarks(photo: File, work?: Work): Promise<LandmarksAnswer> {
    return this.#job("landmarks", form([photo]), work);
  }
  reconstruct(photo: File, ids: readonly string[], seed: number, work?: Work): Promise<ReconstructAnswer> {
    return this.#job("reconstruct", form([photo], { identities: ids.join(","), seed: String(seed) }), work);
  }
  attention(photos: readonly File[], work?: Work): Promise<AttentionAnswer> {
    return this.#job("attention", form(photos), work);
  }

  /** A request that takes a while: hanging up cancels it. */
  async #job<Answer>(path: string, body: object, { signal, onProgress }: Work = {}): Promise<Answer> {
    const sent = body instanceof FormData ? { body } : jsonBody(body);
    const headers = { ...("headers" in sent ? sent.headers : {}), accept: "text/event-stream" };
    const response = await this.#call(path, { method: "POST", ...sent, headers, signal });
    if (!response.body) throw new Error(words.errors.gone);
    type Events = JobEvents<Answer>;
    for await (const { event, data } of serverEvents(response.body)) {
      if (event === "queued") onProgress?.({ what: "queue", done: 0, total: (data as Events["queued"]).place });
      else if (event === "progress") onProgress?.({ what: "work", ...(data as Events["progress"]) });
      else if (event === "result") return data as Answer;
      else if (event === "failed") throw failure(data as Events["failed"]);
    }
    throw signal?.aborted ? signal.reason : new Error(words.errors.gone);
  }

  async #json<T>(path: string, init?: RequestInit): Promise<T> {
    return (await this.#call(path, init)).json() as Promise<T>;
  }

  async #call(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#token !== undefined) headers.set("authorization", `Bearer ${this.#token}`);
    let response: Response;
    try {
      response = await fetch(`api/${path}`, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Error(words.errors.gone);
    }
    if (response.ok) return response;
    const { error = response.statusText } = (await response.json().catch(() => ({}))) as { error?: string };
    throw failure({ error, status: response.status });
  }
}

const failure = ({ error, status }: { error: string; status: number }) =>
  status === 499 ? new DOMException(error, "AbortError") : new Error(error);

const jsonBody = (body: object) => ({ body: JSON.stringify(body), headers: { "content-type": "application/json" } });

function form(photos: readonly File[], fields: Readonly<Record<string, string>> = {}): FormData {
  const made = new FormData();
  // Fields first: the server knows them when the photos come.
  for (const [name, value] of Object.entries(fields)) made.set(name, value);
  for (const photo of photos) made.append("photos", photo, photo.name);
  return made;
}

function search(query: Readonly<Record<string, string | number>> = {}): string {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}
