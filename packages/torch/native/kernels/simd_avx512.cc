#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
#define OMNI_SIMD avx512
#define OMNI_SIMD_NAME "avx512"
#define OMNI_SIMD_WIDTH 16
#include "simd_loops.inc"
#endif
