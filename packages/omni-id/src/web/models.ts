import type { Network } from "@omni-id/face/plain";
import { unsortBytes } from "./byte-planes.ts";
import { MODEL_NAMES, type ModelName, parseManifest, type WebManifest } from "./manifest.ts";
import type { OrtRuntime, OrtSession, OrtTensor, StudioOptions } from "./types.ts";

/** Values for a run, and from it. */
export interface Values {
  data: Float32Array | BigInt64Array;
  dims: readonly number[];
}

/** The models of an export, fetched, checked and opened when they are first needed. */
export class Models {
  readonly manifest: WebManifest;
  readonly #options: StudioOptions;
  readonly #sessions = new Map<ModelName, Promise<OrtSession>>();
  #arrived = 0;
  /** ONNX Runtime for the web runs one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(manifest: WebManifest, options: StudioOptions) {
    this.manifest = manifest;
    this.#options = options;
  }

  /** @throws when the manifest is missing, or of another version than this program */
  static async open(options: StudioOptions): Promise<Models> {
    return new Models(parseManifest(await options.fetchModel("manifest.json")), options);
  }

  get bytes(): number {
    return MODEL_NAMES.reduce((sum, name) => sum + this.manifest.files[name].bytes, 0);
  }

  /** Runs a model. @returns the outputs that were asked for, in that order; all of them, in the model's own order, when none were */
  async run(
    name: ModelName,
    feeds: Readonly<Record<string, Values>>,
    outputs?: readonly string[],
  ): Promise<Float32Array[]> {
    const session = await this.#session(name);
    const { Tensor }: { Tensor: OrtRuntime["Tensor"] } = this.#options.ort;
    const tensors = Object.entries(feeds).map(([key, { data, dims }]): [string, OrtTensor] => [
      key,
      new Tensor(data instanceof Float32Array ? "float32" : "int64", data, dims),
    ]);
    const wanted = outputs ?? session.outputNames;
    const results = await this.#inTurn(() => session.run(Object.fromEntries(tensors), wanted));
    return wanted.map((key) => results[key].data as Float32Array);
  }

  /** A model of one input, as face analysis wants it. @param outputs those that are wanted; all when absent */
  network(name: ModelName, outputs?: readonly string[]): Network {
    return {
      run: async (data, dims) => {
        const [input] = (await this.#session(name)).inputNames;
        return this.run(name, { [input]: { data, dims } }, outputs);
      },
    };
  }

  async open(names: readonly ModelName[]): Promise<void> {
    // All of them have ended before one is told of: whoever tries again starts afresh.
    const opened = await Promise.allSettled(names.map((name) => this.#session(name)));
    const failed = opened.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
  }

  async close(): Promise<void> {
    const open = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of await Promise.allSettled(open)) {
      if (session.status === "fulfilled") await this.#inTurn(async () => session.value.release?.());
    }
  }

  #session(name: ModelName): Promise<OrtSession> {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const opened = this.#openSession(name);
    this.#sessions.set(name, opened);
    // What failed may be tried again: the network may be back.
    opened.catch(() => this.#sessions.delete(name));
    return opened;
  }

  async #openSession(name: ModelName): Promise<OrtSession> {
    const { ort, session } = this.#options;
    const model = await this.#fetch(name);
    return this.#inTurn(() => ort.InferenceSession.create(model, { logSeverityLevel: 3, ...session }));
  }

  async #fetch(name: ModelName): Promise<Uint8Array> {
    const { file, bytes, sha256, planes } = this.manifest.files[name];
    const stored = await this.#options.fetchModel(file);
    if (stored.length !== bytes || ((await digest(stored)) ?? sha256) !== sha256) {
      throw new Error(
        `${file}: ${stored.length} bytes that are not those of the export (${bytes}); load the page again`,
      );
    }
    this.#arrived += bytes;
    this.#options.onDownload?.({ file, done: this.#arrived, total: this.bytes });
    return unsortBytes(await inflate(stored), planes);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** SHA-256 in hexadecimal; `undefined` where the page is not secure, and the browser has none. */
async function digest(bytes: Uint8Array): Promise<string | undefined> {
  const { subtle }: { subtle?: typeof globalThis.crypto.subtle } = globalThis.crypto;
  if (!subtle) return undefined;
  const hash = new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream as unknown as ReadableStream).arrayBuffer());
}
