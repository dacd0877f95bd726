// Attention on packed projections: [B, N, 3W] (or queries [B, N, W] and packed keys and values [B, M, 2W]) to
// [B, N, W], without splitting heads, transposing or copying. Each head's products run in float32 in the cache.
#include "kernel_support.h"
#include <ATen/ops/matmul.h>
#include <cmath>

namespace omni {
namespace {

constexpr int64_t kRows = 64;  // rows of scores at a time: the block stays in the second-level cache

// One of q, k, v inside a packed tensor: head h of batch b starts at data + b·batch + h·D, rows are `row` apart.
struct Packed {
  char* data;
  int64_t batch, row;
  int element;  // bytes
  const float* f(int64_t offset) const { return reinterpret_cast<const float*>(data) + offset; }
  char* at(int64_t offset) const { return data + offset * element; }
};

Packed packed(const at::Tensor& t, int64_t offset) {
  int element = int(t.element_size());
  return {static_cast<char*>(t.data_ptr()) + offset * element, t.stride(0), t.stride(1), element};
}

struct Shape {
  int64_t batch, heads, queries, keys, depth;  // depth: channels of a head
  float scale;
  const bool* seen;  // [batch, keys] or null
};

// Reads rows [from, to) of a head as float32, `ld` apart, times `scale`; or transposed, as columns.
void readRows(const Packed& p, int64_t start, int64_t rows, int64_t depth, float* out, int64_t ld, float scale) {
  for (int64_t r = 0; r < rows; r++) {
    float* y = out + r * ld;
    const char* x = p.at(start + r * p.row);
    if (p.element == 4) std::copy_n(reinterpret_cast<const float*>(x), depth, y);
    else simd::loops().widen(reinterpret_cast<const simd::BFloat16*>(x), y, depth);
    if (scale != 1)
      for (int64_t i = 0; i < depth; i++) y[i] *= scale;
    std::fill(y + depth, y + ld, 0.f);
  }
}
void transpose(const float* x, int64_t rows, int64_t columns, int64_t ldx, float* y, int64_t ldy) {
  for (int64_t c = 0; c < columns; c++) {
    for (int64_t r = 0; r < rows; r++) y[c * ldy + r] = x[r * ldx + c];
    std::fill(y + c * ldy + rows, y + (c + 1) * ldy, 0.f);
  }
}
void writeRows(const float* x, int64_t ld, int64_t rows, int64_t depth, const Packed& p, int64_t start) {
  for (int64_t r = 0; r < rows; r++) {
    char* y = p.at(start + r * p.row);
    if (p.element == 4) std::copy_n(x + r * ld, depth, reinterpret_cast<float*>(y));
    else simd::loops().narrow(x + r * ld, reinterpret_cast<simd::BFloat16*>(y), depth);
  }
}

int64_t padded(int64_t n) {
  int64_t w = simd::loops().width;
  return (n + w - 1) / w * w;
}

// weights [B, H, N, M] keeps the softmax for the gradient; it may be undefined when none is wanted.
void attentionForward(const Shape& s, const Packed& q, const Packed& k, const Packed& v, const Packed& out, const at::Tensor& weights) {
  const auto& loops = simd::loops();
  int64_t d = padded(s.depth), m = padded(s.keys);
  Packed kept = weights.defined() ? Packed{static_cast<char*>(weights.data_ptr()), 0, s.keys, int(weights.element_size())} : Packed{nullptr, 0, 0, 0};
  at::parallel_for(0, s.batch * s.heads, 1, [&](int64_t first, int64_t last) {
    std::vector<float> buffer(s.keys * d * 2 + s.depth * m + kRows * (2 * d + m));
    float *rows = buffer.data(), *values = rows + s.keys * d, *keysT = values + s.keys * d, *queries = keysT + s.depth * m,
          *scores = queries + kRows * d, *result = scores + kRows * m;
    for (int64_t i = first; i < last; i++) {
      int64_t b = i / s.heads, channel = i % s.heads * s.depth;
      readRows(k, b * k.batch + channel, s.keys, s.depth, rows, d, 1);
      transpose(rows, s.keys, s.depth, d, keysT, m);
      readRows(v, b * v.batch + channel, s.keys, s.depth, values, d, 1);
      for (int64_t n = 0; n < s.queries; n += kRows) {
        int64_t count = std::min(kRows, s.queries - n);
        readRows(q, b * q.batch + n * q.row + channel, count, s.depth, queries, d, s.scale);
        loops.gemm(queries, d, 1, keysT, m, scores, m, count, m, s.depth, false);
        loops.softmax(scores, count, s.keys, m, s.seen ? s.seen + b * s.keys : nullptr);
        if (kept.data) writeRows(scores, m, count, s.keys, kept, (i * s.queries + n) * s.keys);
        loops.gemm(scores, m, 1, values, d, result, d, count, d, s.keys, false);
        writeRows(result, d, count, s.depth, out, b * out.batch + n * out.row + channel);
      }
    }
  });
}

void attentionBackward(const Shape& s, const Packed& q, const Packed& k, const Packed& v, const at::Tensor& weights, const Packed& dout, const Packed& dq, const Packed& dk, const Packed& dv) {
  const auto& loops = simd::loops();
  int64_t d = padded(s.depth), m = padded(s.keys);
  Packed kept{static_cast<char*>(weights.data_ptr()), 0, s.keys, int(weights.element_size())};
  at::parallel_for(0, s.batch * s.heads, 1, [&](int64_t first, int64_t last) {
    std::vector<float> buffer(s.keys * d * 4 + s.depth * m + kRows * (3 * d + 2 * m));
    float *keys = buffer.data(), *rows = keys + s.keys * d, *dkeys = rows + s.keys * d, *dvalues = dkeys + s.keys * d, *valuesT = dvalues + s.keys * d,
          *queries = valuesT + s.depth * m, *dresult = queries + kRows * d, *dqueries = dresult + kRows * d, *p = dqueries + kRows * d, *dp = p + kRows * m;
    for (int64_t i = first; i < last; i++) {
      int64_t b = i / s.heads, channel = i % s.heads * s.depth;
      readRows(k, b * k.batch + channel, s.keys, s.depth, keys, d, 1);
      readRows(v, b * v.batch + channel, s.keys, s.depth, rows, d, 1);
      transpose(rows, s.keys, s.depth, d, valuesT, m);
      for (int64_t n = 0; n < s.queries; n += kRows) {
        int64_t count = std::min(kRows, s.queries - n);
        bool more = n > 0;
        readRows(q, b * q.batch + n * q.row + channel, count, s.depth, queries, d, s.scale);
        readRows(dout, b * dout.batch + n * dout.row + channel, count, s.depth, dresult, d, 1);
        readRows(kept, (i * s.queries + n) * s.keys, count, s.keys, p, m, 1);
        loops.gemm(p, 1, m, dresult, d, dvalues, d, s.keys, d, count, more);          // dV += Pᵀ dO
        loops.gemm(dresult, d, 1, valuesT, m, dp, m, count, m, s.depth, false);       // dP = dO Vᵀ
        loops.softmaxBackward(dp, p, count, m);
        loops.gemm(dp, m, 1, keys, d, dqueries, d, count, d, s.keys, false);          // dQ = scale · dS K
        for (int64_t j = 0; j < count * d; j++) dqueries[j] *= s.scale;
        writeRows(dqueries, d, count, s.depth, dq, b * dq.batch + n * dq.row + channel);
        loops.gemm(dp, 1, m, queries, d, dkeys, d, s.keys, d, count, more);           // dK += dSᵀ (scale · Q)
      }
      writeRows(dkeys, d, s.keys, s.depth, dk, b * dk.batch + channel);
      writeRows(dvalues, d, s.keys, s.depth, dv, b * dv.batch + channel);
    }
  });
}

const bool* maskData(const at::Tensor& mask) { return mask.defined() ? mask.data_ptr<bool>() : nullptr; }

Shape shapeOf(const at::Tensor& q, int64_t width, int64_t keys, int64_t heads, const at::Tensor& mask) {
  int64_t depth = width / heads;
  return {q.size(0), heads, q.size(1), keys, depth, 1 / std::sqrt(float(depth)), maskData(mask)};
}

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, int64_t heads, const at::Tensor& mask, bool keep) {
    at::Tensor qkv = input.contiguous();
    int64_t width = qkv.size(2) / 3;
    Shape s = shapeOf(qkv, width, qkv.size(1), heads, mask);
    at::Tensor out = at::empty({s.batch, s.queries, width}, qkv.options());
    at::Tensor weights = keep ? at::empty({s.batch, heads, s.queries, s.keys}, qkv.options()) : at::Tensor();
    attentionForward(s, packed(qkv, 0), packed(qkv, width), packed(qkv, 2 * width), packed(out, 0), weights);
    ctx->save_for_backward({qkv, weights});
    ctx->saved_data["heads"] = heads;
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuseSecondDerivative("attention_packed_qkv");
    auto saved = ctx->get_saved_variables();
    at::Tensor qkv = saved[0], dout = grads[0].contiguous(), dqkv = at::empty_like(qkv);
    int64_t width = qkv.size(2) / 3;
    Shape s = shapeOf(qkv, width, qkv.size(1), ctx->saved_data["heads"].toInt(), {});
    attentionBackward(s, packed(qkv, 0), packed(qkv, width), packed(qkv, 2 * width), saved[1], packed(dout, 0), packed(dqkv, 0), packed(dqkv, width), packed(dqkv, 2 * width));
    return {dqkv, {}, {}, {}};
  }
};

struct CrossAttention : torch::autograd::Function<CrossAttention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& queries, const at::Tensor& keysValues, int64_t heads, const at::Tensor& mask, bool keep) {
    at::Tensor q = queries.contiguous(), kv = keysValues.contiguous();
    int64_t width = q.size(2);
    Shape s = shapeOf(q, width, kv.size(1), heads, mask);
    at::Tensor out = at::empty_like(q);
    at::Tensor weights = keep ? at::empty({s.batch, heads, s.queries, s.keys}, q.options()) : at::Tensor();
    attentionForward(s, packed(q, 0), packed(kv, 0), packed(kv, width), packed(out, 0), weights);
    ctx->save_for_backward({q, kv, weights});
    ctx->saved_data["heads"] = heads;
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuseSecondDerivative("attention_packed_kv");
    auto saved = ctx->get_saved_variables();
    at::Tensor q = saved[0], kv = saved[1], dout = grads[0].contiguous(), dq = at::empty_like(q), dkv = at::empty_like(kv);
    int64_t width = q.size(2);
    Shape s = shapeOf(q, width, kv.size(1), ctx->saved_data["heads"].toInt(), {});
    attentionBackward(s, packed(q, 0), packed(kv, 0), packed(kv, width), saved[2], packed(dout, 0), packed(dq, 0), packed(dkv, 0), packed(dkv, width));
    return {dq, dkv, {}, {}, {}};
  }
};

// softmax(q kᵀ / √D) v by LibTorch's own operators: other devices and dtypes.
at::Tensor plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads, const at::Tensor& mask) {
  auto split = [&](const at::Tensor& t) { return t.reshape({t.size(0), t.size(1), heads, t.size(2) / heads}).transpose(1, 2); };
  at::Tensor scores = at::matmul(split(q) / std::sqrt(double(q.size(2) / heads)), split(k).transpose(2, 3));
  if (mask.defined()) scores = scores.masked_fill(mask.logical_not().unsqueeze(1).unsqueeze(1), -INFINITY);
  return at::matmul(scores.softmax(-1).to(v.scalar_type()), split(v)).transpose(1, 2).reshape(q.sizes());
}

at::Tensor checkedMask(const c10::optional<at::Tensor>& mask, int64_t batch, int64_t keys) {
  if (!mask || !mask->defined()) return {};
  TORCH_CHECK(mask->scalar_type() == at::kBool && mask->dim() == 2 && mask->size(0) == batch && mask->size(1) == keys,
              "the key mask must be bool [", batch, ", ", keys, "]");
  return mask->contiguous();
}
bool wantsGradient(const at::Tensor& t) { return at::GradMode::is_enabled() && t.requires_grad(); }

at::Tensor attentionPackedQkv(const at::Tensor& qkv, int64_t heads, const c10::optional<at::Tensor>& keyMask) {
  TORCH_CHECK(heads > 0 && qkv.dim() == 3 && qkv.size(2) % (3 * heads) == 0, "expected qkv of [B, N, 3 · heads · D] with ", heads, " heads");
  at::Tensor mask = checkedMask(keyMask, qkv.size(0), qkv.size(1));
  if (isFast(qkv)) return SelfAttention::apply(qkv, heads, mask, wantsGradient(qkv));
  auto parts = qkv.chunk(3, 2);
  return plain(parts[0], parts[1], parts[2], heads, mask);
}

at::Tensor attentionPackedKv(const at::Tensor& q, const at::Tensor& kv, int64_t heads, const c10::optional<at::Tensor>& keyMask) {
  TORCH_CHECK(heads > 0 && q.dim() == 3 && kv.dim() == 3 && q.size(0) == kv.size(0) && kv.size(2) == 2 * q.size(2) && q.size(2) % heads == 0,
              "expected q of [B, N, W] and kv of [B, M, 2W], W a multiple of ", heads, " heads");
  at::Tensor mask = checkedMask(keyMask, kv.size(0), kv.size(1));
  if (isFast(q) && q.scalar_type() == kv.scalar_type()) return CrossAttention::apply(q, kv, heads, mask, wantsGradient(q) || wantsGradient(kv));
  auto parts = kv.chunk(2, 2);
  return plain(q, parts[0], parts[1], heads, mask);
}

TORCH_LIBRARY_FRAGMENT(omni_id, m) {
  m.def("attention_packed_qkv(Tensor qkv, int heads, Tensor? key_mask=None) -> Tensor", attentionPackedQkv);
  m.def("attention_packed_kv(Tensor q, Tensor kv, int heads, Tensor? key_mask=None) -> Tensor", attentionPackedKv);
}

}  // namespace
}  // namespace omni
