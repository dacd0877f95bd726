// Shapes of operators that LibTorch 1.13 cannot tell on the meta device (index_select among them): the operator runs in
// main memory on zeros, and only the shape of what it gives is kept. LibTorch 2 knows them all, and has a fallback of
// its own in this place.
#include "exports.h"
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/version.h>
#include <deque>

namespace omni {

#if TORCH_VERSION_MAJOR < 2

// Operands are zeros without memory (one number, expanded), but for those that the operator writes to.
static at::Tensor stand(const at::Tensor& meta, bool written) {
  auto options = meta.options().device(c10::kCPU);
  return written ? at::zeros(meta.sizes(), options) : at::zeros({}, options).expand(meta.sizes());
}

static at::Tensor shapeOf(const at::Tensor& computed) {
  return at::empty_strided(computed.sizes(), computed.strides(), computed.options().device(c10::kMeta));
}

static bool isMeta(const c10::IValue& value) { return value.isTensor() && value.toTensor().defined() && value.toTensor().is_meta(); }

static c10::IValue toMain(const c10::IValue& value, bool written) {
  if (isMeta(value)) return stand(value.toTensor(), written);
  if (value.isDevice() && value.toDevice().is_meta()) return c10::Device(c10::kCPU);
  if (!value.isList()) return value;
  auto list = value.toList().copy();
  for (size_t i = 0; i < list.size(); i++)
    if (isMeta(list.get(i))) list.set(i, stand(list.get(i).toTensor(), written));
  return list;
}

static c10::IValue toShape(const c10::IValue& value) {
  if (value.isTensor() && value.toTensor().defined()) return shapeOf(value.toTensor());
  if (!value.isTensorList()) return value;
  auto list = value.toTensorList().copy();
  for (size_t i = 0; i < list.size(); i++) list.set(i, shapeOf(list.get(i)));
  return list;
}

static void shapesAlone(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  size_t count = schema.arguments().size(), first = stack->size() - count;
  std::vector<c10::IValue> given(stack->begin() + first, stack->end());
  auto writes = [](const c10::Argument& a) { return a.alias_info() && a.alias_info()->isWrite(); };
  std::vector<c10::IValue> used;
  for (size_t i = 0; i < count; i++) used.push_back((*stack)[first + i] = toMain(given[i], writes(schema.arguments()[i])));
  op.callBoxed(stack);
  for (size_t i = 0; i < count; i++)  // the place for a result takes the result's size
    if (writes(schema.arguments()[i]) && isMeta(given[i]) && given[i].toTensor().sizes() != used[i].toTensor().sizes())
      given[i].toTensor().resize_(used[i].toTensor().sizes());
  // What an operator gives back of its own arguments is the argument.
  size_t results = schema.returns().size(), from = stack->size() - results;
  std::vector<c10::IValue> written;
  for (size_t i = 0; i < count; i++)
    if (writes(schema.arguments()[i])) written.push_back(given[i]);
  for (size_t i = 0, next = 0; i < results; i++) {
    c10::IValue& result = (*stack)[from + i];
    result = writes(schema.returns()[i]) && next < written.size() ? written[next++] : toShape(result);
  }
}

// 1.13 knows no convolution of a device that brings none of its own.
using Optional = const c10::optional<at::Tensor>&;
static at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, Optional bias, at::IntArrayRef stride,
                              at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed, at::IntArrayRef more, int64_t groups) {
  c10::optional<at::Tensor> b;
  if (bias && bias->defined()) b = stand(*bias, false);
  return shapeOf(at::convolution(stand(x, false), stand(weight, false), b, stride, padding, dilation, transposed, more, groups));
}
static std::tuple<at::Tensor, at::Tensor, at::Tensor> convolutionBackward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef, at::IntArrayRef,
    at::IntArrayRef, bool, at::IntArrayRef, int64_t, std::array<bool, 3> wanted) {
  auto like = [](const at::Tensor& t) { return at::empty(t.sizes(), t.options()); };
  auto none = at::Tensor();
  return {wanted[0] ? like(x) : none, wanted[1] ? like(weight) : none,
          wanted[2] ? at::empty({gradient.size(1)}, gradient.options()) : none};
}

void registerMetaFallback() {
  static bool tried = false;
  if (tried) return;
  tried = true;
  auto& dispatcher = c10::Dispatcher::singleton();
  constexpr auto meta = c10::DispatchKey::Meta;
  // Kept for the life of the process: the addon is never unloaded.
  static std::deque<c10::RegistrationHandleRAII> registered;
  try {
    registered.push_back(dispatcher.registerFallback(meta, c10::KernelFunction::makeFromBoxedFunction<&shapesAlone>(), "omni-id"));
  } catch (const c10::Error&) {
    return;  // another copy of this addon in the process was first; what it registered serves both
  }
  auto add = [&](const char* name, c10::KernelFunction kernel) {
    registered.push_back(dispatcher.registerImpl({name, ""}, meta, std::move(kernel), c10::nullopt, nullptr, "omni-id"));
  };
  add("aten::convolution_overrideable", c10::KernelFunction::makeFromUnboxedRuntimeFunction(&convolution));
  add("aten::convolution_backward_overrideable", c10::KernelFunction::makeFromUnboxedRuntimeFunction(&convolutionBackward));
}

#else

void registerMetaFallback() {}

#endif

}  // namespace omni
