/** LibTorch for TypeScript: tensors, gradients, mixed precision, modules, optimisers, safetensors and ONNX. */
export { type DeviceMemory, deviceMemory, emptyDeviceCache, setExactness, synchronize } from "./accelerator.ts";
export { isStream, writeAtomically } from "./atomic-file.ts";
export { type AutocastOptions, autocast, preferredPrecision } from "./autocast.ts";
export { enableGrad, type GradOptions, grad, isGradEnabled, noGrad } from "./autograd.ts";
export { type BuildInfo, buildInfo } from "./build-info.ts";
export { checkpoint } from "./checkpoint.ts";
export { checkDevices, defaultDevice, onDevice, setDefaultDevice } from "./device.ts";
export { hasOperator } from "./dispatch.ts";
export * as distributed from "./distributed/index.ts";
export {
  type DType,
  elementSize,
  type HalfArray,
  isFloatingPoint,
  type MemoryFormat,
  type TypedArray,
} from "./dtype.ts";
export {
  arange,
  empty,
  eye,
  fromTypedArray,
  full,
  linspace,
  type Nested,
  ones,
  type RandomOptions,
  rand,
  randint,
  randn,
  randperm,
  type TensorOptions,
  tensor,
  zeros,
} from "./factories.ts";
export * as F from "./functional.ts";
export { embedding } from "./functional.ts";
export { cat, einsum, meshgrid, stack, where } from "./functions.ts";
export { Generator, manualSeed } from "./generator.ts";
export { hasDType } from "./has-dtype.ts";
export { mapTensorFile } from "./mapped-file.ts";
export * as nn from "./nn/index.ts";
export * from "./onnx/index.ts";
export { type OperatorArgument, type OperatorResult, op } from "./op.ts";
export * as optim from "./optim/index.ts";
export { type Moment, type Places, Rehearsal, rehearse } from "./rehearsal.ts";
export {
  getNumThreads,
  heapBytes,
  measureMemory,
  type ProfileRow,
  profile,
  setNumThreads,
  type Version,
  version,
} from "./runtime.ts";
export * from "./safetensors/index.ts";
export { Scope, scope } from "./scope.ts";
export { type Index, Tensor } from "./tensor.ts";
export { liveTensors } from "./tensor-handle.ts";
export type { NestedNumbers } from "./tensor-types.ts";
export { setUnscopedLimit, type UnscopedLimit } from "./unscoped.ts";
