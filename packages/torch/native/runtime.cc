// The process: threads, memory, what this LibTorch is.
#include "exports.h"
#include "napi_helpers.h"
#include "torch_version.h"
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Logging.h>
#include <dlfcn.h>
#include <malloc.h>

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

static std::string blasLibrary() {  // the file that answers sgemm_, if any
  Dl_info where;
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  return symbol && dladdr(symbol, &where) && where.dli_fname ? where.dli_fname : "";
}

static napi_value Version(napi_env env, napi_callback_info) {
  OMNI_TRY
  napi_value o;
  napi_create_object(env, &o);
  setProperty(env, o, "libtorch", makeString(env, TORCH_VERSION));
  setProperty(env, o, "cuda", makeBool(env, at::globalContext().hasCUDA()));
  setProperty(env, o, "mkldnn", makeBool(env, at::globalContext().hasMKLDNN()));
  setProperty(env, o, "mkl", makeBool(env, at::globalContext().hasMKL()));
  setProperty(env, o, "blas", makeString(env, blasLibrary()));
  return o;
  OMNI_CATCH(env)
}

// Activations of a training step are as large as they are short-lived. Left alone, glibc gives each back to the
// kernel and takes a page fault for every 4 KiB the next step.
static void keepLargeBlocks() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2000 << 20);
}

void exportRuntime(napi_env env, napi_value exports) {
  keepLargeBlocks();
  c10::SetStackTraceFetcher([] { return std::string(); });  // C++ stack traces say nothing in JavaScript and cost 100 µs
  const Export list[] = {{"threads", Threads}, {"version", Version}};
  exportAll(env, exports, list);
}

}  // namespace omni
