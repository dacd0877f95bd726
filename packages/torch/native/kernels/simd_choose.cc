#include "simd.h"
#include <atomic>
#include <cstdlib>
#include <cstring>

namespace omni::simd {
namespace {

struct Level {
  const Table* table;
  bool supported;
};
// From the lowest to the highest.
const Level* all(int* count) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                             __builtin_cpu_supports("avx512dq");
  static const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  static const bool amx = bf16 && amx::isHere();
  static const Level list[] = {{&generic::table, true}, {&avx2::table, avx2}, {&avx512::table, avx512}, {&avx512bf16::table, bf16}, {amx::table(), amx}};
#else
  static const Level list[] = {{&generic::table, true}};
#endif
  *count = sizeof list / sizeof *list;
  return list;
}

// The highest that the processor has, up to `limit`.
const Table* choose(const char* limit) {
  int count;
  const Level* list = all(&count);
  const Table* best = &generic::table;
  for (int i = 0; i < count; i++) {
    if (list[i].supported) best = list[i].table;
    if (limit && !std::strcmp(limit, list[i].table->loops.name)) break;
  }
  return best;
}

std::atomic<const Table*>& current() {
  static std::atomic<const Table*> chosen{choose(std::getenv("OMNI_ID_SIMD"))};
  return chosen;
}

}  // namespace

const Table& table() { return *current().load(std::memory_order_relaxed); }

const char* const* levels() {
  static const char* names[8] = {};
  int count, next = 0;
  const Level* list = all(&count);
  for (int i = 0; i < count; i++)
    if (list[i].supported) names[next++] = list[i].table->loops.name;
  return names;
}

bool setLevel(const char* name) {
  int count;
  const Level* list = all(&count);
  for (int i = 0; i < count; i++) {
    if (std::strcmp(name, list[i].table->loops.name) || !list[i].supported) continue;
    current() = list[i].table;
    return true;
  }
  return false;
}

}  // namespace omni::simd
