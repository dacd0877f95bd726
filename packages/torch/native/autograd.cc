// Gradients: backward, grad of outputs with respect to inputs, the .grad slot, grad mode.
#include "checkpoint.h"
#include "convert.h"
#include "exports.h"
#include "gradient_sync.h"
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

namespace omni {

static std::vector<at::Tensor> optionalTensors(napi_env env, napi_value v) {
  return isNullish(env, v) ? std::vector<at::Tensor>() : toTensors(env, v, true);
}

static std::string describeAll(const std::vector<at::Tensor>& tensors) {
  std::string s;
  for (auto& t : tensors) s += (s.empty() ? "" : ", ") + describe(t);
  return s;
}

static napi_value Backward(napi_env env, napi_callback_info info) {  // (outputs, gradOutputs | null, retainGraph, createGraph, apart?)
  OMNI_TRY
  Args<5> a(env, info);
  auto outputs = toTensors(env, a[0]);
  auto gradients = optionalTensors(env, a[1]);
  bool retain = toBool(env, a[2]), create = toBool(env, a[3]);
  // Nodes of other devices run on LibTorch's threads, and a checkpoint among them has to call JavaScript on this one.
  bool apart = a.count > 4 && toBool(env, a[4]);
  for (auto& output : outputs) apart = apart || (!output.device().is_cpu() && BackwardService::needed());
  auto backward = [&] { torch::autograd::backward(outputs, gradients, retain || create, create); };
  GradientSync::Pass pass;
  try {
    if (apart) BackwardService().run(backward);
    else backward();
  } catch (const c10::Error& e) {
    pass.failed(e.what_without_backtrace());
    fail("backward(" + describeAll(outputs) + "): " + e.what_without_backtrace());
  } catch (const std::exception& e) {
    pass.failed(e.what());
    throw;
  }
  pass.done();
  return nullptr;
  OMNI_CATCH(env)
}

static napi_value Grad(napi_env env, napi_callback_info info) {  // (outputs, inputs, gradOutputs | null, retain, create, allowUnused)
  OMNI_TRY
  Args<6> a(env, info);
  auto outputs = toTensors(env, a[0]), inputs = toTensors(env, a[1]);
  auto gradients = optionalTensors(env, a[2]);
  bool retain = toBool(env, a[3]), create = toBool(env, a[4]), allowUnused = toBool(env, a[5]);
  try {
    auto result = torch::autograd::grad(outputs, inputs, gradients, retain || create, create, allowUnused);
    napi_value list = makeArray(env, result.size());
    for (size_t i = 0; i < result.size(); i++) napi_set_element(env, list, i, makeTensor(env, result[i]));
    return list;
  } catch (const c10::Error& e) {
    fail("grad(outputs: " + describeAll(outputs) + "; inputs: " + describeAll(inputs) + "): " + e.what_without_backtrace());
  }
  OMNI_CATCH(env)
}

static napi_value GetGrad(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  return makeTensor(env, toTensor(env, a[0]).grad());
  OMNI_CATCH(env)
}
static napi_value SetGrad(napi_env env, napi_callback_info info) {  // (tensor, gradient | null)
  OMNI_TRY
  Args<2> a(env, info);
  at::Tensor t = toTensor(env, a[0]);
  at::Tensor gradient = isNullish(env, a[1]) ? at::Tensor() : toTensor(env, a[1]);
  if (gradient.defined() && gradient.sizes() != t.sizes())
    fail("the gradient of " + describe(t) + " must have its shape, got " + describe(gradient));
  t.mutable_grad() = gradient;
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value SetRequiresGrad(napi_env env, napi_callback_info info) {  // (tensor, on)
  OMNI_TRY
  Args<2> a(env, info);
  toTensor(env, a[0]).set_requires_grad(toBool(env, a[1]));
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value GradEnabled(napi_env env, napi_callback_info info) {  // (on?) -> what it was before
  OMNI_TRY
  Args<1> a(env, info);
  bool was = at::GradMode::is_enabled();
  if (a.count > 0) at::GradMode::set_enabled(toBool(env, a[0]));
  return makeBool(env, was);
  OMNI_CATCH(env)
}

void exportAutograd(napi_env env, napi_value exports) {
  const Export list[] = {{"backward", Backward}, {"gradOf", Grad},
                         {"getGrad", GetGrad},   {"setGrad", SetGrad},
                         {"setRequiresGrad", SetRequiresGrad}, {"gradEnabled", GradEnabled}};
  exportAll(env, exports, list);
}

}  // namespace omni
