// What a program must be able to say and ask of a GPU: wait for it, how much memory it holds, how exact it shall be.
#include "exports.h"
#include "napi_helpers.h"
#include <ATen/Context.h>
#include <c10/core/Device.h>
#include <torch/cuda.h>
#include <torch/version.h>
// Every allocator of a GPU answers the same questions from 2.9 on, without a header of CUDA.
#define OMNI_DEVICE_STATISTICS (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9))
#if OMNI_DEVICE_STATISTICS
#include <c10/core/CachingDeviceAllocator.h>
#endif

namespace omni {

static c10::Device deviceOf(napi_env env, napi_value v) {
  c10::Device device(toString(env, v));
  return device.is_cuda() && !device.has_index() ? c10::Device(c10::kCUDA, 0) : device;
}

static napi_value Synchronize(napi_env env, napi_callback_info info) {  // (device)
  OMNI_TRY
  Args<1> a(env, info);
  c10::Device device = deviceOf(env, a[0]);
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
  return nullptr;
  OMNI_CATCH(env)
}

static napi_value DeviceMemory(napi_env env, napi_callback_info info) {  // (device, reset the peak?) -> [now, peak, reserved, total] or null
  OMNI_TRY
  Args<2> a(env, info);
  c10::Device device = deviceOf(env, a[0]);
#if OMNI_DEVICE_STATISTICS
  if (device.is_cuda() && torch::cuda::is_available()) {
    auto* allocator = c10::getDeviceAllocator(c10::kCUDA);
    if (!allocator->initialized()) return makeNull(env);
    auto statistics = allocator->getDeviceStats(device.index());
    constexpr size_t all = 0;  // both pools, of small blocks and of large ones
    const double numbers[] = {double(statistics.allocated_bytes[all].current), double(statistics.allocated_bytes[all].peak),
                              double(statistics.reserved_bytes[all].current), double(allocator->getMemoryInfo(device.index()).second)};
    if (toBool(env, a[1])) allocator->resetPeakStats(device.index());
    napi_value list = makeArray(env, 4);
    for (uint32_t i = 0; i < 4; i++) napi_set_element(env, list, i, makeNumber(env, numbers[i]));
    return list;
  }
#endif
  return makeNull(env);
  OMNI_CATCH(env)
}

static napi_value EmptyCache(napi_env env, napi_callback_info) {
  OMNI_TRY
#if OMNI_DEVICE_STATISTICS
  if (torch::cuda::is_available() && c10::getDeviceAllocator(c10::kCUDA)->initialized()) c10::getDeviceAllocator(c10::kCUDA)->emptyCache();
#endif
  return nullptr;
  OMNI_CATCH(env)
}

static napi_value Exactness(napi_env env, napi_callback_info info) {  // (TensorFloat-32?, the same bits every time?)
  OMNI_TRY
  Args<2> a(env, info);
  bool tf32 = toBool(env, a[0]), deterministic = toBool(env, a[1]);
  auto& context = at::globalContext();
  context.setAllowTF32CuBLAS(tf32);
  context.setAllowTF32CuDNN(tf32);
  context.setDeterministicAlgorithms(deterministic, false);
  context.setDeterministicCuDNN(deterministic);
  context.setBenchmarkCuDNN(false);
  return nullptr;
  OMNI_CATCH(env)
}

// From 2.5 on LibTorch prefers cuDNN's attention on recent cards. On an H200 with 2.11 its backward pass wrote outside its
// memory (NaN gradients, then "illegal memory access", in five blocks of FLUX); the flash attention next in line did not.
// Others met it too: pytorch/pytorch#196678, NVIDIA/cudnn-frontend#160.
static void avoidCudnnAttention() {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5)
  at::globalContext().setSDPUseCuDNN(false);
#endif
}

void exportAccelerator(napi_env env, napi_value exports) {
  avoidCudnnAttention();
  const Export list[] = {{"synchronize", Synchronize}, {"deviceMemory", DeviceMemory}, {"emptyCache", EmptyCache}, {"exactness", Exactness}};
  exportAll(env, exports, list);
}

}  // namespace omni
