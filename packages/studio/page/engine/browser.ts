import type {
  AttentionAnswer,
  EncodeAnswer,
  GenerateAnswer,
  GenerateRequest,
  IdentityInfo,
  LandmarksAnswer,
  ReconstructAnswer,
} from "../../src/api.ts";
import { words } from "../words.ts";
import type { Engine, Models, Work } from "./engine.ts";
import { Kept } from "./kept.ts";
import type { FromWorker, NamedBytes, ToWorker, WorkerTask, WorkerTasks } from "./messages.ts";

/** How long a cancelled task may go on before its worker is ended, in milliseconds. */
const PATIENCE = 5000;
const RELOADED = "omni-id-reloaded";

/**
 * Opens browser mode: first the service worker, through which all files come and stay; then the engine.
 * @returns nothing where the page is loaded once more, with headers that allow threads
 */
export async function openInBrowser(): Promise<{ engine: Engine; offline: Promise<boolean> } | undefined> {
  const controlled = await serviceWorker();
  if (controlled && !crossOriginIsolated && !sessionStorage.getItem(RELOADED)) {
    sessionStorage.setItem(RELOADED, "yes");
    location.reload();
    return undefined;
  }
  const engine = new BrowserEngine();
  return { engine, offline: engine.complete.then(() => controlled) };
}

/** @returns whether the page's files now come through it; where there is none (no https), the page works all the same */
async function serviceWorker(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register("sw.js", { type: "module" });
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) {
      await new Promise((resolve) =>
        navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }),
      );
    }
    return true;
  } catch {
    return false;
  }
}

/** The engine that is the browser itself, in a worker. */
class BrowserEngine implements Engine {
  readonly kind = "browser";
  /** Done when every file is there that the page will ever need. */
  readonly complete: Promise<void>;
  readonly #kept = new Kept();
  #worker: Worker | undefined;
  /** Tasks that the worker has still to do: how each begins anew when the worker is ended. */
  readonly #running = new Map<number, () => void>();
  #number = 0;
  #told: () => void = () => {};

  constructor() {
    this.complete = new Promise((resolve) => {
      this.#told = resolve;
    });
  }

  async models(work?: Work): Promise<Models> {
    const models = await this.#run("models", {}, work);
    this.#told();
    return models;
  }

  async people(): Promise<IdentityInfo[]> {
    return this.#kept.list();
  }

  async encode(name: string, photos: readonly File[], work?: Work): Promise<EncodeAnswer> {
    const { bytes, ...answer } = await this.#run("encode", { photos: [...photos] }, work);
    return { identity: await this.#keep(name, bytes), ...answer };
  }

  async open(file: File): Promise<IdentityInfo> {
    return this.#keep(file.name.replace(/\.safetensors$/, ""), new Uint8Array(await file.arrayBuffer()));
  }

  async file(id: string): Promise<Blob> {
    return new Blob([this.#kept.bytes(id) as Uint8Array<ArrayBuffer>], { type: "application/octet-stream" });
  }

  async save(): Promise<IdentityInfo> {
    throw new Error(words.people.kept.browser);
  }

  async forget(id: string): Promise<void> {
    this.#kept.forget(id);
  }

  async compare(a: string, b: string): Promise<number> {
    return this.#run("compare", { a: this.#named(a), b: this.#named(b) });
  }

  async generate({ identities, ...request }: GenerateRequest, work?: Work): Promise<GenerateAnswer> {
    const named = identities.map(({ id, share }) => this.#named(id, share));
    const { pictures, unknownWords } = await this.#run("generate", { ...request, identities: named }, work);
    return { pictures: pictures.map((picture) => URL.createObjectURL(picture)), unknownWords };
  }

  async landmarks(photo: File, work?: Work): Promise<LandmarksAnswer> {
    return { landmarks: await this.#run("landmarks", { photo }, work) };
  }

  async reconstruct(photo: File, ids: readonly string[], seed: number, work?: Work): Promise<ReconstructAnswer> {
    return this.#run("reconstruct", { photo, seed, identities: ids.map((id) => this.#named(id)) }, work);
  }

  async attention(photos: readonly File[], work?: Work): Promise<AttentionAnswer> {
    return this.#run("attention", { photos: [...photos] }, work);
  }

  async #keep(name: string, bytes: Uint8Array): Promise<IdentityInfo> {
    return this.#kept.add(name, bytes, await this.#run("read", { name, bytes }));
  }

  #named(id: string, share = 1): NamedBytes {
    return { id, name: this.#kept.name(id), bytes: this.#kept.bytes(id), share };
  }

  #start(): Worker {
    this.#worker ??= new Worker(new URL("../worker/engine.ts", import.meta.url), { type: "module" });
    return this.#worker;
  }

  #run<Task extends WorkerTask>(
    task: Task,
    asked: WorkerTasks[Task]["asked"],
    { signal, onProgress }: Work = {},
  ): Promise<WorkerTasks[Task]["answer"]> {
    let worker: Worker;
    const number = ++this.#number;
    const post = (message: ToWorker) => worker.postMessage(message);
    let shown: string[] = [];
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const cancelled = () => new DOMException(words.draw.cancelled, "AbortError");
      const done = () => {
        clearTimeout(timer);
        this.#running.delete(number);
        worker.removeEventListener("message", onMessage);
        worker.removeEventListener("error", onError);
        signal?.removeEventListener("abort", cancel);
        for (const address of shown) URL.revokeObjectURL(address);
      };
      const onMessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.number !== number) return;
        if (data.kind === "progress") {
          const before = shown;
          shown = data.progress.pictures?.map((picture) => URL.createObjectURL(picture)) ?? shown;
          onProgress?.({ ...data.progress, pictures: shown.length > 0 ? shown : undefined });
          if (before !== shown) setTimeout(() => before.forEach(URL.revokeObjectURL), 500);
          return;
        }
        done();
        if (data.kind === "done") resolve(data.answer as WorkerTasks[Task]["answer"]);
        else reject(data.cancelled ? cancelled() : new Error(data.message));
      };
      const onError = () => {
        done();
        this.#end(worker);
        reject(new Error(words.errors.worker));
      };
      // Whoever asked goes on at once; the worker has until its next step.
      const cancel = () => {
        post({ kind: "cancel", number });
        reject(cancelled());
        this.#running.delete(number);
        timer = setTimeout(() => {
          done();
          this.#end(worker);
          for (const again of [...this.#running.values()]) again();
        }, PATIENCE);
      };
      const begin = () => {
        worker = this.#start();
        worker.addEventListener("message", onMessage);
        worker.addEventListener("error", onError);
        post({ kind: "start", number, task, asked });
      };
      if (signal?.aborted) return reject(cancelled());
      signal?.addEventListener("abort", cancel, { once: true });
      this.#running.set(number, begin);
      begin();
    });
  }

  /** Ends a worker that does not listen; the next task, and those that waited for it, get another one. */
  #end(worker: Worker): void {
    worker.terminate();
    if (this.#worker === worker) this.#worker = undefined;
  }
}
