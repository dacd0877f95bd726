// The process: threads, memory, what this LibTorch is.
#include "exports.h"
#include "kernels/simd.h"
#include "napi_helpers.h"
#include "compat.h"
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Logging.h>
#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>
#include <cstdlib>
#include <fstream>
#include <set>

namespace omni {

static napi_value Threads(napi_env env, napi_callback_info info) {  // (n?) -> n
  OMNI_TRY
  Args<1> a(env, info);
  if (a.count > 0) {
    int64_t n = toInt(env, a[0]);
    if (n < 1) fail("setNumThreads: expected a positive number, got " + std::to_string(n));
    at::set_num_threads(int(n));
  }
  return makeNumber(env, at::get_num_threads());
  OMNI_CATCH(env)
}

// LibTorch halves the processor count on x86, assuming hyper-threads, and then leaves a virtual machine's real cores
// idle. Count distinct cores among the processors this process may use instead.
static int usableCores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    cores.insert(std::getline(file, siblings) ? siblings : std::to_string(cpu));
  }
  return int(cores.size());
}

static std::string blasLibrary() {  // the file that answers sgemm_, if any
  Dl_info where;
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  return symbol && dladdr(symbol, &where) && where.dli_fname ? where.dli_fname : "";
}

static napi_value Version(napi_env env, napi_callback_info) {
  OMNI_TRY
  napi_value o = nullptr;
  napi_create_object(env, &o);
  setProperty(env, o, "libtorch", makeString(env, TORCH_VERSION));
  setProperty(env, o, "cuda", makeBool(env, at::globalContext().hasCUDA()));
  setProperty(env, o, "mkldnn", makeBool(env, at::globalContext().hasMKLDNN()));
  setProperty(env, o, "mkl", makeBool(env, at::globalContext().hasMKL()));
  setProperty(env, o, "blas", makeString(env, blasLibrary()));
  return o;
  OMNI_CATCH(env)
}

static napi_value SimdLevels(napi_env env, napi_callback_info info) {  // (level to use?) -> [the one in use, ...those there are]
  OMNI_TRY
  Args<1> a(env, info);
  if (a.count > 0 && !simd::setLevel(toString(env, a[0]).c_str())) fail("this processor has no loops of level \"" + toString(env, a[0]) + "\"");
  napi_value list = makeArray(env, 0);
  napi_set_element(env, list, 0, makeString(env, simd::loops().name));
  for (uint32_t i = 0; simd::levels()[i]; i++) napi_set_element(env, list, i + 1, makeString(env, simd::levels()[i]));
  return list;
  OMNI_CATCH(env)
}

// Bytes that the C library has handed out: what tensors on the CPU hold, among others.
static napi_value HeapBytes(napi_env env, napi_callback_info) {
  auto info = mallinfo2();
  return makeNumber(env, double(info.uordblks) + double(info.hblkhd));
}

// Activations of a training step are as large as they are short-lived. Left alone, glibc gives each back to the
// kernel and takes a page fault for every 4 KiB the next step.
static void keepLargeBlocks() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2000 << 20);
}

void exportRuntime(napi_env env, napi_value exports) {
  keepLargeBlocks();
  static bool first = true;  // a worker thread that loads the addon later must not undo setNumThreads
  if (first && !std::getenv("OMP_NUM_THREADS") && usableCores() > 0) at::set_num_threads(usableCores());
  first = false;
  c10::SetStackTraceFetcher([] { return std::string(); });  // C++ stack traces say nothing in JavaScript and cost 100 µs
  const Export list[] = {{"threads", Threads}, {"simdLevels", SimdLevels}, {"version", Version}, {"heapBytes", HeapBytes}};
  exportAll(env, exports, list);
}

}  // namespace omni
