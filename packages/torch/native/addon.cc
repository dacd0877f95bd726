#include "exports.h"
#include "generator.h"
#include "references.h"
#include "tensor_table.h"
#include <dlfcn.h>

// Node closes an addon's library when the last thread that loaded it ends. LibTorch's threads still run in it then, and
// its dispatcher holds our operators: once loaded it stays.
static void stayLoaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(stayLoaded), &self) && self.dli_fname) dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

NAPI_MODULE_INIT() {
  stayLoaded();
  omni::registerMetaFallback();
  omni::exportReferences(env);
  omni::exportTensorTable(env, exports);
  omni::exportDispatch(env, exports);
  omni::exportAutograd(env, exports);
  omni::exportCheckpoint(env, exports);
  omni::exportAutocast(env, exports);
  omni::exportStorage(env, exports);
  omni::exportGenerator(env, exports);
  omni::exportRuntime(env, exports);
  omni::exportProfile(env, exports);
  omni::exportAccelerator(env, exports);
  omni::exportRehearsal(env, exports);
  omni::exportMemory(env, exports);
  omni::exportDistributed(env, exports);
  return exports;
}
