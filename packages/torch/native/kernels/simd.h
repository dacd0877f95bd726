// The inner loops of our fused kernels, compiled once per instruction set and chosen when the process starts.
// No LibTorch header here: these files are compiled with other flags, which must not leak into shared inline code.
#pragma once
#include <cstdint>

namespace omni::simd {

struct BFloat16 {
  uint16_t bits;
};
// What matrix products read: 32 bits that hold one float, or two bfloat16 that are neighbours along the depth.
using Word = uint32_t;

// One entry a loop, for float and bfloat16 elements where both occur. Rows are contiguous unless a stride is given.
struct Loops {
  const char* name;
  int width;  // floats in a vector: products need their columns padded to a multiple of it

  void (*widen)(const BFloat16* x, float* y, int64_t n);
  void (*narrow)(const float* x, BFloat16* y, int64_t n);

  // C[i, j] (+)= Σk A[i·rowStride + k·colStride] · B[k, j] over words; j runs over `columns`, a multiple of `width`.
  using Product = void (*)(const Word* a, int64_t rowStride, int64_t colStride, const Word* b, int64_t ldb, float* c, int64_t ldc,
                           int64_t rows, int64_t columns, int64_t depth, bool accumulate);
  Product floats;
  Product pairs;  // of bfloat16; null where the processor has no instruction for them

  // y[c, r] = x[r, c] over words; columns of y from `rows` up to ldy become 0.
  void (*transpose)(const Word* x, int64_t ldx, int64_t rows, int64_t columns, Word* y, int64_t ldy);
  // y[r, c] = the pair (x[2r, c], x[2r + 1, c]); a missing last row and columns up to ldy are 0.
  void (*pairRows)(const BFloat16* x, int64_t ldx, int64_t rows, int64_t columns, Word* y, int64_t ldy);

  // Each row of s[rows, ld]: softmax of scale · s over its first n elements where `seen` (if given) is true, 0 elsewhere
  // and where nothing is seen.
  void (*softmax)(float* s, int64_t rows, int64_t n, int64_t ld, float scale, const bool* seen);
  // ds = p · (dp − Σ p·dp), in place in dp.
  void (*softmaxBackward)(float* dp, const float* p, int64_t rows, int64_t ld);

  // y = gelu(x + bias); x[rows, n], bias[n].
  void (*gelu)(const float* x, const float* bias, float* y, int64_t rows, int64_t n, bool tanh);
  void (*geluBf16)(const BFloat16* x, const float* bias, BFloat16* y, int64_t rows, int64_t n, bool tanh);
  // dx = dy · gelu'(x + bias); dbias[n] += Σrows dx.
  void (*geluBackward)(const float* x, const float* bias, const float* dy, float* dx, float* dbias, int64_t rows, int64_t n, bool tanh);
  void (*geluBackwardBf16)(const BFloat16* x, const float* bias, const BFloat16* dy, BFloat16* dx, float* dbias, int64_t rows,
                           int64_t n, bool tanh);

  // One token's packed queries, keys and values, `heads` of `depth` each: queries and keys over their root mean square,
  // times scale[2, depth], each pair turned by turns[depth] = (cos, sin, …); values as they are.
  void (*qkNorm)(const float* x, const float* scale, const float* turns, float eps, float* y, int64_t heads, int64_t depth);
  void (*qkNormBf16)(const BFloat16* x, const float* scale, const float* turns, float eps, BFloat16* y, int64_t heads, int64_t depth);
  // Its gradient; dscale[2, depth] is added to.
  void (*qkNormBackward)(const float* x, const float* scale, const float* turns, float eps, const float* dy, float* dx, float* dscale,
                         int64_t heads, int64_t depth);
  void (*qkNormBackwardBf16)(const BFloat16* x, const float* scale, const float* turns, float eps, const BFloat16* dy, BFloat16* dx,
                             float* dscale, int64_t heads, int64_t depth);

  // y = x + gate · delta; x[rows, n], gate[n].
  void (*gatedAdd)(const float* x, const float* gate, const float* delta, float* y, int64_t rows, int64_t n);
  void (*gatedAddBf16)(const float* x, const float* gate, const BFloat16* delta, float* y, int64_t rows, int64_t n);
  // ddelta = dy · gate; dgate[n] += Σrows dy · delta.
  void (*gatedAddBackward)(const float* dy, const float* gate, const float* delta, float* ddelta, float* dgate, int64_t rows, int64_t n);
  void (*gatedAddBackwardBf16)(const float* dy, const float* gate, const BFloat16* delta, BFloat16* ddelta, float* dgate, int64_t rows,
                               int64_t n);

  // p, m, v after one step of AdamW with gradient g.
  void (*adamw)(float* p, const float* g, float* m, float* v, int64_t n, float decay, float beta1, float beta2, float stepSize,
                float rootCorrection, float eps);
  // m = μ·m + (1 − μ)·g; u = nesterov ? lerp(g, m, μ) : m; returns Σu².
  double (*momentum)(float* m, const float* g, float* u, int64_t n, float mu, bool nesterov);
};

// Residual and LayerNorm, by element types: x is float; delta (may be null) and y are float or bfloat16.
template <class Delta, class Y>
struct NormLoops {
  // sum = x + delta; y = (sum − mean) · rstd · weight + bias. mean and rstd are saved for the gradient.
  void (*forward)(const float* x, const Delta* delta, const float* weight, const float* bias, float eps, float* sum, Y* y, float* mean,
                  float* rstd, int64_t rows, int64_t n);
  // dx = dsum + d(norm)·dy, and the same as `ddelta` when given; dweight[n] and dbias[n] are added to.
  void (*backward)(const float* sum, const Y* dy, const float* dsum, const float* weight, const float* mean, const float* rstd, float* dx,
                   Delta* ddelta, float* dweight, float* dbias, int64_t rows, int64_t n);
};

struct Table {
  Loops loops;
  NormLoops<float, float> normFF;
  NormLoops<float, BFloat16> normFB;
  NormLoops<BFloat16, float> normBF;
  NormLoops<BFloat16, BFloat16> normBB;
};

namespace generic { extern const Table table; }
#if defined(__x86_64__)
namespace avx2 { extern const Table table; }
namespace avx512 { extern const Table table; }
namespace avx512bf16 { extern const Table table; }
namespace amx {  // those of avx512bf16, with products by tiles
const Table* table();
bool isHere();
}  // namespace amx
#endif

const Table& table();  // the best one for this processor; OMNI_ID_SIMD=generic|avx2|avx512|avx512bf16|amx lowers it
const char* const* levels();           // names of those that this processor has, lowest first, then null
bool setLevel(const char* name);       // for tests: false where the processor lacks it, or there is no such
inline const Loops& loops() { return table().loops; }

}  // namespace omni::simd
