#define OMNI_SIMD generic
#define OMNI_SIMD_NAME "generic"
#define OMNI_SIMD_WIDTH 4
#include "simd_loops.inc"
