#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")
#include <immintrin.h>
#define OMNI_SIMD_PAIRS
#define OMNI_SIMD avx512bf16
#define OMNI_SIMD_NAME "avx512bf16"
#define OMNI_SIMD_WIDTH 16
#include "simd_loops.inc"
#endif
