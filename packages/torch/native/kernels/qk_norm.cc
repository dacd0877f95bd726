// RMSNorm of queries and keys and their rotary positions, on the packed projection [B, N, 3W], in one pass.
#include "kernel_support.h"
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

namespace omni {
namespace {

constexpr int64_t kGrain = 16;  // tokens a thread takes at least

// By plain operators, for other devices and dtypes; scale [2, D] of queries and keys.
at::Tensor plain(const at::Tensor& qkv, const at::Tensor& scale, const at::Tensor& turns, int64_t heads, double eps) {
  int64_t batch = qkv.size(0), tokens = qkv.size(1), width = qkv.size(2) / 3, depth = width / heads;
  auto type = qkv.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  at::Tensor both = qkv.narrow(2, 0, 2 * width).reshape({batch, tokens, 2, heads, depth}).to(type);
  at::Tensor factor = scale.to(type).view({2, 1, depth});
  at::Tensor pairs = (both * (both.square().mean(-1, true) + eps).rsqrt() * factor).unflatten(-1, {depth / 2, 2});
  at::Tensor angle = turns.to(type).unflatten(-1, {depth / 2, 2}).unsqueeze(-3).unsqueeze(-3);
  at::Tensor c = angle.select(-1, 0), s = angle.select(-1, 1), a = pairs.select(-1, 0), b = pairs.select(-1, 1);
  at::Tensor turned = at::stack({a * c - b * s, a * s + b * c}, -1).reshape({batch, tokens, 2 * width});
  return at::cat({turned.to(qkv.scalar_type()), qkv.narrow(2, 2 * width, width)}, -1);
}

// qkv, scale [2, D] and turns contiguous, the last two float.
struct QkNormRope : torch::autograd::Function<QkNormRope> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& scale, const at::Tensor& t, int64_t heads, double eps) {
    at::Tensor y = at::empty_like(x);
    ctx->save_for_backward({x, scale, t});
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["eps"] = eps;
    Rows r(x, t, heads);
    const auto& loops = simd::loops();
    inParallel(0, r.count, kGrain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) {
        int64_t at = i * r.width;
        if (x.scalar_type() == at::kFloat) loops.qkNorm(f32(x) + at, f32(scale), r.turnsOf(i), float(eps), f32(y) + at, heads, r.depth);
        else loops.qkNormBf16(bf16(x) + at, f32(scale), r.turnsOf(i), float(eps), bf16(y) + at, heads, r.depth);
      }
    });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    at::Tensor x = saved[0], scale = saved[1], t = saved[2];
    int64_t heads = ctx->saved_data["heads"].toInt();
    double epsilon = ctx->saved_data["eps"].toDouble();
    if (at::GradMode::is_enabled()) {
      auto g = recordedGradients({x, scale}, grads, [&](const variable_list& in) -> variable_list { return {plain(in[0], in[1], t, heads, epsilon)}; });
      return {g[0], g[1], {}, {}, {}};
    }
    at::Tensor dy = dense(grads[0].to(x.scalar_type())), dx = at::empty_like(x);
    float eps = float(epsilon);
    Rows r(x, t, heads);
    const auto& loops = simd::loops();
    at::Tensor dscale = parallelSums(r.count, kGrain, 2 * r.depth, [&](int64_t first, int64_t last, float* sums) {
      for (int64_t i = first; i < last; i++) {
        int64_t at = i * r.width;
        if (x.scalar_type() == at::kFloat)
          loops.qkNormBackward(f32(x) + at, f32(scale), r.turnsOf(i), eps, f32(dy) + at, f32(dx) + at, sums, heads, r.depth);
        else
          loops.qkNormBackwardBf16(bf16(x) + at, f32(scale), r.turnsOf(i), eps, bf16(dy) + at, bf16(dx) + at, sums, heads, r.depth);
      }
    });
    return {dx, dscale.view({2, r.depth}), {}, {}, {}};
  }

 private:
  struct Rows {
    int64_t count, width, depth, tokens;
    const float* turns;
    bool shared;  // all images have the same positions
    Rows(const at::Tensor& x, const at::Tensor& t, int64_t heads)
        : count(x.size(0) * x.size(1)), width(x.size(2)), depth(x.size(2) / (3 * heads)), tokens(x.size(1)), turns(f32(t)), shared(t.dim() == 2) {}
    const float* turnsOf(int64_t row) const { return turns + (shared ? row % tokens : row) * depth; }
  };
};

at::Tensor qkNormRope(const at::Tensor& qkv, const at::Tensor& queryScale, const at::Tensor& keyScale, const at::Tensor& turns, int64_t heads, double eps) {
  TORCH_CHECK(qkv.dim() == 3 && heads > 0 && qkv.size(2) % (6 * heads) == 0, "expected qkv of [B, N, 3 · heads · D] with an even D");
  int64_t depth = qkv.size(2) / (3 * heads);
  TORCH_CHECK(queryScale.dim() == 1 && queryScale.size(0) == depth && keyScale.sizes() == queryScale.sizes(), "each scale must have one number a channel of a head");
  bool fits = (turns.dim() == 2 || (turns.dim() == 3 && turns.size(0) == qkv.size(0))) && turns.size(-2) == qkv.size(1) && turns.size(-1) == depth;
  TORCH_CHECK(fits, "turns must be [N, D] or [B, N, D]");
  checkOperands({{"qkv", qkv}, {"query_scale", queryScale}, {"key_scale", keyScale}, {"turns", turns}});
  at::Tensor scale = at::stack({queryScale, keyScale});
  bool fast = isFast(qkv) && isFast(scale) && isFast(turns) && turns.scalar_type() == at::kFloat && !wantsGradient(turns) && qkv.numel() > 0;
  if (fast) return QkNormRope::apply(dense(qkv), dense(scale.to(at::kFloat)), dense(turns), heads, eps);
  return plain(qkv, scale, turns, heads, eps);
}

}  // namespace

void defineQkNorm(torch::Library& m) {
  m.def("qk_norm_rope(Tensor qkv, Tensor query_scale, Tensor key_scale, Tensor turns, int heads, float eps=1e-06) -> Tensor", qkNormRope);
}

}  // namespace omni
