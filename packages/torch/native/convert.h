// JavaScript values to and from c10::IValue, guided by an operator's schema.
#pragma once
#include "tensor_table.h"
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

namespace omni {

enum class Kind : uint8_t {
  Tensor, Int, Float, Bool, Scalar, String, DType, Layout, MemoryFormat, Device, Generator,
  Tensors, OptionalTensors, Ints, Floats, Bools, Scalars, Other
};

struct ArgumentSpec {
  Kind kind;
  bool optional = false;     // the schema allows None
  bool hasDefault = false;
  int fixedLength = 0;       // int[2]: one number stands for both
  c10::IValue defaultValue;
  std::string name;
};

ArgumentSpec specOf(const c10::Argument& argument);
char codeOf(Kind kind);  // one letter a kind, for JavaScript

c10::IValue toIValue(napi_env env, const ArgumentSpec& spec, napi_value v);
napi_value fromIValue(napi_env env, c10::IValue&& v);

at::ScalarType toDType(napi_env env, napi_value v);  // "float32", …
const char* dtypeName(at::ScalarType t);
std::string describe(const at::Tensor& t);  // float32[2, 3]
std::string describeArgument(napi_env env, const ArgumentSpec& spec, napi_value v);

}  // namespace omni
