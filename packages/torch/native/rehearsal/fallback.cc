// What the dispatcher calls below autograd and autocast instead of a kernel: finds the results' shapes by LibTorch's meta
// kernels, or by a rule of our own, and reserves them.
#include "rehearsal.h"
#include "../meta_fallback.h"
#include "../napi_helpers.h"
#include <ATen/EmptyTensor.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/resize.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <unordered_map>
#include <unordered_set>

namespace omni {
namespace rehearsal {
namespace {

using c10::DispatchKey;
using c10::IValue;
using torch::jit::Stack;

enum class Way {
  Parts,    // made of other operators, which come by here themselves
  View,     // another look at the same memory
  Shape,    // changes what a tensor says of its memory
  InPlace,  // gives back what it was given
  Out,      // writes into what it was given, and may resize it
  Pure,
};

bool startsWith(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

Way wayOf(const c10::OperatorHandle& op) {
  static const std::unordered_set<std::string> shapes = {"aten::set_", "aten::resize_", "aten::resize_as_", "aten::as_strided_", "aten::t_", "aten::transpose_", "aten::squeeze_", "aten::unsqueeze_", "aten::detach_"};
  const auto& schema = op.schema();
  if (startsWith(schema.name(), "aten::_foreach_")) return Way::Parts;  // a loop over the list
  if (shapes.count(schema.name())) return Way::Shape;
  bool out = false, writes = false, views = false;
  for (auto& argument : schema.arguments()) {
    out = out || argument.is_out();
    writes = writes || (argument.alias_info() && argument.alias_info()->isWrite());
  }
  for (auto& result : schema.returns()) views = views || (result.alias_info() && !result.alias_info()->isWrite());
  if (out) return Way::Out;
  if (writes) return Way::InPlace;
  bool own = op.hasKernelForDispatchKey(DispatchKey::CPU);
  if (!own && (op.hasKernelForDispatchKey(DispatchKey::CompositeExplicitAutograd) || op.hasKernelForDispatchKey(DispatchKey::CompositeImplicitAutograd)))
    return Way::Parts;
  return views ? Way::View : Way::Pure;
}

struct Known {
  Way way;
  std::string name;
  bool computed;  // on the meta device too
};
const Known& known(const c10::OperatorHandle& op) {
  static thread_local std::unordered_map<c10::OperatorName, Known> all;
  auto found = all.find(op.operator_name());
  if (found == all.end()) found = all.emplace(op.operator_name(), Known{wayOf(op), op.schema().name(), isComputedOnMeta(op)}).first;
  return found->second;
}

template <class Visit>
void eachTensor(const IValue& value, const Visit& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) visit(value.toTensor());
  } else if (value.isList()) {
    for (const IValue& item : value.toListRef())
      if (item.isTensor() && item.toTensor().defined()) visit(item.toTensor());
  }
}

constexpr int64_t kFew = 1 << 16;  // elements

// Indices and counts decide on shapes: a few whole numbers are computed as ever, and are no memory to speak of.
bool isFewIntegers(const c10::FunctionSchema& schema, const std::vector<IValue>& arguments) {
  int64_t elements = 0, tensors = 0;
  bool integral = true, written = false;
  for (size_t i = 0; i < arguments.size(); i++)
    eachTensor(arguments[i], [&](const at::Tensor& t) {
      bool whole = at::isIntegralType(t.scalar_type(), true);
      auto* alias = schema.arguments()[i].alias_info();
      written = written || (whole && alias && alias->isWrite());
      integral = integral && whole;
      elements += t.numel();
      tensors++;
    });
  if (tensors > 0) return (integral || written) && elements <= kFew;
  if (schema.name() != "aten::empty" && schema.name() != "aten::empty_strided") return false;
  elements = 1;
  for (int64_t size : arguments[0].toIntVector()) elements *= size;
  for (size_t i = 1; i < arguments.size(); i++)
    if (schema.arguments()[i].name() == "dtype") return arguments[i].isInt() && at::isIntegralType(arguments[i].toScalarType(), true) && elements <= kFew;
  return false;
}

using Twins = std::vector<std::pair<at::Tensor, at::Tensor>>;  // a tensor, and one of its shape on the meta device

at::Tensor twinOf(const at::Tensor& t, Twins& twins) {
  if (!t.defined()) return t;
  at::Tensor twin = at::detail::empty_strided_meta(t.sizes(), t.strides(), t.scalar_type());
  if (t.unsafeGetTensorImpl()->is_wrapped_number()) twin.unsafeGetTensorImpl()->set_wrapped_number(true);
  twins.emplace_back(t, twin);
  return twin;
}

IValue onMeta(const c10::Argument& argument, const IValue& value, Twins& twins) {
  if (value.isTensor()) return twinOf(value.toTensor(), twins);
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& t : value.toTensorList().vec()) list.push_back(twinOf(t, twins));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<c10::optional<at::Tensor>> list;
    for (const c10::optional<at::Tensor>& t : value.toOptionalTensorList().vec()) list.push_back(t ? c10::optional<at::Tensor>(twinOf(*t, twins)) : c10::nullopt);
    return list;
  }
  if (argument.name() == "device") return c10::Device(c10::kMeta);
  if (argument.name() == "pin_memory") return {};
  return value;
}

at::Tensor fromMeta(const at::Tensor& result, const Twins& twins) {
  if (!result.defined()) return result;
  for (auto& [given, twin] : twins) {
    if (result.is_same(twin)) return given;
    if (result.storage().unsafeGetStorageImpl() == twin.storage().unsafeGetStorageImpl())
      return at::as_strided(given, result.sizes(), result.strides(), given.storage_offset() + result.storage_offset());
  }
  return reserve(result.sizes(), result.strides(), result.scalar_type());
}

// No key of ours, of autograd or of autocast from here on.
struct Kernels {
  c10::impl::ExcludeDispatchKeyGuard noRehearsal{DispatchKey::Fake};
  at::AutoDispatchBelowADInplaceOrView below;
};

void forReal(const c10::OperatorHandle& op, Stack* stack) {
  Kernels only;
  op.redispatchBoxed(c10::DispatchKeySet(DispatchKey::CPU), stack);
}

bool byMeta(const c10::OperatorHandle& op, const std::vector<IValue>& arguments, Stack& results, Twins& twins) {
  if (known(op).computed) return false;
  bool knows = false;
  for (auto key : {DispatchKey::Meta, DispatchKey::CompositeExplicitAutogradNonFunctional, DispatchKey::CompositeExplicitAutograd, DispatchKey::CompositeImplicitAutograd})
    knows = knows || op.hasKernelForDispatchKey(key);
  if (!knows) return false;
  Kernels only;
  results.clear();
  for (size_t i = 0; i < arguments.size(); i++) results.push_back(onMeta(op.schema().arguments()[i], arguments[i], twins));
  try {
    op.redispatchBoxed(c10::DispatchKeySet(DispatchKey::Meta), &results);
  } catch (const c10::NotImplementedError&) {
    return false;
  }
  return true;
}

void pure(const c10::OperatorHandle& op, const std::vector<IValue>& arguments, Stack* stack) {
  Stack results;
  Twins twins;
  if (applyRule(op.schema().name(), arguments, results)) {
    for (auto& result : results) stack->push_back(std::move(result));
    return;
  }
  if (byMeta(op, arguments, results, twins)) {
    Kernels only;
    for (auto& result : results) {
      if (result.isTensor()) result = fromMeta(result.toTensor(), twins);
      else if (result.isTensorList()) {
        c10::List<at::Tensor> list;
        for (const at::Tensor& t : result.toTensorList().vec()) list.push_back(fromMeta(t, twins));
        result = std::move(list);
      }
      stack->push_back(std::move(result));
    }
    return;
  }
  int64_t elements = 0;
  for (auto& argument : arguments) eachTensor(argument, [&](const at::Tensor& t) { elements += t.numel(); });
  if (elements > kFew) fail("rehearse: the shapes that " + toString(op.operator_name()) + " gives are not known; native/rehearsal/rules.cc is where to say them");
  for (auto& argument : arguments) stack->push_back(argument);
  forReal(op, stack);
}

void intoOut(const c10::OperatorHandle& op, const std::vector<IValue>& arguments, Stack* stack) {
  Stack results;
  Twins twins;
  const auto& schema = op.schema();
  if (!byMeta(op, arguments, results, twins)) {
    for (auto& argument : arguments) stack->push_back(argument);
    return forReal(op, stack);
  }
  Kernels only;
  std::vector<IValue> outs;
  for (size_t i = 0; i < arguments.size(); i++) {
    if (!schema.arguments()[i].is_out()) continue;
    at::Tensor out = arguments[i].toTensor();
    for (auto& pair : twins)
      if (pair.first.is_same(out) && pair.second.sizes() != out.sizes()) out.resize_(pair.second.sizes());
    outs.emplace_back(out);
  }
  outs.resize(schema.returns().size());
  for (auto& out : outs) stack->push_back(std::move(out));
}

}  // namespace

void onCall(const c10::OperatorHandle& op, c10::DispatchKeySet, Stack* stack) {
  if (!on()) fail("rehearse: another copy of this package rehearses in this process");
  const Known& one = known(op);
  const auto& schema = op.schema();
  std::vector<IValue> arguments = torch::jit::pop(*stack, schema.arguments().size());
  auto restored = [&] {
    for (auto& argument : arguments) stack->push_back(argument);
  };
  if (isFewIntegers(schema, arguments)) {
    restored();
    return forReal(op, stack);
  }
  count(flopsOf(one.name, arguments));
  if (one.way == Way::InPlace || one.way == Way::Out || one.way == Way::Pure) current()->calls++;
  switch (one.way) {
    case Way::Parts:
      if (applyRule(one.name, arguments, *stack)) return;
      restored();
      op.redispatchBoxed(c10::DispatchKeySet(DispatchKey::CPU), stack);
      return;
    case Way::View:
    case Way::Shape:
      restored();
      return forReal(op, stack);
    case Way::InPlace:
      for (size_t i = 0; i < arguments.size() && !schema.returns().empty(); i++) {
        auto* alias = schema.arguments()[i].alias_info();
        if (!alias || !alias->isWrite()) continue;
        stack->push_back(arguments[i]);
        return;
      }
      return;
    case Way::Out: return intoOut(op, arguments, stack);
    case Way::Pure: return pure(op, arguments, stack);
  }
}

}  // namespace rehearsal
}  // namespace omni
