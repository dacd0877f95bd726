// Products of pairs of bfloat16 by tiles (AMX): one instruction adds 16 products along the depth to 16 × 16 sums.
#include "simd.h"
#if defined(__x86_64__) && __GNUC__ >= 11  // the first GCC that knows tiles
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>
#pragma GCC target("amx-tile,amx-bf16")
#include <immintrin.h>

namespace omni::simd::amx {
namespace {

constexpr int64_t kSide = 16;

// What LDTILECFG reads.
struct alignas(64) Configuration {
  uint8_t palette, startRow, reserved[14];
  uint16_t rowBytes[16];
  uint8_t rows[16];
};
// Tiles 0 to 3 hold sums, 4 and 5 rows of the left operand, 6 and 7 columns of the right one.
Configuration configured(int64_t rows, int64_t depth) {
  Configuration c = {};
  c.palette = 1;
  for (int i = 0; i < 8; i++) {
    c.rows[i] = uint8_t(i < 6 ? rows : depth);
    c.rowBytes[i] = uint16_t(i == 4 || i == 5 ? depth * 4 : 64);
  }
  return c;
}

// Up to 2 × 2 tiles of C stay in registers over the whole depth.
template <int Rows, int Columns>
void block(const Word* a, int64_t lda, const Word* b, int64_t ldb, float* c, int64_t ldc, int64_t steps, bool accumulate) {
  float *right = c + kSide, *below = c + kSide * ldc, *last = below + kSide;
  if (accumulate) {
    _tile_loadd(0, c, ldc * 4);
    if constexpr (Columns > 1) _tile_loadd(1, right, ldc * 4);
    if constexpr (Rows > 1) _tile_loadd(2, below, ldc * 4);
    if constexpr (Rows > 1 && Columns > 1) _tile_loadd(3, last, ldc * 4);
  } else {
    _tile_zero(0);
    if constexpr (Columns > 1) _tile_zero(1);
    if constexpr (Rows > 1) _tile_zero(2);
    if constexpr (Rows > 1 && Columns > 1) _tile_zero(3);
  }
  for (int64_t k = 0; k < steps; k++, a += kSide, b += kSide * ldb) {
    _tile_loadd(4, a, lda * 4);
    _tile_loadd(6, b, ldb * 4);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Columns > 1) {
      _tile_loadd(7, b + kSide, ldb * 4);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (Rows > 1) {
      _tile_loadd(5, a + kSide * lda, lda * 4);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (Rows > 1 && Columns > 1) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, ldc * 4);
  if constexpr (Columns > 1) _tile_stored(1, right, ldc * 4);
  if constexpr (Rows > 1) _tile_stored(2, below, ldc * 4);
  if constexpr (Rows > 1 && Columns > 1) _tile_stored(3, last, ldc * 4);
}

template <int Rows>
void blocks(const Word* a, int64_t lda, const Word* b, int64_t ldb, float* c, int64_t ldc, int64_t columns, int64_t steps, bool accumulate) {
  int64_t j = 0;
  for (; j + 2 * kSide <= columns; j += 2 * kSide) block<Rows, 2>(a, lda, b + j, ldb, c + j, ldc, steps, accumulate);
  for (; j < columns; j += kSide) block<Rows, 1>(a, lda, b + j, ldb, c + j, ldc, steps, accumulate);
}

// `steps` tiles of `tile` words each along the depth; what is left of the rows has tiles of its own height.
void overRows(const Word* a, int64_t lda, const Word* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t columns, int64_t tile, int64_t steps, bool accumulate) {
  int64_t i = 0, whole = rows / kSide * kSide;
  if (whole > 0) {
    Configuration full = configured(kSide, tile);
    _tile_loadconfig(&full);
    for (; i + 2 * kSide <= rows; i += 2 * kSide) blocks<2>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns, steps, accumulate);
    if (i < whole) blocks<1>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns, steps, accumulate);
  }
  if (whole == rows) return;
  Configuration rest = configured(rows - whole, tile);
  _tile_loadconfig(&rest);
  blocks<1>(a + whole * lda, lda, b, ldb, c + whole * ldc, ldc, columns, steps, accumulate);
}

void product(const Word* a, int64_t rowStride, int64_t colStride, const Word* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t columns, int64_t depth, bool accumulate) {
  const Loops& vectors = avx512bf16::table.loops;
  if (rows <= 0 || depth <= 0 || (colStride != 1 && rowStride != 1))
    return vectors.pairs(a, rowStride, colStride, b, ldb, c, ldc, rows, columns, depth, accumulate);
  int64_t lda = rowStride;
  if (colStride != 1) {  // columns of the left operand lie side by side, and a tile's rows do not
    static thread_local std::vector<Word> turned;
    lda = (depth + kSide - 1) / kSide * kSide;
    if (int64_t(turned.size()) < rows * lda) turned.resize(rows * lda);
    vectors.transpose(a, colStride, depth, rows, turned.data(), lda);
    a = turned.data();
  }
  // Others in this thread may have tiles of their own (oneDNN's products).
  Configuration before;
  _tile_storeconfig(&before);
  int64_t whole = depth / kSide * kSide;
  if (whole > 0) overRows(a, lda, b, ldb, c, ldc, rows, columns, kSide, whole / kSide, accumulate);
  if (whole < depth) overRows(a + whole, lda, b + whole * ldb, ldb, c, ldc, rows, columns, depth - whole, 1, accumulate || whole > 0);
  before.palette ? _tile_loadconfig(&before) : _tile_release();
}

Table withTiles() {
  Table table = avx512bf16::table;
  table.loops.name = "amx";
  table.loops.pairs = product;
  return table;
}

}  // namespace

const Table* table() {
  static const Table made = withTiles();
  return &made;
}

bool isHere() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;  // AMX-BF16, AMX-TILE
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;  // Linux gives a process its tiles when it asks: ARCH_REQ_XCOMP_PERM, XTILEDATA
}

}  // namespace omni::simd::amx
#elif defined(__x86_64__)
namespace omni::simd::amx {
const Table* table() { return &avx512bf16::table; }
bool isHere() { return false; }
}  // namespace omni::simd::amx
#endif
