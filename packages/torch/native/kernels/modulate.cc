// adaLN, what stands around each layer of a diffusion transformer's blocks: a LayerNorm that every picture scales and shifts
// in its own way, and a residual that every picture gates. One pass each, forward and backward; the norm comes in the dtype
// of the products that follow.
#include "../compat.h"
#include "kernel_support.h"
#include <ATen/ops/addcmul.h>
#include <ATen/ops/layer_norm.h>

namespace omni {
namespace {

constexpr int64_t kGrain = 32;  // rows a thread takes at least

// x [B, S, W] and what each picture has of its own, [B, 1, W].
struct Sizes {
  int64_t batch, rows, width;
  explicit Sizes(const at::Tensor& x) : batch(x.size(0)), rows(x.size(1)), width(x.size(2)) {}
};

// Runs body(picture, its first row, its last row, partial sums[sums] of the picture); sums [B, sums], in an order that does not
// depend on timing.
template <class Body>
at::Tensor sumsByPicture(const Sizes& size, int64_t sums, const Body& body) {
  if (size.batch < at::get_num_threads()) {
    at::Tensor all = at::empty({size.batch, sums}, at::kFloat);
    for (int64_t b = 0; b < size.batch; b++)
      all[b].copy_(parallelSums(size.rows, kGrain, sums, [&](int64_t first, int64_t last, float* partial) { body(b, first, last, partial); }));
    return all;
  }
  at::Tensor all = at::zeros({size.batch, sums}, at::kFloat);
  float* p = f32(all);
  inParallel(0, size.batch, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) body(b, 0, size.rows, p + b * sums);
  });
  return all;
}

// Runs body(picture, its first row, its last row) over all rows of all pictures.
template <class Body>
void overPictures(const Sizes& size, const Body& body) {
  inParallel(0, size.batch * size.rows, kGrain, [&](int64_t first, int64_t last) {
    while (first < last) {
      int64_t b = first / size.rows, end = std::min(last, (b + 1) * size.rows);
      body(b, first - b * size.rows, end - b * size.rows);
      first = end;
    }
  });
}

template <class Run>
void byType(bool isBf16, const Run& run) {
  const simd::Table& t = simd::table();
  isBf16 ? run(t.normFB, bf16) : run(t.normFF, f32);
}

at::Tensor plainNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& factor, double eps) {
  return at::addcmul(shift, at::layer_norm(x, {x.size(2)}, {}, {}, eps), factor);
}

// x float; shift and factor = 1 + scale float, [B, 1, W]; all contiguous.
struct ModulatedNorm : torch::autograd::Function<ModulatedNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& shift, const at::Tensor& factor, double eps, bool yBf16) {
    Sizes size(x);
    at::Tensor y = at::empty_like(x, x.options().dtype(yBf16 ? at::kBFloat16 : at::kFloat));
    at::Tensor mean = at::empty({size.batch * size.rows}, x.options()), rstd = at::empty_like(mean);
    overPictures(size, [&](int64_t b, int64_t first, int64_t last) {
      int64_t row = b * size.rows + first, at = row * size.width, own = b * size.width;
      byType(yBf16, [&](const auto& loops, auto out) {
        loops.forward(f32(x) + at, nullptr, f32(factor) + own, f32(shift) + own, float(eps), nullptr, out(y) + at, f32(mean) + row,
                      f32(rstd) + row, last - first, size.width);
      });
    });
    ctx->save_for_backward({x, shift, factor, mean, rstd});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["yBf16"] = yBf16;
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    at::Tensor x = saved[0], shift = saved[1], factor = saved[2], mean = saved[3], rstd = saved[4];
    bool yBf16 = ctx->saved_data["yBf16"].toBool();
    auto yType = yBf16 ? at::kBFloat16 : at::kFloat;
    if (at::GradMode::is_enabled()) {
      double eps = ctx->saved_data["eps"].toDouble();
      auto g = recordedGradients({x, shift, factor}, grads, [&](const variable_list& in) -> variable_list {
        return {plainNorm(in[0], in[1], in[2], eps).to(yType)};
      });
      return {g[0], g[1], g[2], {}, {}};
    }
    Sizes size(x);
    at::Tensor dy = dense(grads[0].to(yType)), dx = at::empty_like(x);
    at::Tensor sums = sumsByPicture(size, 2 * size.width, [&](int64_t b, int64_t first, int64_t last, float* partial) {
      int64_t row = b * size.rows + first, at = row * size.width;
      byType(yBf16, [&](const auto& loops, auto in) {
        loops.backward(f32(x) + at, in(dy) + at, nullptr, f32(factor) + b * size.width, f32(mean) + row, f32(rstd) + row, f32(dx) + at,
                       nullptr, partial, partial + size.width, last - first, size.width);
      });
    });
    return {dx, sums.narrow(1, size.width, size.width).unsqueeze(1), sums.narrow(1, 0, size.width).unsqueeze(1), {}, {}};
  }
};

// x and gate [B, 1, W] float; delta float or bfloat16; all contiguous.
struct GatedAdd : torch::autograd::Function<GatedAdd> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& gate, const at::Tensor& delta) {
    Sizes size(x);
    const auto& loops = simd::loops();
    at::Tensor y = at::empty_like(x);
    overPictures(size, [&](int64_t b, int64_t first, int64_t last) {
      int64_t at = (b * size.rows + first) * size.width;
      const float* own = f32(gate) + b * size.width;
      if (delta.scalar_type() == at::kFloat) loops.gatedAdd(f32(x) + at, own, f32(delta) + at, f32(y) + at, last - first, size.width);
      else loops.gatedAddBf16(f32(x) + at, own, bf16(delta) + at, f32(y) + at, last - first, size.width);
    });
    ctx->save_for_backward({gate, delta});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    at::Tensor gate = saved[0], delta = saved[1];
    if (at::GradMode::is_enabled()) {
      auto g = recordedGradients(saved, grads, [&](const variable_list& in) -> variable_list { return {in[0] * in[1]}; });
      return {grads[0], g[0], g[1]};
    }
    Sizes size(delta);
    const auto& loops = simd::loops();
    at::Tensor dy = dense(grads[0].to(at::kFloat)), ddelta = at::empty_like(delta);
    at::Tensor dgate = sumsByPicture(size, size.width, [&](int64_t b, int64_t first, int64_t last, float* partial) {
      int64_t at = (b * size.rows + first) * size.width;
      const float* own = f32(gate) + b * size.width;
      if (delta.scalar_type() == at::kFloat)
        loops.gatedAddBackward(f32(dy) + at, own, f32(delta) + at, f32(ddelta) + at, partial, last - first, size.width);
      else loops.gatedAddBackwardBf16(f32(dy) + at, own, bf16(delta) + at, bf16(ddelta) + at, partial, last - first, size.width);
    });
    return {grads[0], dgate.unsqueeze(1), ddelta};
  }
};

void checkOwn(const char* name, const at::Tensor& own, const at::Tensor& x) {
  bool fits = own.dim() == 3 && (own.size(0) == x.size(0) || own.size(0) == 1) && own.size(1) == 1 && own.size(2) == x.size(2);
  TORCH_CHECK(fits, name, " must be [", x.size(0), ", 1, ", x.size(2), "], got ", own.sizes());
}
at::Tensor own(const at::Tensor& t, const at::Tensor& x) { return dense(t.expand({x.size(0), 1, x.size(2)})); }

at::Tensor modulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale, double eps) {
  TORCH_CHECK(x.dim() == 3, "x must be [B, S, W], got ", x.sizes());
  checkOperands({{"x", x}, {"shift", shift}, {"scale", scale}});
  checkOwn("shift", shift, x);
  checkOwn("scale", scale, x);
  bool lower = productsAreBf16();
  // Under autocast a LayerNorm is computed in float32, whatever comes in.
  bool wide = isFloat(x) || (lower && isFast(x));
  if (wide && isFloat(shift) && isFloat(scale) && x.numel() > 0)
    return ModulatedNorm::apply(dense(x.to(at::kFloat)), own(shift, x), own(scale, x) + 1, eps, lower);
  return plainNorm(x, shift, scale + 1, eps);
}

at::Tensor gatedAdd(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& delta) {
  TORCH_CHECK(x.dim() == 3 && x.sizes() == delta.sizes(), "x and delta must be [B, S, W] both, got ", x.sizes(), " and ", delta.sizes());
  checkOperands({{"x", x}, {"gate", gate}, {"delta", delta}});
  checkOwn("gate", gate, x);
  // Where all is bfloat16 the sum is, too.
  bool toFloat = isFloat(x) || isFloat(gate) || isFloat(delta);
  if (toFloat && isFast(x) && isFast(gate) && isFast(delta) && x.numel() > 0)
    return GatedAdd::apply(dense(x.to(at::kFloat)), own(gate.to(at::kFloat), x), dense(delta));
  return at::addcmul(x, gate, delta);
}

}  // namespace

void defineModulate(torch::Library& m) {
  m.def("modulated_norm(Tensor x, Tensor shift, Tensor scale, *, float eps=1e-06) -> Tensor", modulatedNorm);
  m.def("gated_add(Tensor x, Tensor gate, Tensor delta) -> Tensor", gatedAdd);
}

}  // namespace omni
