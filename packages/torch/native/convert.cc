#include "convert.h"
#include "rehearsal/rehearsal.h"
#include "generator.h"
#include "compat.h"
#include <ATen/core/jit_type.h>
#include <cmath>
#include <cstring>

namespace omni {
using c10::IValue;
using c10::TypeKind;

static Kind kindOf(const c10::Type& t, bool& optional) {
  bool inner = false;
  switch (t.kind()) {
    case TypeKind::OptionalType:
      optional = true;
      return kindOf(*t.castRaw<c10::OptionalType>()->getElementType(), inner);
    case TypeKind::TensorType: return Kind::Tensor;
    case TypeKind::IntType:
    case TypeKind::SymIntType: return Kind::Int;
    case TypeKind::ScalarTypeType: return Kind::DType;
    case TypeKind::LayoutType: return Kind::Layout;
    case TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case TypeKind::FloatType: return Kind::Float;
    case TypeKind::BoolType: return Kind::Bool;
    case TypeKind::NumberType: return Kind::Scalar;
    case TypeKind::StringType: return Kind::String;
    case TypeKind::DeviceObjType: return Kind::Device;
    case TypeKind::GeneratorType: return Kind::Generator;
    case TypeKind::ListType:
      switch (kindOf(*t.castRaw<c10::ListType>()->getElementType(), inner)) {
        case Kind::Tensor: return inner ? Kind::OptionalTensors : Kind::Tensors;
        case Kind::Int: return Kind::Ints;
        case Kind::Float: return Kind::Floats;
        case Kind::Bool: return Kind::Bools;
        case Kind::Scalar: return Kind::Scalars;
        default: return Kind::Other;
      }
    default: return Kind::Other;
  }
}

ArgumentSpec specOf(const c10::Argument& argument) {
  ArgumentSpec s;
  s.kind = kindOf(*argument.real_type(), s.optional);  // real_type: keeps ScalarType apart from int
  s.hasDefault = argument.default_value().has_value();
  if (s.hasDefault) s.defaultValue = *argument.default_value();
  s.fixedLength = argument.N().value_or(0);
  s.name = argument.name();
  return s;
}

char codeOf(Kind kind) { return "tifbnsdlmvgTOIFBN?"[static_cast<int>(kind)]; }

static const struct { const char* name; at::ScalarType type; } kDTypes[] = {
    {"float32", at::kFloat}, {"float64", at::kDouble}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf},
    {"int64", at::kLong},    {"int32", at::kInt},      {"uint8", at::kByte},        {"bool", at::kBool},
    {"int8", at::kChar},     {"int16", at::kShort},   {"complex64", at::kComplexFloat},
    OMNI_LATER_DTYPES
};

const char* dtypeName(at::ScalarType t) {
  for (auto& d : kDTypes)
    if (d.type == t) return d.name;
  return c10::toString(t);
}

static std::string dtypeNames() {
  std::string s;
  for (auto& d : kDTypes) s += (s.empty() ? "" : ", ") + std::string(d.name);
  return s;
}

// Strings are read into a fixed buffer: names of dtypes and layouts are short, and this is on the hot path.
struct ShortString {
  char text[32];
  ShortString(napi_env env, napi_value v, const char* expected) {
    size_t n = 0;
    if (napi_get_value_string_utf8(env, v, text, sizeof text, &n) != napi_ok) fail(std::string("expected ") + expected);
  }
  bool is(const char* other) const { return std::strcmp(text, other) == 0; }
};

at::ScalarType toDType(napi_env env, napi_value v) {
  ShortString s(env, v, "a dtype such as \"float32\"");
  for (auto& d : kDTypes)
    if (s.is(d.name)) return d.type;
  fail(std::string("unknown dtype \"") + s.text +
       "\"; expected " + dtypeNames());
}

static at::MemoryFormat toMemoryFormat(napi_env env, napi_value v) {
  ShortString s(env, v, "a memory format");
  if (s.is("contiguous")) return at::MemoryFormat::Contiguous;
  if (s.is("preserve")) return at::MemoryFormat::Preserve;
  if (s.is("channels_last")) return at::MemoryFormat::ChannelsLast;
  if (s.is("channels_last_3d")) return at::MemoryFormat::ChannelsLast3d;
  fail(std::string("unknown memory format \"") + s.text + "\"; expected contiguous, preserve or channels_last");
}

static c10::Scalar toScalar(napi_env env, napi_value v) {
  double d;
  if (napi_get_value_double(env, v, &d) == napi_ok) {
    // JavaScript has one number type: an integral value becomes an integer scalar, which promotes to the tensor's
    // own dtype just as Python's 2 and 2.0 both do for floating tensors.
    if (std::abs(d) < 9007199254740992.0 && d == double(int64_t(d)) && !(d == 0 && std::signbit(d))) return int64_t(d);
    return d;
  }
  switch (typeOf(env, v)) {
    case napi_boolean: return toBool(env, v);
    case napi_bigint: {
      int64_t r = 0;
      bool lossless = false;
      napi_get_value_bigint_int64(env, v, &r, &lossless);
      if (!lossless) fail("the bigint does not fit into 64 bits");
      return r;
    }
    default: fail("expected a number");
  }
}

IValue toIValue(napi_env env, const ArgumentSpec& spec, napi_value v) {
  switch (spec.kind) {
    case Kind::Tensor: return toTensor(env, v);
    case Kind::Int: return toInt(env, v);
    case Kind::Float: return toDouble(env, v);
    case Kind::Bool: return toBool(env, v);
    case Kind::Scalar: return toScalar(env, v);
    case Kind::String: return toString(env, v);
    case Kind::DType: return static_cast<int64_t>(toDType(env, v));
    case Kind::Layout: return static_cast<int64_t>(at::kStrided);
    case Kind::MemoryFormat: return static_cast<int64_t>(toMemoryFormat(env, v));
    case Kind::Device: return rehearsal::deviceOf(toString(env, v));
    case Kind::Generator: return toGenerator(env, v);
    case Kind::Tensors: return toTensors(env, v);
    case Kind::OptionalTensors: {
      c10::List<c10::optional<at::Tensor>> list;
      for (auto& t : toTensors(env, v, true))
        list.push_back(t.defined() ? c10::optional<at::Tensor>(t) : c10::optional<at::Tensor>());
      return list;
    }
    case Kind::Ints: {
      double d;
      if (napi_get_value_double(env, v, &d) == napi_ok)
        return std::vector<int64_t>(spec.fixedLength > 0 ? spec.fixedLength : 1, toInt(env, v));
      return toInts(env, v);
    }
    case Kind::Floats: {
      std::vector<double> r(arrayLength(env, v));
      for (uint32_t i = 0; i < r.size(); i++) r[i] = toDouble(env, element(env, v, i));
      return r;
    }
    case Kind::Bools: {
      c10::List<bool> r;
      uint32_t n = arrayLength(env, v);
      for (uint32_t i = 0; i < n; i++) r.push_back(toBool(env, element(env, v, i)));
      return r;
    }
    case Kind::Scalars: {
      uint32_t n = arrayLength(env, v);
      c10::List<c10::Scalar> r;
      for (uint32_t i = 0; i < n; i++) r.push_back(toScalar(env, element(env, v, i)));
      return c10::impl::toList(r);
    }
    default: fail("this argument's type cannot be given from JavaScript");
  }
}

napi_value fromIValue(napi_env env, IValue&& v) {
  if (v.isTensor()) return makeTensor(env, std::move(v).toTensor());
  if (v.isInt()) return makeNumber(env, double(v.toInt()));
  if (v.isDouble()) return makeNumber(env, v.toDouble());
  if (v.isBool()) return makeBool(env, v.toBool());
  if (v.isScalar()) return makeNumber(env, v.toScalar().toDouble());
  if (v.isString()) return makeString(env, v.toStringRef());
  if (v.isDevice()) return makeString(env, v.toDevice().str());
  if (v.isNone()) return makeNull(env);
  if (v.isList()) {
    auto list = v.toListRef();
    napi_value a = makeArray(env, list.size());
    for (size_t i = 0; i < list.size(); i++) napi_set_element(env, a, i, fromIValue(env, IValue(list[i])));
    return a;
  }
  fail("the operator's result type (" + v.tagKind() + ") has no JavaScript form");
}

std::string describe(const at::Tensor& t) {
  if (!t.defined()) return "undefined";
  std::string s = dtypeName(t.scalar_type());
  s += "[";
  for (int64_t i = 0; i < t.dim(); i++) s += (i ? ", " : "") + std::to_string(t.size(i));
  s += "]";
  if (!t.device().is_cpu()) s += "@" + t.device().str();
  return s;
}

// For error messages only: must itself never throw.
std::string describeArgument(napi_env env, const ArgumentSpec& spec, napi_value v) try {
  auto number = [&](napi_value n) {
    double d = toDouble(env, n);
    if (d == double(int64_t(d))) return std::to_string(int64_t(d));
    char text[32];
    std::snprintf(text, sizeof text, "%g", d);
    return std::string(text);
  };
  napi_valuetype type = typeOf(env, v);
  if (type == napi_null) return "null";
  if (type == napi_boolean) return toBool(env, v) ? "true" : "false";
  if (type == napi_string) return "\"" + toString(env, v) + "\"";
  bool tensor = spec.kind == Kind::Tensor || spec.kind == Kind::Tensors || spec.kind == Kind::OptionalTensors;
  auto one = [&](napi_value e) {
    if (isNullish(env, e)) return std::string("null");
    return tensor ? describe(toTensor(env, e)) : number(e);
  };
  bool isArray = false;
  napi_is_array(env, v, &isArray);
  if (!isArray) return type == napi_number ? one(v) : "…";
  std::string s = "[";
  uint32_t n = arrayLength(env, v);
  for (uint32_t i = 0; i < n && i < 8; i++) s += (i ? ", " : "") + one(element(env, v, i));
  return s + (n > 8 ? ", …]" : "]");
} catch (const std::exception&) {
  return "released tensor";
}

}  // namespace omni
