#include "kernel_support.h"
#include "../compat.h"
#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/autograd.h>

namespace omni {

void checkOnDevice(const Operand& operand, const Operand& other) {
  TORCH_CHECK(operand.tensor.device() == other.tensor.device(), operand.name, " is on ", operand.tensor.device().str(), ", ", other.name,
              " on ", other.tensor.device().str(), ": all tensors must be on one device; move them with to()");
}

void checkOperands(std::initializer_list<Operand> operands) {
  for (auto& operand : operands) {
    const at::Tensor& t = operand.tensor;
    TORCH_CHECK(t.defined(), operand.name, " is missing");
    TORCH_CHECK(at::isFloatingType(t.scalar_type()), operand.name, " must be floating-point, got ", t.scalar_type());
    TORCH_CHECK(t.layout() == at::kStrided && !t.is_nested(), operand.name, " must be dense, got layout ", t.layout());
    checkOnDevice(operand, *operands.begin());
  }
}

bool productsAreBf16() { return autocastIsOn(c10::kCPU) && autocastDtype(c10::kCPU) == at::kBFloat16; }

at::Tensor dense(const at::Tensor& t) {
  if (t._is_zerotensor()) return at::zeros(t.sizes(), t.options());
  at::Tensor strided = t.layout() == at::kStrided ? t : t.to_dense();
  return (strided.is_neg() ? strided.resolve_neg() : strided).contiguous();
}

variable_list recordedGradients(const variable_list& inputs, const variable_list& grads, const Plain& plain) {
  c10::impl::ExcludeDispatchKeyGuard exact(c10::autocast_dispatch_keyset);
  // By other names: one input may have been computed from another, and partial derivatives do not go there.
  variable_list wanted, given, named;
  for (auto& input : inputs) {
    bool derived = input.defined() && input.requires_grad();
    named.push_back(derived ? input.view_as(input) : input);
    if (derived) wanted.push_back(named.back());
  }
  variable_list outputs = plain(named);
  for (size_t i = 0; i < outputs.size(); i++) given.push_back(grads[i].to(outputs[i].scalar_type()));
  variable_list found = torch::autograd::grad(outputs, wanted, given, true, true, true), result;
  size_t next = 0;
  for (auto& input : inputs) result.push_back(input.defined() && input.requires_grad() ? found[next++] : at::Tensor());
  return result;
}

}  // namespace omni
