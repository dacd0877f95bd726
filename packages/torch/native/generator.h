#pragma once
#include "napi_helpers.h"
#include <ATen/core/Generator.h>

namespace omni {
at::Generator& toGenerator(napi_env env, napi_value v);  // an external made by newGenerator
void exportGenerator(napi_env env, napi_value exports);
}  // namespace omni
