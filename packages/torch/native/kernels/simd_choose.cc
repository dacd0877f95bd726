#include "simd.h"
#include <cstdlib>
#include <cstring>

namespace omni::simd {

static const Table& choose() {
#if defined(__x86_64__)
  const char* wanted = std::getenv("OMNI_ID_SIMD");  // for tests and measurements
  auto allowed = [&](const char* name) { return !wanted || std::strcmp(wanted, name) >= 0; };
  bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512dq");
  bool forced = wanted && !std::strcmp(wanted, "generic");
  if (!forced && wide && __builtin_cpu_supports("avx512bf16") && allowed("avx512bf16")) return avx512bf16::table;
  if (!forced && wide && allowed("avx512")) return avx512::table;
  if (!forced && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::table;
#endif
  return generic::table;
}

const Table& table() {
  static const Table& chosen = choose();
  return chosen;
}

}  // namespace omni::simd
