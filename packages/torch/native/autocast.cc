// Automatic mixed precision: while it is on, matrix products run in the given dtype (the dispatcher's Autocast keys).
#include "compat.h"
#include "convert.h"
#include "exports.h"
#include "rehearsal/rehearsal.h"

namespace omni {
// The meta device has no autocast, and nothing to cast: a GPU's switches stand in, which the processor does not heed.
static c10::DeviceType castingType(napi_env env, napi_value device) {
  auto type = rehearsal::deviceOf(toString(env, device)).type();
  return type == c10::kMeta ? c10::kCUDA : type;
}

static napi_value AutocastEnter(napi_env env, napi_callback_info info) {  // (device, enabled, dtype) -> [enabled, dtype] before
  OMNI_TRY
  Args<3> a(env, info);
  auto device = castingType(env, a[0]);
  napi_value before = makeArray(env, 2);
  napi_set_element(env, before, 0, makeBool(env, autocastIsOn(device)));
  napi_set_element(env, before, 1, makeString(env, dtypeName(autocastDtype(device))));
  bool on = toBool(env, a[1]);
  setAutocastDtype(device, toDType(env, a[2]));
  turnAutocast(device, on);
  at::autocast::increment_nesting();
  return before;
  OMNI_CATCH(env)
}

static napi_value AutocastState(napi_env env, napi_callback_info info) {  // (device) -> [enabled, dtype]
  OMNI_TRY
  Args<1> a(env, info);
  auto device = castingType(env, a[0]);
  napi_value state = makeArray(env, 2);
  napi_set_element(env, state, 0, makeBool(env, autocastIsOn(device)));
  napi_set_element(env, state, 1, makeString(env, dtypeName(autocastDtype(device))));
  return state;
  OMNI_CATCH(env)
}

// The cache of cast weights lives as long as the outermost autocast: a weight is cast once a step.
static napi_value AutocastLeave(napi_env env, napi_callback_info info) {  // (device, enabled, dtype): as returned by enter
  OMNI_TRY
  Args<3> a(env, info);
  auto device = castingType(env, a[0]);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  turnAutocast(device, toBool(env, a[1]));
  setAutocastDtype(device, toDType(env, a[2]));
  return nullptr;
  OMNI_CATCH(env)
}

void exportAutocast(napi_env env, napi_value exports) {
  const Export list[] = {{"autocastState", AutocastState}, {"autocastEnter", AutocastEnter}, {"autocastLeave", AutocastLeave}};
  exportAll(env, exports, list);
}

}  // namespace omni
