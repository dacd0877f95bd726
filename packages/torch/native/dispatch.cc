// The whole operator surface of LibTorch through the dispatcher's boxed call: look an operator up by its schema
// name, convert the arguments by the schema, call, convert the results back.
#include "convert.h"
#include "exports.h"
#include "kernels/library.h"
#include <ATen/core/dispatch/Dispatcher.h>
#include <algorithm>
#include <deque>

namespace omni {

struct Operator {
  c10::OperatorHandle handle;
  std::vector<ArgumentSpec> arguments;
  std::string name;
  bool inPlace;  // returns its first argument: the caller gets the same handle back
  bool moves;    // is there to take tensors from one device to another
};
// A deque: a getter among the arguments of a call may look further operators up, and the call's own stays where it is.
static thread_local std::deque<Operator>* operators = nullptr;

// The check mode: operands must lie on this device.
static thread_local c10::optional<c10::Device> only;

static bool returnsFirstArgument(const c10::FunctionSchema& schema) {
  if (schema.arguments().empty() || schema.returns().size() != 1) return false;
  auto* in = schema.arguments()[0].alias_info();
  auto* out = schema.returns()[0].alias_info();
  const std::string& name = schema.name();
  return in && out && in->isWrite() && out->isWrite() && name.back() == '_';
}

static napi_value describeOperator(napi_env env, size_t id) {
  const Operator& op = (*operators)[id];
  napi_value o = nullptr;
  napi_create_object(env, &o);
  setProperty(env, o, "id", makeNumber(env, double(id)));
  std::string codes;
  for (auto& s : op.arguments) codes += codeOf(s.kind);
  setProperty(env, o, "argumentKinds", makeString(env, codes));
  codes.clear();
  for (auto& r : op.handle.schema().returns()) codes += codeOf(specOf(r).kind);
  setProperty(env, o, "resultKinds", makeString(env, codes));
  setProperty(env, o, "inPlace", makeBool(env, op.inPlace));
  return o;
}

static napi_value Lookup(napi_env env, napi_callback_info info) {  // (name, overload) -> {id, …} or null
  OMNI_TRY
  Args<2> a(env, info);
  std::string name = toString(env, a[0]), overload = toString(env, a[1]);
  // Several copies of this addon in one process have a namespace each; JavaScript knows it by one name.
  bool own = name.rfind(kLibraryName + "::", 0) == 0;
  std::string registered = own ? libraryNamespace() + name.substr(kLibraryName.size()) : name;
  auto found = c10::Dispatcher::singleton().findSchema({registered, overload});
  if (!found) return makeNull(env);
  const auto& schema = found->schema();
  bool moves = name == "aten::to" || name == "aten::copy_" || name == "aten::_to_copy";
  Operator op{*found, {}, name + (overload.empty() ? "" : "." + overload), returnsFirstArgument(schema), moves};
  for (auto& argument : schema.arguments()) op.arguments.push_back(specOf(argument));
  if (!operators) operators = new std::deque<Operator>;
  operators->push_back(std::move(op));
  return describeOperator(env, operators->size() - 1);
  OMNI_CATCH(env)
}

static std::string describeCall(napi_env env, const Operator& op, const napi_value* values, size_t given) {
  std::string s = op.name + "(";
  bool first = true;
  for (size_t i = 0; i < given && i < op.arguments.size(); i++) {
    if (typeOf(env, values[i]) == napi_undefined) continue;
    s += (first ? "" : ", ") + op.arguments[i].name + ": " + describeArgument(env, op.arguments[i], values[i]);
    first = false;
  }
  return s + ")";
}

static void pushArguments(napi_env env, const Operator& op, const napi_value* values, size_t given, torch::jit::Stack& stack) {
  for (size_t i = 0; i < op.arguments.size(); i++) {
    const ArgumentSpec& spec = op.arguments[i];
    napi_value v = i < given ? values[i] : nullptr;
    napi_valuetype type = v ? typeOf(env, v) : napi_undefined;
    if (type == napi_undefined) {
      if (spec.hasDefault) stack.push_back(spec.defaultValue);
      else if (spec.optional) stack.emplace_back();
      else fail("argument \"" + spec.name + "\" is missing");
    } else if (type == napi_null) {
      if (!spec.optional) fail("argument \"" + spec.name + "\" must not be null");
      stack.emplace_back();
    } else {
      try {
        stack.push_back(toIValue(env, spec, v));
      } catch (const c10::Error& e) {
        fail("argument \"" + spec.name + "\": " + e.what_without_backtrace());
      } catch (const std::exception& e) {
        fail("argument \"" + spec.name + "\": " + e.what());
      }
    }
  }
}

static void checkDevice(const at::Tensor& t, const std::string& argument) {
  if (!t.defined() || t.unsafeGetTensorImpl()->is_wrapped_number()) return;  // a number is at home everywhere
  c10::Device is = t.device();
  if (is.type() == only->type() && (!only->has_index() || is.index() == only->index())) return;
  fail("argument \"" + argument + "\" is on " + is.str() + ", and devices are checked: only " + only->str() + " is allowed; move it with to(\"" + only->str() + "\")");
}
// Sizes and places are computed in main memory, with nothing of another device beside them.
static bool onlySizes(const torch::jit::Stack& stack) {
  auto size = [](const c10::IValue& v) {
    return !v.isTensor() || !v.toTensor().defined() || (v.toTensor().is_cpu() && c10::isIntegralType(v.toTensor().scalar_type(), true));
  };
  return std::all_of(stack.begin(), stack.end(), [&](const c10::IValue& value) {
    return value.isList() ? std::all_of(value.toListRef().begin(), value.toListRef().end(), size) : size(value);
  });
}
static void checkDevices(const Operator& op, const torch::jit::Stack& stack) {
  if (onlySizes(stack)) return;
  for (size_t i = 0; i < stack.size(); i++) {
    const std::string& name = op.arguments[i].name;
    if (stack[i].isTensor()) checkDevice(stack[i].toTensor(), name);
    else if (stack[i].isList())
      for (const c10::IValue& item : stack[i].toListRef())
        if (item.isTensor()) checkDevice(item.toTensor(), name);
  }
}
static napi_value CheckDevices(napi_env env, napi_callback_info info) {  // (device | null)
  OMNI_TRY
  Args<1> a(env, info);
  only = isNullish(env, a[0]) ? c10::optional<c10::Device>() : c10::optional<c10::Device>(c10::Device(toString(env, a[0])));
  return nullptr;
  OMNI_CATCH(env)
}

static napi_value Call(napi_env env, napi_callback_info info) {  // (id, ...arguments)
  constexpr size_t kMax = 40;
  Args<kMax> a(env, info);
  int32_t id = -1;
  napi_get_value_int32(env, a[0], &id);
  if (!operators || id < 0 || size_t(id) >= operators->size()) {
    napi_throw_error(env, "ERR_TORCH", "unknown operator id");
    return nullptr;
  }
  const Operator& op = (*operators)[id];
  const napi_value* values = a.values + 1;
  size_t given = a.count - 1;
  static thread_local torch::jit::Stack pool;  // its memory is reused from call to call
  std::string problem;
  try {
    if (given > op.arguments.size())
      fail("takes " + std::to_string(op.arguments.size()) + " arguments, got " + std::to_string(given));
    torch::jit::Stack stack = std::move(pool);
    stack.clear();
    pushArguments(env, op, values, given, stack);
    if (only && !op.moves) checkDevices(op, stack);
    op.handle.callBoxed(stack);
    napi_value result = nullptr;
    if (op.inPlace) {
      result = values[0];
    } else if (stack.size() == 1) {
      result = fromIValue(env, std::move(stack[0]));
    } else if (stack.empty()) {
      napi_get_undefined(env, &result);
    } else {
      result = makeArray(env, stack.size());
      for (size_t i = 0; i < stack.size(); i++) napi_set_element(env, result, i, fromIValue(env, std::move(stack[i])));
    }
    stack.clear();
    pool = std::move(stack);
    return result;
  } catch (const c10::Error& e) {
    problem = e.what_without_backtrace();
  } catch (const std::exception& e) {
    problem = e.what();
  }
  napi_throw_error(env, "ERR_TORCH", (describeCall(env, op, values, given) + ": " + problem).c_str());
  return nullptr;
}

static napi_value Schemas(napi_env env, napi_callback_info) {  // every registered schema as text
  OMNI_TRY
  std::vector<std::string> texts;
  for (auto& name : c10::Dispatcher::singleton().getAllOpNames())
    if (auto handle = c10::Dispatcher::singleton().findSchema(name)) texts.push_back(c10::toString(handle->schema()));
  napi_value list = makeArray(env, texts.size());
  for (size_t i = 0; i < texts.size(); i++) napi_set_element(env, list, i, makeString(env, texts[i]));
  return list;
  OMNI_CATCH(env)
}

static void forgetOperators(void*) {  // a worker thread ends
  delete operators;
  operators = nullptr;
}

void exportDispatch(napi_env env, napi_value exports) {
  napi_add_env_cleanup_hook(env, forgetOperators, nullptr);
  const Export list[] = {{"lookup", Lookup}, {"call", Call}, {"schemas", Schemas}, {"checkDevices", CheckDevices}};
  exportAll(env, exports, list);
}

}  // namespace omni
