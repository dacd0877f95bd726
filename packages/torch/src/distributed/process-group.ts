import { handles } from "../dispatch.ts";
import { empty } from "../factories.ts";
import { type Handle, type NativeGroup, native } from "../native.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { ownAddress, type Rendezvous, rendezvousOf } from "./environment.ts";

/** c10d's numbers. */
const REDUCTIONS = { sum: 0, mean: 1, product: 2, min: 3, max: 4 } as const;
const KINDS = { allReduce: 0, broadcast: 1, allGather: 2, reduceScatter: 3, barrier: 4 } as const;

export type Reduction = keyof typeof REDUCTIONS;
export type Backend = "gloo" | "nccl";

/** What every collective can be told. */
export interface CollectiveOptions {
  /** What these tensors are, for the message when a rank fails. */
  what?: string;
  /** Seconds until the other ranks have to be done; the group's own when left out. */
  timeout?: number;
}
export interface ReduceOptions extends CollectiveOptions {
  reduction?: Reduction;
}

export interface InitOptions {
  /** Default: nccl for a CUDA device where this addon has it, else gloo. */
  backend?: Backend;
  rank?: number;
  worldSize?: number;
  localRank?: number;
  /** Where the ranks meet: a file that does not exist yet, on a disk all of them see, or rank 0's address. */
  store?: { file: string } | { host: string; port: number; serves?: boolean };
  /** Seconds that a collective may take. Default 600. */
  timeout?: number;
  /** Seconds to wait for all ranks at the start. Default 600. */
  joining?: number;
  /** Seconds in which a rank has to answer the roll call after a failure. Default 4. */
  grace?: number;
  /** The address of this machine for the other ranks; GLOO_SOCKET_IFNAME chooses an interface instead. */
  address?: string;
  /** Where the collectives' own small tensors lie: "cpu", or "cuda:0" for NCCL. */
  device?: string;
}

/** Which backends this addon was built with; empty where LibTorch has no c10d. */
export function backends(): Backend[] {
  return native.distributed() as Backend[];
}

/**
 * Opens the group of all processes, from the environment ({@link rendezvousOf}) or from options that win over it.
 * The promise is fulfilled when all ranks are there.
 *
 * @throws when a rank does not come (says which), two have one rank, the store cannot be reached, or this addon was
 *   built without c10d (says what to install)
 */
export async function init(options: InitOptions = {}): Promise<ProcessGroup> {
  const built = backends();
  if (built.length === 0) {
    throw new Error(
      `this LibTorch (${native.version().libtorch}) came without the headers of c10d, so the addon knows no process groups: ` +
        "install a LibTorch that has torch/csrc/distributed (Debian's libtorch-dev, or pip's torch), then run `npm run build:native -w packages/torch`",
    );
  }
  const found: Partial<Rendezvous> = options.store && options.rank !== undefined ? {} : (rendezvousOf() ?? {});
  const {
    rank = found.rank,
    worldSize = found.worldSize,
    localRank = found.localRank ?? 0,
    store = found.store,
  } = options;
  if (rank === undefined || worldSize === undefined || store === undefined) {
    throw new Error(
      "init() needs to know where the processes meet: start them by torchrun, srun or `--processes`, which set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, or give rank, worldSize and store",
    );
  }
  if (!Number.isInteger(rank) || !Number.isInteger(worldSize) || rank < 0 || rank >= worldSize)
    throw new Error(`init(): rank ${rank} of ${worldSize}; expected whole numbers, 0 ≤ rank < worldSize`);
  const { timeout = 600, joining = 600, grace = 4, device = "cpu" } = options;
  const backend = options.backend ?? (device.startsWith("cuda") && built.includes("nccl") ? "nccl" : "gloo");
  const place =
    "file" in store
      ? { file: store.file }
      : { host: store.host, port: store.port, serves: (store.serves ?? rank === 0) ? (1 as const) : (0 as const) };
  const address = options.address ?? ("file" in store ? "127.0.0.1" : await ownAddress(store.host, store.port || 1));
  const milliseconds = (seconds: number) => Math.max(1, Math.round(seconds * 1000));
  const opening = native.openGroup({
    ...place,
    backend,
    address,
    device,
    prefix: `omni-id/${found.attempt ?? "0"}`,
    rank,
    size: worldSize,
    timeout: milliseconds(timeout),
    joining: milliseconds(joining),
    grace: milliseconds(grace),
  });
  const opened = await within(joining + 20, opening, "host" in store ? `${store.host}:${store.port}` : store.file);
  return new ProcessGroup(opened, { rank, worldSize, localRank, backend, device });
}

/** A store of another LibTorch takes the connection and understands nothing: no time limit of c10d's own ends that. */
async function within<T>(seconds: number, work: Promise<T>, where: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const text = `the store at ${where} answered nothing for ${seconds} s; is it one of the same LibTorch (${native.version().libtorch})? torchrun's own is not unless its PyTorch is: start it with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 and --standalone or --rdzv-backend=c10d`;
    timer = setTimeout(() => reject(new Error(text)), seconds * 1000);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Processes that compute together, by PyTorch's c10d. Every rank has to call the same collectives in the same order;
 * ranks that bring different shapes or call different collectives get an exact error, and can go on. A rank that leaves
 * or stands still ends the group: the error names it, and every later call throws it again.
 *
 * Each collective has a form that promises and, with `Sync`, one that waits.
 */
export class ProcessGroup {
  readonly rank: number;
  readonly worldSize: number;
  readonly localRank: number;
  readonly backend: Backend;
  /** Where tensors lie that the group itself makes. */
  readonly device: string;
  /** @internal */
  readonly native: NativeGroup;

  /** @internal */
  constructor(
    group: NativeGroup,
    {
      rank,
      worldSize,
      localRank,
      backend,
      device,
    }: Pick<ProcessGroup, "rank" | "worldSize" | "localRank" | "backend" | "device">,
  ) {
    this.native = group;
    this.rank = rank;
    this.worldSize = worldSize;
    this.localRank = localRank;
    this.backend = backend;
    this.device = device;
  }

  /** Puts the sum (or another reduction) of all ranks' tensors into every rank's, in place. */
  async allReduce(tensor: Tensor, options: ReduceOptions = {}): Promise<Tensor> {
    await this.#start({ kind: "allReduce", inputs: [tensor], outputs: [], operand: reduction(options) }, options);
    return tensor;
  }
  allReduceSync(tensor: Tensor, options: ReduceOptions = {}): Tensor {
    this.#wait({ kind: "allReduce", inputs: [tensor], outputs: [], operand: reduction(options) }, options);
    return tensor;
  }

  /** Puts the tensor of rank `from` (0 when left out) into every rank's, in place. */
  async broadcast(tensor: Tensor, options: CollectiveOptions & { from?: number } = {}): Promise<Tensor> {
    await this.#start({ kind: "broadcast", inputs: [tensor], outputs: [], operand: this.#source(options) }, options);
    return tensor;
  }
  broadcastSync(tensor: Tensor, options: CollectiveOptions & { from?: number } = {}): Tensor {
    this.#wait({ kind: "broadcast", inputs: [tensor], outputs: [], operand: this.#source(options) }, options);
    return tensor;
  }

  /** The tensors of all ranks, in their order; all of one shape. */
  async allGather(tensor: Tensor, options: CollectiveOptions = {}): Promise<Tensor[]> {
    const all = this.#emptyLike(tensor);
    await this.#start({ kind: "allGather", inputs: [tensor.contiguous()], outputs: all, operand: 0 }, options);
    return all;
  }
  allGatherSync(tensor: Tensor, options: CollectiveOptions = {}): Tensor[] {
    const all = this.#emptyLike(tensor);
    this.#wait({ kind: "allGather", inputs: [tensor.contiguous()], outputs: all, operand: 0 }, options);
    return all;
  }

  /** Reduces `tensor` `[worldSize · n, …]` over the ranks and gives each rank its own `[n, …]`. */
  async reduceScatter(tensor: Tensor, options: ReduceOptions = {}): Promise<Tensor> {
    const own = this.#share(tensor);
    await this.#start(
      { kind: "reduceScatter", inputs: [tensor], outputs: [own], operand: reduction(options) },
      options,
    );
    return own;
  }

  /** Fulfilled when every rank has come here. */
  async barrier(options: CollectiveOptions = {}): Promise<void> {
    await this.#start({ kind: "barrier", inputs: [], outputs: [], operand: 0 }, { what: "barrier", ...options });
  }

  /** Ends the group in good order: waits for the others, who have to do the same. */
  async close(): Promise<void> {
    try {
      await this.barrier({ what: "closing" });
    } finally {
      this.abandon();
    }
  }

  /** Ends the group without a word to the others. */
  abandon(): void {
    native.closeGroup(this.native);
  }

  #start(collective: Collective, options: CollectiveOptions): Promise<void> {
    return native.runCollective(this.native, ...argumentsOf(collective, options), false) as Promise<void>;
  }
  #wait(collective: Collective, options: CollectiveOptions): void {
    void native.runCollective(this.native, ...argumentsOf(collective, options), true);
  }

  #source({ from = 0 }: { from?: number }): number {
    if (!Number.isInteger(from) || from < 0 || from >= this.worldSize)
      throw new Error(`broadcast from rank ${from}: expected 0 to ${this.worldSize - 1}`);
    return from;
  }

  #emptyLike(tensor: Tensor): Tensor[] {
    const { dtype, device, shape } = tensor;
    return Array.from({ length: this.worldSize }, () => empty([...shape], { dtype, device }));
  }

  #share(tensor: Tensor): Tensor {
    const [rows, ...rest] = tensor.shape;
    if (rows === undefined || rows % this.worldSize !== 0)
      throw new Error(
        `reduceScatter of [${tensor.shape}]: the first dimension must divide by the ${this.worldSize} ranks`,
      );
    return empty([rows / this.worldSize, ...rest], { dtype: tensor.dtype, device: tensor.device });
  }

  /** Texts of all ranks, in their order. @internal */
  gatherTextSync(text: string, what: string): string[] {
    const bytes = new TextEncoder().encode(text);
    return scope(() => {
      const length = empty([1], { dtype: "int64", device: this.device }).fill_(bytes.length);
      const longest = this.allReduceSync(length, { reduction: "max", what }).item();
      const padded = new Uint8Array(longest + 8);
      new DataView(padded.buffer).setFloat64(0, bytes.length);
      padded.set(bytes, 8);
      const sent = fromBytes(padded, this.device);
      return this.allGatherSync(sent, { what }).map((tensor) => {
        const got = tensor.to("cpu").toTypedArray() as Uint8Array;
        const count = new DataView(got.buffer, got.byteOffset).getFloat64(0);
        return new TextDecoder().decode(got.subarray(8, 8 + count));
      });
    });
  }
}

interface Collective {
  kind: keyof typeof KINDS;
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
  /** The reduction, or the rank that broadcasts. */
  operand: number;
}

/** What the addon is called with, after the group. @throws when a tensor that is changed in place is a strided view */
function argumentsOf(
  { kind, inputs, outputs, operand }: Collective,
  { what = "unnamed", timeout = 0 }: CollectiveOptions,
): [number, Handle[], Handle[], number, string, number] {
  const strided = inputs.find((tensor) => !tensor.isContiguous);
  if (strided)
    throw new Error(
      `${kind} of a strided view [${strided.shape}] (${what}): it works in place and needs contiguous memory; call contiguous() first`,
    );
  return [KINDS[kind], handles(inputs), handles(outputs), operand, what, Math.round(timeout * 1000)];
}

function reduction({ reduction: name = "sum" }: ReduceOptions): number {
  const number = REDUCTIONS[name];
  if (number === undefined) throw new Error(`no reduction "${name}"; there are ${Object.keys(REDUCTIONS).join(", ")}`);
  return number;
}

function fromBytes(bytes: Uint8Array, device: string): Tensor {
  const tensor = empty([bytes.length], { dtype: "uint8" });
  (tensor.data() as Uint8Array).set(bytes);
  return tensor.to(device);
}
