// Random number generators: own ones (an external, collected with its JavaScript object) and the default ones.
#include "generator.h"
#include "tensor_table.h"
#include <ATen/Context.h>

namespace omni {

at::Generator& toGenerator(napi_env env, napi_value v) {
  void* p = nullptr;
  if (typeOf(env, v) != napi_external || napi_get_value_external(env, v, &p) != napi_ok) fail("expected a Generator");
  return *static_cast<at::Generator*>(p);
}

static const at::Generator& defaultGenerator(const std::string& device) {
  return at::globalContext().defaultGenerator(c10::Device(device));
}

// uint64 seeds above 2^53 cannot be written in JavaScript numbers; a bigint is accepted for them.
static uint64_t toSeed(napi_env env, napi_value v) {
  if (typeOf(env, v) != napi_bigint) return uint64_t(toInt(env, v));
  uint64_t r;
  bool lossless;
  napi_get_value_bigint_uint64(env, v, &r, &lossless);
  return r;
}
static void seed(at::Generator g, uint64_t value) {
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_current_seed(value);
}

static napi_value NewGenerator(napi_env env, napi_callback_info info) {  // (seed, device)
  OMNI_TRY
  Args<2> a(env, info);
  // A clone of the default one works for every device without naming the device's own generator class.
  auto* g = new at::Generator(defaultGenerator(toString(env, a[1])).clone());
  seed(*g, toSeed(env, a[0]));
  napi_value v;
  napi_create_external(env, g, [](napi_env, void* p, void*) { delete static_cast<at::Generator*>(p); }, nullptr, &v);
  return v;
  OMNI_CATCH(env)
}
static napi_value SeedGenerator(napi_env env, napi_callback_info info) {  // (generator, seed)
  OMNI_TRY
  Args<2> a(env, info);
  seed(toGenerator(env, a[0]), toSeed(env, a[1]));
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value GeneratorState(napi_env env, napi_callback_info info) {  // (generator) -> uint8 tensor
  OMNI_TRY
  Args<1> a(env, info);
  at::Generator& g = toGenerator(env, a[0]);
  std::lock_guard<std::mutex> lock(g.mutex());
  return makeTensor(env, g.get_state());
  OMNI_CATCH(env)
}
static napi_value SetGeneratorState(napi_env env, napi_callback_info info) {  // (generator, uint8 tensor)
  OMNI_TRY
  Args<2> a(env, info);
  at::Generator& g = toGenerator(env, a[0]);
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_state(toTensor(env, a[1]));
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value ManualSeed(napi_env env, napi_callback_info info) {  // (seed): every default generator
  OMNI_TRY
  Args<1> a(env, info);
  uint64_t value = toSeed(env, a[0]);
  seed(defaultGenerator("cpu"), value);
  if (at::globalContext().hasCUDA() && at::detail::getCUDAHooks().hasCUDA()) seed(defaultGenerator("cuda"), value);
  return nullptr;
  OMNI_CATCH(env)
}

void exportGenerator(napi_env env, napi_value exports) {
  const Export list[] = {{"newGenerator", NewGenerator},
                         {"seedGenerator", SeedGenerator},
                         {"generatorState", GeneratorState},
                         {"setGeneratorState", SetGeneratorState},
                         {"manualSeed", ManualSeed}};
  exportAll(env, exports, list);
}

}  // namespace omni
