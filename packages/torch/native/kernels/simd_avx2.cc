#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#define OMNI_SIMD avx2
#define OMNI_SIMD_NAME "avx2"
#define OMNI_SIMD_WIDTH 8
#include "simd_loops.inc"
#endif
