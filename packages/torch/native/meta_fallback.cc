// Shapes of operators that LibTorch cannot tell on the meta device without Python (index_select and convolutions among
// them, in 1.13 and in 2.x): the operator runs in main memory on zeros, and only the shape of what it gives is kept.
#include "meta_fallback.h"
#include "exports.h"
#include <ATen/ATen.h>
#include <deque>
#include <unordered_set>

namespace omni {

using c10::DispatchKey;
using c10::IValue;
using torch::jit::Stack;

static const char* const kMark = "omni-id's shapes by computing";

// Operands are zeros without memory (one number, expanded), but for those that the operator writes to.
static at::Tensor stand(const at::Tensor& meta, bool written) {
  auto options = meta.options().device(c10::kCPU);
  return written ? at::zeros(meta.sizes(), options) : at::zeros({}, options).expand(meta.sizes());
}

static at::Tensor shapeOf(const at::Tensor& computed) {
  return at::empty_strided(computed.sizes(), computed.strides(), computed.options().device(c10::kMeta));
}

static bool isMeta(const IValue& value) { return value.isTensor() && value.toTensor().defined() && value.toTensor().is_meta(); }

static IValue toMain(const IValue& value, bool written) {
  if (isMeta(value)) return stand(value.toTensor(), written);
  if (value.isDevice() && value.toDevice().is_meta()) return c10::Device(c10::kCPU);
  if (!value.isList()) return value;
  auto list = value.toList().copy();
  for (size_t i = 0; i < list.size(); i++)
    if (isMeta(list.get(i))) list.set(i, stand(list.get(i).toTensor(), written));
  return list;
}

static IValue toShape(const IValue& value) {
  if (value.isTensor() && value.toTensor().defined()) return shapeOf(value.toTensor());
  if (!value.isTensorList()) return value;
  auto list = value.toTensorList().copy();
  for (size_t i = 0; i < list.size(); i++) list.set(i, shapeOf(list.get(i)));
  return list;
}

static void shapesAlone(const c10::OperatorHandle& op, Stack* stack) {
  const auto& schema = op.schema();
  size_t count = schema.arguments().size(), first = stack->size() - count;
  std::vector<IValue> given(stack->begin() + first, stack->end());
  auto writes = [](const c10::Argument& a) { return a.alias_info() && a.alias_info()->isWrite(); };
  std::vector<IValue> used;
  for (size_t i = 0; i < count; i++) used.push_back((*stack)[first + i] = toMain(given[i], writes(schema.arguments()[i])));
  op.callBoxed(stack);
  for (size_t i = 0; i < count; i++)  // the place for a result takes the result's size
    if (writes(schema.arguments()[i]) && isMeta(given[i]) && given[i].toTensor().sizes() != used[i].toTensor().sizes())
      given[i].toTensor().resize_(used[i].toTensor().sizes());
  // What an operator gives back of its own arguments is the argument.
  size_t results = schema.returns().size(), from = stack->size() - results;
  std::vector<IValue> written;
  for (size_t i = 0; i < count; i++)
    if (writes(schema.arguments()[i])) written.push_back(given[i]);
  for (size_t i = 0, next = 0; i < results; i++) {
    IValue& result = (*stack)[from + i];
    result = writes(schema.returns()[i]) && next < written.size() ? written[next++] : toShape(result);
  }
}

// LibTorch hands convolutions of a device that brings none of its own to these two, which only throw.
static void convolution(const c10::OperatorHandle&, Stack* stack) {  // takes what aten::convolution takes
  auto plain = c10::Dispatcher::singleton().findSchemaOrThrow("aten::convolution", "");
  for (size_t i = stack->size() - plain.schema().arguments().size(); i < stack->size(); i++) (*stack)[i] = toMain((*stack)[i], false);
  plain.callBoxed(stack);
  stack->back() = toShape(stack->back());
}
static void convolutionBackward(const c10::OperatorHandle& op, Stack* stack) {  // (grad, input, weight, …, mask)
  std::vector<IValue> a = torch::jit::pop(*stack, op.schema().arguments().size());
  auto wanted = a.back().toBoolList();
  auto like = [](const at::Tensor& t) { return at::empty(t.sizes(), t.options()); };
  at::Tensor grad = a[0].toTensor();
  stack->emplace_back(wanted[0] ? like(a[1].toTensor()) : at::Tensor());
  stack->emplace_back(wanted[1] ? like(a[2].toTensor()) : at::Tensor());
  stack->emplace_back(wanted[2] ? at::empty({grad.size(1)}, grad.options()) : at::Tensor());
}

// Whether an operator is computed on the processor and its shapes are told nowhere: what gives no tensor, or one whose
// shape the numbers decide on, has no shape to be told.
static bool isUntold(const c10::OperatorHandle& op) {
  static const std::unordered_set<std::string> byNumbers = {"aten::nonzero", "aten::masked_select", "aten::_unique", "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::unique_dim_consecutive", "aten::bincount"};
  if (!op.hasSchema() || op.schema().name().rfind("aten::", 0) != 0 || byNumbers.count(op.schema().name())) return false;
  if (!op.hasKernelForDispatchKey(DispatchKey::CPU)) return false;
  for (auto key : {DispatchKey::Meta, DispatchKey::CompositeExplicitAutogradNonFunctional, DispatchKey::CompositeExplicitAutograd, DispatchKey::CompositeImplicitAutograd})
    if (op.hasKernelForDispatchKey(key)) return false;
  for (auto& result : op.schema().returns())
    if (result.type()->kind() == c10::TypeKind::TensorType || result.type()->kind() == c10::TypeKind::ListType) return true;
  return false;
}

bool isComputedOnMeta(const c10::OperatorHandle& op) {
  return op.hasKernelForDispatchKey(DispatchKey::Meta) && op.dumpState().find(kMark) != std::string::npos;
}

void registerMetaFallback() {
  static bool tried = false;
  if (tried) return;
  tried = true;
  auto& dispatcher = c10::Dispatcher::singleton();
  // Kept for the life of the process: the addon is never unloaded.
  static std::deque<c10::RegistrationHandleRAII> registered;
  auto add = [&](const c10::OperatorName& name, c10::KernelFunction kernel) {
    registered.push_back(dispatcher.registerImpl(name, DispatchKey::Meta, std::move(kernel), {}, nullptr, kMark));
  };
  auto overridden = dispatcher.findSchema({"aten::convolution_overrideable", ""});
  if (overridden && overridden->hasKernelForDispatchKey(DispatchKey::Meta)) return;  // another copy of this addon was first
  for (const auto& name : dispatcher.getAllOpNames()) {
    auto op = dispatcher.findOp(name);
    if (op && isUntold(*op)) add(name, c10::KernelFunction::makeFromBoxedFunction<&shapesAlone>());
  }
  add({"aten::convolution_overrideable", ""}, c10::KernelFunction::makeFromBoxedFunction<&convolution>());
  add({"aten::convolution_backward_overrideable", ""}, c10::KernelFunction::makeFromBoxedFunction<&convolutionBackward>());
}

}  // namespace omni
