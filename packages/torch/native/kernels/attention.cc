// Attention on packed projections: [B, N, 3W] (or queries [B, N, W] and packed keys and values [B, M, 2W]) to
// [B, N, W], without splitting heads, transposing or copying. Each head is computed in the cache.
#include "../compat.h"
#include "kernel_support.h"
#include <ATen/ops/matmul.h>
#include <cmath>
#include <cstring>

namespace omni {
namespace {

constexpr int64_t kRows = 64;  // rows of scores at a time: the block stays in the second-level cache

// One of q, k, v inside a packed tensor: head h of batch b starts at data + b·batch + h·D, rows are `row` apart.
struct Packed {
  char* data;
  int64_t batch, row;
  bool half;
  char* at(int64_t offset) const { return data + offset * (half ? 2 : 4); }
};
Packed packed(const at::Tensor& t, int64_t offset) {
  bool half = t.scalar_type() == at::kBFloat16;
  return {static_cast<char*>(t.data_ptr()) + offset * (half ? 2 : 4), t.stride(0), t.stride(1), half};
}

struct Shape {
  int64_t batch, heads, queries, keys, depth;  // depth: channels of a head
  float scale;
  const bool* seen;  // [batch, keys] or null
};

// Products run on words: floats, or pairs of bfloat16 where the tensors are bfloat16 and the processor multiplies them.
template <bool Pairs>
struct Products {
  using Element = std::conditional_t<Pairs, simd::BFloat16, float>;
  using Word = simd::Word;
  static constexpr int kPerWord = Pairs ? 2 : 1;
  static const simd::Loops& loops() { return simd::loops(); }
  static simd::Loops::Product product() { return Pairs ? loops().pairs : loops().floats; }
  static int64_t words(int64_t n) { return (n + kPerWord - 1) / kPerWord; }
  static const Word* asWords(const Element* x) { return reinterpret_cast<const Word*>(x); }

  // Rows of a head, `ld` elements apart, the rest 0.
  static void read(const Packed& p, int64_t start, int64_t rows, int64_t n, Element* out, int64_t ld) {
    for (int64_t r = 0; r < rows; r++, out += ld) {
      const char* x = p.at(start + r * p.row);
      if constexpr (Pairs) std::memcpy(out, x, n * 2);
      else if (p.half) loops().widen(reinterpret_cast<const simd::BFloat16*>(x), out, n);
      else std::memcpy(out, x, n * 4);
      std::memset(static_cast<void*>(out + n), 0, (ld - n) * sizeof(Element));
    }
  }
  static void write(float* x, int64_t ld, int64_t rows, int64_t n, float scale, const Packed& p, int64_t start) {
    for (int64_t r = 0; r < rows; r++, x += ld) {
      char* y = p.at(start + r * p.row);
      if (scale != 1)
        for (int64_t i = 0; i < n; i++) x[i] *= scale;
      if (p.half) loops().narrow(x, reinterpret_cast<simd::BFloat16*>(y), n);
      else std::memcpy(y, x, n * 4);
    }
  }
  static void keep(const Element* x, int64_t ld, int64_t rows, int64_t n, const Packed& p, int64_t start) {
    for (int64_t r = 0; r < rows; r++, x += ld) {
      char* y = p.at(start + r * p.row);
      if (sizeof(Element) == 4 && p.half) loops().narrow(reinterpret_cast<const float*>(x), reinterpret_cast<simd::BFloat16*>(y), n);
      else std::memcpy(y, x, n * sizeof(Element));
    }
  }
  // The right operand of x · yᵀ: y's rows become columns, `ld` apart.
  static void transpose(const Element* y, int64_t ldy, int64_t rows, int64_t n, Word* out, int64_t ld) {
    loops().transpose(asWords(y), ldy / kPerWord, rows, words(n), out, ld);
  }
  // A matrix whose rows are summed over, as left (transposed) or right operand. Floats stay where they are.
  static const Word* overRows(const Element* x, int64_t ld, int64_t rows, Word* scratch) {
    if constexpr (Pairs) {
      loops().pairRows(x, ld, rows, ld, scratch, ld);
      return scratch;
    } else {
      return asWords(x);
    }
  }
  // Scores as operands; floats stay where they are.
  static Element* narrowed(float* x, int64_t n, Element* scratch) {
    if constexpr (Pairs) {
      loops().narrow(x, scratch, n);
      return scratch;
    } else {
      return x;
    }
  }
  static const float* widened(const Element* x, int64_t n, float* scratch) {
    if constexpr (Pairs) {
      loops().widen(x, scratch, n);
      return scratch;
    } else {
      return x;
    }
  }
};

int64_t padded(int64_t n) {
  int64_t w = simd::loops().width;
  return (n + w - 1) / w * w;
}

// Hands out pieces of one allocation per thread, each on its own cache line.
class Scratch {
 public:
  explicit Scratch(int64_t words) : memory_(words + 16 * 16) {}
  void restart() { next_ = 0; }
  template <class T>
  T* take(int64_t n) {
    T* p = reinterpret_cast<T*>(memory_.data() + next_);
    next_ += (n * int64_t(sizeof(T)) + 63) / 64 * 16;
    TORCH_INTERNAL_ASSERT(next_ <= int64_t(memory_.size()));
    return p;
  }

 private:
  std::vector<simd::Word> memory_;
  int64_t next_ = 0;
};

// `weights` [B, H, N, M] keeps the softmax for the gradient; undefined when none is wanted.
template <bool Pairs>
void forwardHeads(const Shape& s, const Packed& q, const Packed& k, const Packed& v, const Packed& out, const Packed& weights) {
  using P = Products<Pairs>;
  using Element = typename P::Element;
  const int64_t d = padded(s.depth), m = padded(s.keys);
  inParallel(0, s.batch * s.heads, 1, [&](int64_t first, int64_t last) {
    Scratch scratch(4 * s.keys * d + d * m + kRows * (2 * d + 2 * m) + 2 * d);
    auto *keys = scratch.take<Element>(s.keys * d), *values = scratch.take<Element>(s.keys * d), *queries = scratch.take<Element>(kRows * d),
         *half = scratch.take<Element>(kRows * m);
    auto *keysT = scratch.take<simd::Word>(P::words(s.depth) * m), *pairs = scratch.take<simd::Word>(P::words(s.keys) * d);
    auto *scores = scratch.take<float>(kRows * m), *result = scratch.take<float>(kRows * d);
    for (int64_t i = first; i < last; i++) {
      int64_t b = i / s.heads, channel = i % s.heads * s.depth;
      P::read(k, b * k.batch + channel, s.keys, s.depth, keys, d);
      P::transpose(keys, d, s.keys, s.depth, keysT, m);
      P::read(v, b * v.batch + channel, s.keys, s.depth, values, d);
      const simd::Word* right = P::overRows(values, d, s.keys, pairs);
      for (int64_t n = 0; n < s.queries; n += kRows) {
        int64_t count = std::min(kRows, s.queries - n);
        P::read(q, b * q.batch + n * q.row + channel, count, s.depth, queries, d);
        P::product()(P::asWords(queries), d / P::kPerWord, 1, keysT, m, scores, m, count, m, P::words(s.depth), false);
        P::loops().softmax(scores, count, s.keys, m, s.scale, s.seen ? s.seen + b * s.keys : nullptr);
        const Element* left = P::narrowed(scores, count * m, half);
        if (weights.data) P::keep(left, m, count, s.keys, weights, (i * s.queries + n) * s.keys);
        P::product()(P::asWords(left), m / P::kPerWord, 1, right, d, result, d, count, d, P::words(s.keys), false);
        P::write(result, d, count, s.depth, 1, out, b * out.batch + n * out.row + channel);
      }
    }
  });
}

// What is not seen has no gradient, not even where one that is not finite arrives.
void hide(float* scores, const bool* seen, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t r = 0; r < rows; r++, scores += ld)
    for (int64_t i = 0; i < n; i++)
      if (!seen[i]) scores[i] = 0;
}

template <bool Pairs>
void backwardHeads(const Shape& s, const Packed& q, const Packed& k, const Packed& v, const Packed& weights, const Packed& dout, const Packed& dq, const Packed& dk, const Packed& dv) {
  using P = Products<Pairs>;
  using Element = typename P::Element;
  const int64_t d = padded(s.depth), m = padded(s.keys);
  inParallel(0, s.batch * s.heads, 1, [&](int64_t first, int64_t last) {
    Scratch scratch(5 * s.keys * d + d * m + kRows * (5 * d + 5 * m) + 4 * d);
    auto *keys = scratch.take<Element>(s.keys * d), *values = scratch.take<Element>(s.keys * d), *queries = scratch.take<Element>(kRows * d),
         *dresult = scratch.take<Element>(kRows * d), *p = scratch.take<Element>(kRows * m), *half = scratch.take<Element>(kRows * m);
    auto *valuesT = scratch.take<simd::Word>(P::words(s.depth) * m), *keyPairs = scratch.take<simd::Word>(P::words(s.keys) * d),
         *queryPairs = scratch.take<simd::Word>(kRows * d), *resultPairs = scratch.take<simd::Word>(kRows * d), *scorePairs = scratch.take<simd::Word>(kRows * m);
    auto *dp = scratch.take<float>(kRows * m), *wide = scratch.take<float>(kRows * m), *dqueries = scratch.take<float>(kRows * d),
         *dkeys = scratch.take<float>(s.keys * d), *dvalues = scratch.take<float>(s.keys * d);
    for (int64_t i = first; i < last; i++) {
      int64_t b = i / s.heads, channel = i % s.heads * s.depth;
      P::read(k, b * k.batch + channel, s.keys, s.depth, keys, d);
      const simd::Word* keysRight = P::overRows(keys, d, s.keys, keyPairs);
      P::read(v, b * v.batch + channel, s.keys, s.depth, values, d);
      P::transpose(values, d, s.keys, s.depth, valuesT, m);
      for (int64_t n = 0; n < s.queries; n += kRows) {
        int64_t count = std::min(kRows, s.queries - n), depth = P::words(count);
        bool more = n > 0;
        P::read(q, b * q.batch + n * q.row + channel, count, s.depth, queries, d);
        P::read(dout, b * dout.batch + n * dout.row + channel, count, s.depth, dresult, d);
        P::read(weights, (i * s.queries + n) * s.keys, count, s.keys, p, m);
        const simd::Word* dresultRight = P::overRows(dresult, d, count, resultPairs);
        P::product()(P::overRows(p, m, count, scorePairs), 1, m, dresultRight, d, dvalues, d, s.keys, d, depth, more);  // dV += Pᵀ dO
        P::product()(P::asWords(dresult), d / P::kPerWord, 1, valuesT, m, dp, m, count, m, P::words(s.depth), false);   // dP = dO Vᵀ
        P::loops().softmaxBackward(dp, P::widened(p, count * m, wide), count, m);
        if (s.seen) hide(dp, s.seen + b * s.keys, count, s.keys, m);
        const Element* ds = P::narrowed(dp, count * m, half);
        P::product()(P::asWords(ds), m / P::kPerWord, 1, keysRight, d, dqueries, d, count, d, P::words(s.keys), false);  // dQ = dS K
        P::write(dqueries, d, count, s.depth, s.scale, dq, b * dq.batch + n * dq.row + channel);
        const simd::Word* queriesRight = P::overRows(queries, d, count, queryPairs);
        P::product()(P::overRows(ds, m, count, scorePairs), 1, m, queriesRight, d, dkeys, d, s.keys, d, depth, more);  // dK += dSᵀ Q
      }
      P::write(dkeys, d, s.keys, s.depth, s.scale, dk, b * dk.batch + channel);
      P::write(dvalues, d, s.keys, s.depth, 1, dv, b * dv.batch + channel);
    }
  });
}

// Pairs need an even number of channels: a pair must not reach into the next head.
bool usePairs(const Packed& q, const Shape& s) { return q.half && simd::loops().pairs && s.depth % 2 == 0; }

Packed packedWeights(const at::Tensor& weights) {
  if (!weights.defined()) return {nullptr, 0, 0, false};
  return {static_cast<char*>(weights.data_ptr()), 0, weights.size(3), weights.scalar_type() == at::kBFloat16};
}
double products(const Shape& s, int count) { return 2.0 * count * double(s.batch * s.heads * s.queries) * double(s.keys * s.depth); }
void attentionForward(const Shape& s, const Packed& q, const Packed& k, const Packed& v, const Packed& out, const at::Tensor& weights) {
  rehearsal::count(products(s, 2));
  (usePairs(q, s) ? forwardHeads<true> : forwardHeads<false>)(s, q, k, v, out, packedWeights(weights));
}
void attentionBackward(const Shape& s, const Packed& q, const Packed& k, const Packed& v, const at::Tensor& weights, const Packed& dout, const Packed& dq, const Packed& dk, const Packed& dv) {
  rehearsal::count(products(s, 4));
  (usePairs(q, s) ? backwardHeads<true> : backwardHeads<false>)(s, q, k, v, packedWeights(weights), dout, dq, dk, dv);
}

using Mask = c10::optional<at::Tensor>;

Shape shapeOf(const at::Tensor& q, int64_t width, int64_t keys, int64_t heads, const Mask& mask) {
  int64_t depth = width / heads;
  return {q.size(0), heads, q.size(1), keys, depth, 1 / std::sqrt(float(depth)), mask ? mask->data_ptr<bool>() : nullptr};
}

// softmax(q kᵀ / √D) v by LibTorch's own operators: other devices and dtypes, and gradients of gradients.
at::Tensor plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads, const Mask& mask) {
  auto split = [&](const at::Tensor& t) { return t.reshape({t.size(0), t.size(1), heads, t.size(2) / heads}).transpose(1, 2); };
  at::Tensor scores = at::matmul(split(q) / std::sqrt(double(q.size(2) / heads)), split(k).transpose(2, 3));
  if (mask) scores = scores.masked_fill(mask->logical_not().unsqueeze(1).unsqueeze(1), -INFINITY);
  at::Tensor weights = scores.softmax(-1);
  if (mask) weights = weights.masked_fill(mask->any(-1).logical_not().view({-1, 1, 1, 1}), 0);  // a query that sees nothing
  return at::matmul(weights.to(v.scalar_type()), split(v)).transpose(1, 2).reshape(q.sizes());
}
at::Tensor plainQkv(const at::Tensor& qkv, int64_t heads, const Mask& mask) {
  auto parts = qkv.chunk(3, 2);
  return plain(parts[0], parts[1], parts[2], heads, mask);
}
at::Tensor plainKv(const at::Tensor& q, const at::Tensor& kv, int64_t heads, const Mask& mask) {
  auto parts = kv.chunk(2, 2);
  return plain(q, parts[0], parts[1], heads, mask);
}

Mask maskOf(const at::Tensor& saved) { return saved.defined() ? Mask(saved) : Mask(); }

// qkv contiguous.
struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, int64_t heads, const Mask& mask, bool keep) {
    int64_t width = qkv.size(2) / 3;
    Shape s = shapeOf(qkv, width, qkv.size(1), heads, mask);
    at::Tensor out = at::empty({s.batch, s.queries, width}, qkv.options());
    at::Tensor weights = keep ? at::empty({s.batch, heads, s.queries, s.keys}, qkv.options()) : at::Tensor();
    attentionForward(s, packed(qkv, 0), packed(qkv, width), packed(qkv, 2 * width), packed(out, 0), weights);
    ctx->save_for_backward({qkv, weights, mask.value_or(at::Tensor())});
    ctx->saved_data["heads"] = heads;
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    int64_t heads = ctx->saved_data["heads"].toInt();
    Mask mask = maskOf(saved[2]);
    if (at::GradMode::is_enabled()) {
      auto g = recordedGradients({saved[0]}, grads, [&](const variable_list& in) -> variable_list { return {plainQkv(in[0], heads, mask)}; });
      return {g[0], {}, {}, {}};
    }
    at::Tensor qkv = saved[0], dout = dense(grads[0]), dqkv = at::empty_like(qkv);
    int64_t width = qkv.size(2) / 3;
    Shape s = shapeOf(qkv, width, qkv.size(1), heads, mask);
    attentionBackward(s, packed(qkv, 0), packed(qkv, width), packed(qkv, 2 * width), saved[1], packed(dout, 0), packed(dqkv, 0), packed(dqkv, width), packed(dqkv, 2 * width));
    return {dqkv, {}, {}, {}};
  }
};

// q and kv contiguous.
struct CrossAttention : torch::autograd::Function<CrossAttention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& kv, int64_t heads, const Mask& mask, bool keep) {
    int64_t width = q.size(2);
    Shape s = shapeOf(q, width, kv.size(1), heads, mask);
    at::Tensor out = at::empty_like(q);
    at::Tensor weights = keep ? at::empty({s.batch, heads, s.queries, s.keys}, q.options()) : at::Tensor();
    attentionForward(s, packed(q, 0), packed(kv, 0), packed(kv, width), packed(out, 0), weights);
    ctx->save_for_backward({q, kv, weights, mask.value_or(at::Tensor())});
    ctx->saved_data["heads"] = heads;
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    int64_t heads = ctx->saved_data["heads"].toInt();
    Mask mask = maskOf(saved[3]);
    if (at::GradMode::is_enabled()) {
      auto g = recordedGradients({saved[0], saved[1]}, grads, [&](const variable_list& in) -> variable_list { return {plainKv(in[0], in[1], heads, mask)}; });
      return {g[0], g[1], {}, {}, {}};
    }
    at::Tensor q = saved[0], kv = saved[1], dout = dense(grads[0]), dq = at::empty_like(q), dkv = at::empty_like(kv);
    int64_t width = q.size(2);
    Shape s = shapeOf(q, width, kv.size(1), heads, mask);
    attentionBackward(s, packed(q, 0), packed(kv, 0), packed(kv, width), saved[2], packed(dout, 0), packed(dq, 0), packed(dkv, 0), packed(dkv, width));
    return {dq, dkv, {}, {}, {}};
  }
};

Mask checkedMask(const Mask& mask, const Operand& keys) {
  if (!mask || !mask->defined()) return {};
  TORCH_CHECK(mask->scalar_type() == at::kBool && mask->dim() == 2 && mask->size(0) == keys.tensor.size(0) && mask->size(1) == keys.tensor.size(1),
              "the key mask must be bool [", keys.tensor.size(0), ", ", keys.tensor.size(1), "]");
  TORCH_CHECK(mask->layout() == at::kStrided, "the key mask must be dense, got layout ", mask->layout());
  checkOnDevice({"key_mask", *mask}, keys);
  return dense(*mask);
}

at::Tensor attentionPackedQkv(const at::Tensor& qkv, int64_t heads, const Mask& keyMask) {
  checkOperands({{"qkv", qkv}});
  TORCH_CHECK(heads > 0 && qkv.dim() == 3 && qkv.size(2) % (3 * heads) == 0, "expected qkv of [B, N, 3 · heads · D] with ", heads, " heads");
  Mask mask = checkedMask(keyMask, {"qkv", qkv});
  if (isFast(qkv) && qkv.numel() > 0) return SelfAttention::apply(dense(qkv), heads, mask, wantsGradient(qkv));
  return plainQkv(qkv, heads, mask);
}

at::Tensor attentionPackedKv(const at::Tensor& q, const at::Tensor& kv, int64_t heads, const Mask& keyMask) {
  checkOperands({{"q", q}, {"kv", kv}});
  TORCH_CHECK(heads > 0 && q.dim() == 3 && kv.dim() == 3 && q.size(0) == kv.size(0) && kv.size(2) == 2 * q.size(2) && q.size(2) % heads == 0,
              "expected q of [B, N, W] and kv of [B, M, 2W], W a multiple of ", heads, " heads");
  TORCH_CHECK(q.scalar_type() == kv.scalar_type() || autocastIsOn(q.device().type()), "q is ", q.scalar_type(), ", kv ", kv.scalar_type(),
              ": one dtype is expected; convert one with to()");
  Mask mask = checkedMask(keyMask, {"kv", kv});
  bool fast = isFast(q) && isFast(kv) && q.scalar_type() == kv.scalar_type() && q.numel() > 0 && kv.numel() > 0;
  if (fast) return CrossAttention::apply(dense(q), dense(kv), heads, mask, wantsGradient(q) || wantsGradient(kv));
  return plainKv(q, kv, heads, mask);
}

}  // namespace

void defineAttention(torch::Library& m) {
  m.def("attention_packed_qkv(Tensor qkv, int heads, Tensor? key_mask=None) -> Tensor", attentionPackedQkv);
  m.def("attention_packed_kv(Tensor q, Tensor kv, int heads, Tensor? key_mask=None) -> Tensor", attentionPackedKv);
}

}  // namespace omni
