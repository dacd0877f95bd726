// How much memory tensors took: what LibTorch's allocators report on this thread, the CPU's and those of cards.
#include "exports.h"
#include "napi_helpers.h"
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <algorithm>
#include <unordered_set>

namespace omni {
namespace {

struct Meter final : c10::MemoryReportingInfoBase {
  int64_t held = 0, peak = 0;
  std::unordered_set<void*> blocks;  // what was there before, and goes meanwhile, is none of ours
  void note(void* block, int64_t bytes) {
    if (bytes > 0) blocks.insert(block);
    else if (blocks.erase(block) == 0) return;
    held += bytes;
    peak = std::max(peak, held);
  }
  // The totals' type differs from version to version; this is whichever the base asks for.
  void reportMemoryUsage(void* block, int64_t bytes, int64_t, int64_t, c10::Device) { note(block, bytes); }
  void reportMemoryUsage(void* block, int64_t bytes, size_t, size_t, c10::Device) { note(block, bytes); }
  bool memoryProfilingEnabled() const override { return true; }
};

thread_local std::shared_ptr<Meter> meter;

napi_value Start(napi_env env, napi_callback_info) {
  OMNI_TRY
  if (meter) fail("memory is being measured already");
  meter = std::make_shared<Meter>();
  c10::ThreadLocalDebugInfo::_push(c10::DebugInfoKind::PROFILER_STATE, meter);
  return nullptr;
  OMNI_CATCH(env)
}
napi_value Stop(napi_env env, napi_callback_info) {  // -> [bytes held, most that were held]
  OMNI_TRY
  if (!meter) fail("memory is not being measured");
  c10::ThreadLocalDebugInfo::_pop(c10::DebugInfoKind::PROFILER_STATE);
  napi_value pair = makeArray(env, 2);
  napi_set_element(env, pair, 0, makeNumber(env, double(meter->held)));
  napi_set_element(env, pair, 1, makeNumber(env, double(meter->peak)));
  meter = nullptr;
  return pair;
  OMNI_CATCH(env)
}

}  // namespace

void exportMemory(napi_env env, napi_value exports) {
  const Export list[] = {{"memoryStart", Start}, {"memoryStop", Stop}};
  exportAll(env, exports, list);
}

}  // namespace omni
