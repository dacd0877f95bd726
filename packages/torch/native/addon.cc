#include "exports.h"
#include "generator.h"
#include "tensor_table.h"

NAPI_MODULE_INIT() {
  omni::exportTensorTable(env, exports);
  omni::exportDispatch(env, exports);
  omni::exportAutograd(env, exports);
  omni::exportCheckpoint(env, exports);
  omni::exportAutocast(env, exports);
  omni::exportStorage(env, exports);
  omni::exportGenerator(env, exports);
  omni::exportRuntime(env, exports);
  omni::exportProfile(env, exports);
  omni::exportDistributed(env, exports);
  return exports;
}
