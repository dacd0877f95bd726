// Bias and GELU in one pass; its gradient, and the bias's, in another.
#include "kernel_support.h"
#include <ATen/ops/gelu.h>

namespace omni {
namespace {

constexpr int64_t kGrain = 32;  // rows a thread takes at least

at::Tensor plain(const at::Tensor& x, const at::Tensor& bias, c10::string_view approximate) {
  return at::gelu(x + bias.to(x.scalar_type()), approximate);
}

// x contiguous, b contiguous and float.
struct BiasGelu : torch::autograd::Function<BiasGelu> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& b, bool tanh) {
    at::Tensor y = at::empty_like(x);
    int64_t n = x.size(-1), rows = x.numel() / n;
    const auto& loops = simd::loops();
    inParallel(0, rows, kGrain, [&](int64_t first, int64_t last) {
      int64_t at = first * n;
      if (x.scalar_type() == at::kFloat) loops.gelu(f32(x) + at, f32(b), f32(y) + at, last - first, n, tanh);
      else loops.geluBf16(bf16(x) + at, f32(b), bf16(y) + at, last - first, n, tanh);
    });
    ctx->save_for_backward({x, b});
    ctx->saved_data["tanh"] = tanh;
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    bool tanh = ctx->saved_data["tanh"].toBool();
    if (at::GradMode::is_enabled()) {
      auto g = recordedGradients(saved, grads, [&](const variable_list& in) -> variable_list { return {plain(in[0], in[1], tanh ? "tanh" : "none")}; });
      return {g[0], g[1], {}};
    }
    at::Tensor x = saved[0], b = saved[1], dy = dense(grads[0].to(x.scalar_type())), dx = at::empty_like(x);
    int64_t n = x.size(-1), rows = x.numel() / n;
    const auto& loops = simd::loops();
    at::Tensor db = parallelSums(rows, kGrain, n, [&](int64_t first, int64_t last, float* sums) {
      int64_t at = first * n;
      if (x.scalar_type() == at::kFloat) loops.geluBackward(f32(x) + at, f32(b), f32(dy) + at, f32(dx) + at, sums, last - first, n, tanh);
      else loops.geluBackwardBf16(bf16(x) + at, f32(b), bf16(dy) + at, bf16(dx) + at, sums, last - first, n, tanh);
    });
    return {dx, db, {}};
  }
};

at::Tensor biasGelu(const at::Tensor& x, const at::Tensor& bias, c10::string_view approximate) {
  TORCH_CHECK(approximate == "none" || approximate == "tanh", "approximate must be \"none\" or \"tanh\"");
  TORCH_CHECK(x.dim() > 0 && bias.dim() == 1 && bias.size(0) == x.size(-1), "the bias must have one number a channel of x");
  checkOperands({{"x", x}, {"bias", bias}});
  if (isFast(x) && isFast(bias) && x.numel() > 0) return BiasGelu::apply(dense(x), dense(bias.to(at::kFloat)), approximate == "tanh");
  return plain(x, bias, approximate);
}

}  // namespace

void defineGelu(torch::Library& m) {
  m.def("bias_gelu(Tensor x, Tensor bias, *, str approximate=\"none\") -> Tensor", biasGelu);
}

}  // namespace omni
