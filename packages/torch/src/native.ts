import { loadAddon } from "./addon.ts";
import type { DType } from "./dtype.ts";
import { setProcessEnvironment } from "./environment.ts";

/** A tensor as the addon knows it: generation and slot in one number. 0 is never valid. */
export type Handle = number;
/** An opaque random number generator of the addon. */
export type NativeGenerator = { readonly __generator: unique symbol };

/** What operators need of a generator. */
export interface GeneratorHandle {
  /** @internal */
  readonly native: NativeGenerator;
}

/** An opaque process group of the addon, a store that a launcher holds, and buckets of gradients. */
export type NativeGroup = { readonly __group: unique symbol };
export type NativeStoreServer = { readonly __store: unique symbol };
export type NativeBuckets = { readonly __buckets: unique symbol };

/** How a process group is opened; see `native/distributed/group.h`. Times in milliseconds. */
export interface NativeGroupSettings {
  readonly backend: string;
  readonly address: string;
  readonly device: string;
  readonly file?: string;
  readonly host?: string;
  readonly port?: number;
  readonly serves?: 0 | 1;
  readonly prefix: string;
  readonly rank: number;
  readonly size: number;
  readonly timeout: number;
  readonly joining: number;
  readonly grace: number;
}

export interface NativeOperator {
  readonly id: number;
  /** One letter an argument: t tensor, T tensors, O optional tensors, i int, f float, b bool, n number, s string, … */
  readonly argumentKinds: string;
  readonly resultKinds: string;
  readonly inPlace: boolean;
}

export interface NativeInfo {
  readonly dtype: DType;
  readonly device: string;
  readonly requiresGrad: boolean;
  readonly isLeaf: boolean;
  readonly isContiguous: boolean;
}

/** What `native/` exports. One line a function; the C++ file of the same concern documents the rest. */
export interface Native {
  // dispatch
  lookup(name: string, overload: string): NativeOperator | null;
  call(id: number, ...args: unknown[]): unknown;
  schemas(): string[];
  checkDevices(device: string | null): void;
  // tensor table
  release(tensor: Handle): void;
  watch(tensor: Handle, owner: object, kept: boolean, mostTensors: number, mostBytes: number): boolean;
  sweep(): [tensors: number, bytes: number];
  isLive(tensor: Handle): boolean;
  pin(tensor: Handle): void;
  scopeBegin(): void;
  scopeEnd(returned: Handle[]): void;
  liveTensors(): number;
  // autograd
  backward(
    outputs: Handle[],
    gradOutputs: (Handle | null)[] | null,
    retainGraph: boolean,
    createGraph: boolean,
    apart?: boolean,
  ): void;
  gradOf(
    outputs: Handle[],
    inputs: Handle[],
    gradOutputs: (Handle | null)[] | null,
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  getGrad(tensor: Handle): Handle | null;
  setGrad(tensor: Handle, gradient: Handle | null): void;
  setRequiresGrad(tensor: Handle, on: boolean): void;
  gradEnabled(on?: boolean): boolean;
  // checkpoint
  checkpoint(inputs: Handle[], run: () => void): Handle[];
  checkpointInputs(): Handle[];
  checkpointOutputs(outputs: Handle[]): void;
  // autocast
  autocastState(device: string): [boolean, DType];
  autocastEnter(device: string, enabled: boolean, dtype: DType): [boolean, DType];
  autocastLeave(device: string, enabled: boolean, dtype: DType): void;
  // storage
  fromBuffer(data: ArrayBufferView | ArrayBuffer, shape: readonly number[], dtype: DType, copy: boolean): Handle;
  toBuffer(tensor: Handle): ArrayBuffer;
  read(tensor: Handle): ArrayBuffer;
  mapFile(path: string, byteOffset: number, dtype: DType, shape: readonly number[]): Handle;
  shape(tensor: Handle): number[];
  info(tensor: Handle): NativeInfo;
  requiresGrad(tensor: Handle): boolean;
  item(tensor: Handle): number;
  scalarTensor(value: number): Handle;
  // generator
  newGenerator(seed: number | bigint, device: string): NativeGenerator;
  seedGenerator(generator: NativeGenerator, seed: number | bigint): void;
  generatorState(generator: NativeGenerator): Handle;
  setGeneratorState(generator: NativeGenerator, state: Handle): void;
  manualSeed(seed: number | bigint): void;
  // distributed: absent, but for the first, where LibTorch has no c10d
  distributed(): string[];
  openGroup(settings: NativeGroupSettings): Promise<NativeGroup>;
  runCollective(
    group: NativeGroup,
    kind: number,
    inputs: Handle[],
    outputs: Handle[],
    operand: number,
    what: string,
    timeout: number,
    wait: boolean,
  ): Promise<void> | undefined;
  closeGroup(group: NativeGroup): void;
  serveStore(host: string, port: number): [NativeStoreServer, number];
  newBuckets(group: NativeGroup, parameters: Handle[], bytes: number): NativeBuckets;
  enableBuckets(buckets: NativeBuckets, on: boolean): void;
  closeBuckets(buckets: NativeBuckets): void;
  bucketStatistics(buckets: NativeBuckets): {
    buckets: number;
    bytes: number;
    passes: number;
    repeated: number;
    reducing: number;
    waiting: number;
  };
  // accelerator
  synchronize(device: string): void;
  deviceMemory(device: string, reset: boolean): [number, number, number, number] | null;
  emptyCache(): void;
  exactness(tensorFloat32: boolean, deterministic: boolean): void;
  // runtime
  profileStart(): void;
  profileStop(): [string, number, number][];
  memoryStart(): void;
  memoryStop(): [held: number, peak: number];
  // rehearsal
  rehearsalStart(device: string): void;
  rehearsalStop(): void;
  rehearsalCounts(): [moment: number, flops: number, calls: number];
  rehearsalAllocations(): ArrayBuffer;
  rehearsalPlaces(tensors: Handle[]): number[];
  threads(n?: number): number;
  simdLevels(use?: string): string[];
  heapBytes(): number;
  version(): { libtorch: string; cuda: boolean; mkldnn: boolean; mkl: boolean; blas: string };
}

/**
 * OpenMP's threads wait for work by spinning, and so keep the cores from the BLAS library's own threads: float32
 * training steps took twice as long. Read when the OpenMP library is loaded, thus set before the addon.
 */
function limitSpinning(): void {
  const { OMP_WAIT_POLICY, GOMP_SPINCOUNT = "1000" } = process.env;
  if (OMP_WAIT_POLICY === undefined) setProcessEnvironment("GOMP_SPINCOUNT", GOMP_SPINCOUNT);
}

let loaded = false;

/** Loads the addon, and LibTorch with it, and puts what it exports where it is called from then on. */
function load(): Native {
  limitSpinning();
  Object.assign(native, loadAddon("torch_native"));
  loaded = true;
  return native;
}

/**
 * The addon, loaded when the first of its functions is called: loading LibTorch takes half a second of processor time,
 * and much that imports this package (to compare two identity files, to list models) never makes a tensor.
 * @throws at that first call, when the addon is missing and cannot be built, or does not load
 */
export const native: Native = Object.create(
  new Proxy({}, { get: (_, name) => (loaded ? undefined : Reflect.get(load(), name)) }),
);
