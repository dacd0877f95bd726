// Attention as fused kernels do it, which keep a number a row instead of the scores: for rehearsals of devices whose
// LibTorch has them, on one that may not.
#include "../compat.h"
#include "../kernels/library.h"
#include "rehearsal.h"
#include <torch/csrc/autograd/custom_function.h>

namespace omni {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

double products(const at::Tensor& q, const at::Tensor& k, int count) { return 2.0 * count * double(q.numel()) * double(k.size(2)); }

struct Flash : torch::autograd::Function<Flash> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    rehearsal::count(products(q, k, 2));
    at::Tensor out = rehearsal::reserve({q.size(0), q.size(2), q.size(1), v.size(3)}, q.scalar_type()).transpose(1, 2);
    at::Tensor sums = rehearsal::reserve({q.size(0), q.size(1), q.size(2)}, at::kFloat);
    ctx->save_for_backward({q, k, v, out, sums});
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list) {
    auto saved = ctx->get_saved_variables();
    rehearsal::count(products(saved[0], saved[1], 5));  // the scores once more, then four gradients
    variable_list gradients;
    for (int i = 0; i < 3; i++) gradients.push_back(rehearsal::reserve(saved[i].sizes(), saved[i].strides(), saved[i].scalar_type()));
    return gradients;
  }
};

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  TORCH_CHECK(rehearsal::on(), "rehearsed_attention: nothing is rehearsed");
  auto type = autocastIsOn(c10::kCPU) ? autocastDtype(c10::kCPU) : q.scalar_type();
  return Flash::apply(q.to(type), k.to(type), v.to(type));
}

}  // namespace

void defineFlash(torch::Library& m) {
  m.def("rehearsed_attention(Tensor q, Tensor k, Tensor v) -> Tensor", attend);
}

}  // namespace omni
