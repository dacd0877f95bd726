#pragma once
#include <node_api.h>

namespace omni {
void exportDispatch(napi_env env, napi_value exports);
void exportAutograd(napi_env env, napi_value exports);
void exportCheckpoint(napi_env env, napi_value exports);
void exportAutocast(napi_env env, napi_value exports);
void exportStorage(napi_env env, napi_value exports);
void exportRuntime(napi_env env, napi_value exports);
void exportProfile(napi_env env, napi_value exports);
void exportAccelerator(napi_env env, napi_value exports);
void exportRehearsal(napi_env env, napi_value exports);
void exportMemory(napi_env env, napi_value exports);
void exportDistributed(napi_env env, napi_value exports);
void registerMetaFallback();
}  // namespace omni
