// LayerNorm, and residual + LayerNorm, in one pass. Under autocast the result comes in the products' dtype: the cast
// that would follow costs nothing here.
#include "../compat.h"
#include "kernel_support.h"
#include <ATen/ops/layer_norm.h>

namespace omni {
namespace {

constexpr int64_t kGrain = 32;

template <class Run>
void byType(bool deltaBf16, bool yBf16, const Run& run) {
  const simd::Table& t = simd::table();
  if (deltaBf16) yBf16 ? run(t.normBB, bf16, bf16) : run(t.normBF, bf16, f32);
  else yBf16 ? run(t.normFB, f32, bf16) : run(t.normFF, f32, f32);
}

at::Tensor plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  return at::layer_norm(x, weight.sizes(), weight.to(x.scalar_type()), bias.to(x.scalar_type()), eps);
}

// Saves what both operators' gradients need.
void save(AutogradContext* ctx, const at::Tensor& sum, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean, const at::Tensor& rstd, double eps, bool yBf16) {
  ctx->save_for_backward({sum, weight, mean, rstd, bias});
  ctx->saved_data["eps"] = eps;
  ctx->saved_data["yBf16"] = yBf16;
}

variable_list recordedNormGradients(AutogradContext* ctx, const at::Tensor& dy) {  // by sum, weight and bias
  auto saved = ctx->get_saved_variables();
  double eps = ctx->saved_data["eps"].toDouble();
  auto type = ctx->saved_data["yBf16"].toBool() ? at::kBFloat16 : at::kFloat;
  return recordedGradients({saved[0], saved[1], saved[4]}, {dy}, [&](const variable_list& in) -> variable_list { return {plain(in[0], in[1], in[2], eps).to(type)}; });
}

struct Gradients {
  at::Tensor dx, ddelta, dweight, dbias;
};
Gradients normGradients(AutogradContext* ctx, const at::Tensor& dsum, const at::Tensor& dyGiven, bool deltaBf16) {
  auto saved = ctx->get_saved_variables();
  at::Tensor sum = saved[0], weight = saved[1], mean = saved[2], rstd = saved[3];
  bool yBf16 = ctx->saved_data["yBf16"].toBool();
  auto yType = yBf16 ? at::kBFloat16 : at::kFloat;
  at::Tensor dy = dyGiven.defined() ? dense(dyGiven.to(yType)) : at::zeros_like(sum, sum.options().dtype(yType));
  at::Tensor ds = dsum.defined() ? dense(dsum.to(at::kFloat)) : at::Tensor();
  at::Tensor dx = at::empty_like(sum), ddelta = deltaBf16 ? at::empty_like(sum, sum.options().dtype(at::kBFloat16)) : at::Tensor();
  int64_t n = sum.size(-1), rows = sum.numel() / n;
  at::Tensor sums = parallelSums(rows, kGrain, 2 * n, [&](int64_t first, int64_t last, float* partial) {
    int64_t at = first * n;
    byType(deltaBf16, yBf16, [&](const auto& loops, auto delta, auto y) {
      loops.backward(f32(sum) + at, y(dy) + at, ds.defined() ? f32(ds) + at : nullptr, f32(weight), f32(mean) + first, f32(rstd) + first,
                     f32(dx) + at, ddelta.defined() ? delta(ddelta) + at : nullptr, partial, partial + n, last - first, n);
    });
  });
  return {dx, ddelta, sums.slice(0, 0, n), sums.slice(0, n)};
}

struct Outputs {
  at::Tensor y, mean, rstd;
};
Outputs normForward(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, const at::Tensor& bias, double eps, bool yBf16, const at::Tensor& sum) {
  int64_t n = x.size(-1), rows = x.numel() / n;
  Outputs o{at::empty_like(x, x.options().dtype(yBf16 ? at::kBFloat16 : at::kFloat)), at::empty({rows}, x.options()), at::empty({rows}, x.options())};
  bool deltaBf16 = delta.defined() && delta.scalar_type() == at::kBFloat16;
  inParallel(0, rows, kGrain, [&](int64_t first, int64_t last) {
    int64_t at = first * n;
    byType(deltaBf16, yBf16, [&](const auto& loops, auto d, auto y) {
      loops.forward(f32(x) + at, delta.defined() ? d(delta) + at : nullptr, f32(weight), f32(bias), float(eps),
                    sum.defined() ? f32(sum) + at : nullptr, y(o.y) + at, f32(o.mean) + first, f32(o.rstd) + first, last - first, n);
    });
  });
  return o;
}

// All operands contiguous.
struct AddLayerNorm : torch::autograd::Function<AddLayerNorm> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, const at::Tensor& bias, double eps, bool yBf16) {
    at::Tensor sum = at::empty(x.sizes(), x.options());
    Outputs o = normForward(x, delta, weight, bias, eps, yBf16, sum);
    save(ctx, sum, weight, bias, o.mean, o.rstd, eps, yBf16);
    ctx->saved_data["deltaBf16"] = delta.scalar_type() == at::kBFloat16;
    return {sum, o.y};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    bool deltaBf16 = ctx->saved_data["deltaBf16"].toBool();
    if (at::GradMode::is_enabled()) {
      auto r = recordedNormGradients(ctx, grads[1]);
      at::Tensor dx = r[0].defined() ? grads[0] + r[0] : grads[0];
      return {dx, dx.to(deltaBf16 ? at::kBFloat16 : at::kFloat), r[1], r[2], {}, {}};
    }
    auto g = normGradients(ctx, grads[0], grads[1], deltaBf16);
    return {g.dx, g.ddelta.defined() ? g.ddelta : g.dx, g.dweight, g.dbias, {}, {}};
  }
};

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps, bool yBf16) {
    Outputs o = normForward(x, {}, weight, bias, eps, yBf16, {});
    save(ctx, x, weight, bias, o.mean, o.rstd, eps, yBf16);
    return o.y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (at::GradMode::is_enabled()) {
      auto r = recordedNormGradients(ctx, grads[0]);
      return {r[0], r[1], r[2], {}, {}};
    }
    auto g = normGradients(ctx, {}, grads[0], false);
    return {g.dx, g.dweight, g.dbias, {}, {}};
  }
};

at::Tensor layerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  TORCH_CHECK(x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1) && bias.sizes() == weight.sizes(), "weight and bias must have one number a channel of x");
  checkOperands({{"x", x}, {"weight", weight}, {"bias", bias}});
  if (isFloat(x) && isFloat(weight) && isFloat(bias) && x.numel() > 0) return LayerNorm::apply(dense(x), dense(weight), dense(bias), eps, productsAreBf16());
  return plain(x, weight, bias, eps);
}

std::tuple<at::Tensor, at::Tensor> addLayerNorm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  TORCH_CHECK(x.sizes() == delta.sizes(), "x and delta must have one shape");
  TORCH_CHECK(x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1) && bias.sizes() == weight.sizes(), "weight and bias must have one number a channel of x");
  checkOperands({{"x", x}, {"delta", delta}, {"weight", weight}, {"bias", bias}});
  if (isFloat(x) && isFast(delta) && isFloat(weight) && isFloat(bias) && x.numel() > 0) {
    auto r = AddLayerNorm::apply(dense(x), dense(delta), dense(weight), dense(bias), eps, productsAreBf16());
    return {r[0], r[1]};
  }
  at::Tensor sum = x + delta;
  return {sum, plain(sum, weight, bias, eps)};
}

}  // namespace

void defineLayerNorm(torch::Library& m) {
  m.def("layer_norm(Tensor x, Tensor weight, Tensor bias, *, float eps=1e-05) -> Tensor", layerNorm);
  m.def("add_layer_norm(Tensor x, Tensor delta, Tensor weight, Tensor bias, *, float eps=1e-05) -> (Tensor, Tensor)", addLayerNorm);
}

}  // namespace omni
