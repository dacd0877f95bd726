// Automatic mixed precision: while it is on, matrix products run in the given dtype (the dispatcher's Autocast keys).
#include "convert.h"
#include "exports.h"
#include "torch_version.h"
#include <ATen/autocast_mode.h>

namespace omni {
namespace autocast = at::autocast;

#if OMNI_TORCH_AT_LEAST(2, 4)
static bool isOn(c10::DeviceType d) { return autocast::is_autocast_enabled(d); }
static void turn(c10::DeviceType d, bool on) { autocast::set_autocast_enabled(d, on); }
static at::ScalarType dtypeOf(c10::DeviceType d) { return autocast::get_autocast_dtype(d); }
static void setDtype(c10::DeviceType d, at::ScalarType t) { autocast::set_autocast_dtype(d, t); }
#else
static bool isOn(c10::DeviceType d) { return d == c10::kCPU ? autocast::is_cpu_enabled() : autocast::is_enabled(); }
static void turn(c10::DeviceType d, bool on) { d == c10::kCPU ? autocast::set_cpu_enabled(on) : autocast::set_enabled(on); }
static at::ScalarType dtypeOf(c10::DeviceType d) {
  return d == c10::kCPU ? autocast::get_autocast_cpu_dtype() : autocast::get_autocast_gpu_dtype();
}
static void setDtype(c10::DeviceType d, at::ScalarType t) {
  d == c10::kCPU ? autocast::set_autocast_cpu_dtype(t) : autocast::set_autocast_gpu_dtype(t);
}
#endif

static napi_value AutocastEnter(napi_env env, napi_callback_info info) {  // (device, enabled, dtype) -> [enabled, dtype] before
  OMNI_TRY
  Args<3> a(env, info);
  auto device = c10::Device(toString(env, a[0])).type();
  napi_value before = makeArray(env, 2);
  napi_set_element(env, before, 0, makeBool(env, isOn(device)));
  napi_set_element(env, before, 1, makeString(env, dtypeName(dtypeOf(device))));
  bool on = toBool(env, a[1]);
  setDtype(device, toDType(env, a[2]));
  turn(device, on);
  autocast::increment_nesting();
  return before;
  OMNI_CATCH(env)
}

// The cache of cast weights lives as long as the outermost autocast: a weight is cast once a step.
static napi_value AutocastLeave(napi_env env, napi_callback_info info) {  // (device, enabled, dtype): as returned by enter
  OMNI_TRY
  Args<3> a(env, info);
  auto device = c10::Device(toString(env, a[0])).type();
  if (autocast::decrement_nesting() == 0) autocast::clear_cache();
  turn(device, toBool(env, a[1]));
  setDtype(device, toDType(env, a[2]));
  return nullptr;
  OMNI_CATCH(env)
}

void exportAutocast(napi_env env, napi_value exports) {
  const Export list[] = {{"autocastEnter", AutocastEnter}, {"autocastLeave", AutocastLeave}};
  exportAll(env, exports, list);
}

}  // namespace omni
