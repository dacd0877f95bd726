// Random number generators: own ones (an object that owns one, collected with it) and the default ones.
#include "generator.h"
#include "rehearsal/rehearsal.h"
#include "tensor_table.h"
#include <ATen/Context.h>
#include <algorithm>

namespace omni {

static const napi_type_tag kGeneratorTag = {0x6f6d6e695f69645full, 0x67656e657261746full};

static thread_local GeneratorStates::Recording* recording = nullptr;

at::Generator toGenerator(napi_env env, napi_value v) {
  void* p = taggedData(env, kGeneratorTag, v);
  if (!p) fail("expected a Generator");
  const at::Generator& generator = *static_cast<at::Generator*>(p);
  for (auto* r = recording; r; r = r->outer_) r->states_.note(generator);
  return generator;
}

static const at::Generator& defaultGenerator(const c10::Device& device) {
  return at::globalContext().defaultGenerator(device);
}

static at::Tensor stateOf(const at::Generator& generator) {
  at::Generator g = generator;
  std::lock_guard<std::mutex> lock(g.mutex());
  return g.get_state();
}

GeneratorStates::GeneratorStates(const std::vector<c10::Device>& devices) {
  note(defaultGenerator(c10::kCPU));
  for (auto& device : devices)
    if (device.is_cuda()) note(defaultGenerator(device));
}
void GeneratorStates::note(const at::Generator& generator) {
  auto same = [&](const auto& entry) { return entry.first == generator; };
  if (std::none_of(list_.begin(), list_.end(), same)) list_.emplace_back(generator, stateOf(generator));
}
void GeneratorStates::exchange() {
  for (auto& entry : list_) {
    at::Tensor now = stateOf(entry.first);
    std::lock_guard<std::mutex> lock(entry.first.mutex());
    entry.first.set_state(entry.second);
    entry.second = now;
  }
}
GeneratorStates::Recording::Recording(GeneratorStates& states) : states_(states), outer_(recording) { recording = this; }
GeneratorStates::Recording::~Recording() { recording = outer_; }

// uint64 seeds above 2^53 cannot be written in JavaScript numbers; a bigint is accepted for them.
static uint64_t toSeed(napi_env env, napi_value v) {
  if (typeOf(env, v) != napi_bigint) return uint64_t(toInt(env, v));
  uint64_t r = 0;
  bool lossless = false;
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
  auto g = std::make_unique<at::Generator>(defaultGenerator(rehearsal::deviceOf(toString(env, a[1]))).clone());
  seed(*g, toSeed(env, a[0]));
  return makeTagged(env, kGeneratorTag, g.release(), [](napi_env, void* p, void*) { delete static_cast<at::Generator*>(p); });
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
  return makeTensor(env, stateOf(toGenerator(env, a[0])));
  OMNI_CATCH(env)
}
static napi_value SetGeneratorState(napi_env env, napi_callback_info info) {  // (generator, uint8 tensor)
  OMNI_TRY
  Args<2> a(env, info);
  at::Generator g = toGenerator(env, a[0]);
  at::Tensor state = toTensor(env, a[1]);
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_state(state);
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value ManualSeed(napi_env env, napi_callback_info info) {  // (seed): every default generator
  OMNI_TRY
  Args<1> a(env, info);
  uint64_t value = toSeed(env, a[0]);
  seed(defaultGenerator(c10::kCPU), value);
  if (at::globalContext().hasCUDA() && at::detail::getCUDAHooks().hasCUDA()) seed(defaultGenerator(c10::kCUDA), value);
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
