// Small helpers around N-API: reading arguments, making values, turning C++ exceptions into JS errors.
#pragma once
#include <node_api.h>
#include <c10/util/Exception.h>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace omni {

// A worker may be ended in the middle of a call of ours: from then on Node-API refuses whatever could run JavaScript, and
// leaves results as they were. Values begin as null, which Node-API then refuses in its turn.

// Wraps the body of every exported function: no C++ exception may cross into JavaScript.
#define OMNI_TRY try {
#define OMNI_CATCH(env)                                              \
  }                                                                  \
  catch (const c10::Error& e) {                                      \
    napi_throw_error(env, "ERR_TORCH", e.what_without_backtrace());  \
    return nullptr;                                                  \
  }                                                                  \
  catch (const std::exception& e) {                                  \
    napi_throw_error(env, "ERR_TORCH", e.what());                    \
    return nullptr;                                                  \
  }

[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

template <size_t N>
struct Args {
  napi_value values[N] = {};
  size_t count = N;
  Args(napi_env env, napi_callback_info info) {
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
    if (count > N) count = N;
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

inline napi_valuetype typeOf(napi_env env, napi_value v) {
  napi_valuetype t = napi_undefined;
  napi_typeof(env, v, &t);
  return t;
}
inline bool isNullish(napi_env env, napi_value v) {
  auto t = typeOf(env, v);
  return t == napi_undefined || t == napi_null;
}
inline double toDouble(napi_env env, napi_value v) {
  double r;
  if (napi_get_value_double(env, v, &r) != napi_ok) fail("expected a number");
  return r;
}
inline int64_t toInt(napi_env env, napi_value v) {
  double d = toDouble(env, v);
  if (d != double(int64_t(d))) fail("expected an integer, got " + std::to_string(d));
  return int64_t(d);
}
inline bool toBool(napi_env env, napi_value v) {
  bool r;
  if (napi_get_value_bool(env, v, &r) != napi_ok) fail("expected a boolean");
  return r;
}
inline std::string toString(napi_env env, napi_value v) {
  size_t n = 0;
  if (napi_get_value_string_utf8(env, v, nullptr, 0, &n) != napi_ok) fail("expected a string");
  std::string s(n, '\0');
  napi_get_value_string_utf8(env, v, &s[0], n + 1, &n);
  return s;
}
inline uint32_t arrayLength(napi_env env, napi_value v) {
  bool is = false;
  napi_is_array(env, v, &is);
  if (!is) fail("expected an array");
  uint32_t n = 0;
  if (napi_get_array_length(env, v, &n) != napi_ok) fail("an array's length cannot be read");
  return n;
}
inline napi_value element(napi_env env, napi_value array, uint32_t i) {
  napi_value e = nullptr;
  if (napi_get_element(env, array, i, &e) != napi_ok) fail("an array's element cannot be read: its thread is being ended");
  return e;
}
inline std::vector<int64_t> toInts(napi_env env, napi_value v) {
  std::vector<int64_t> r(arrayLength(env, v));
  for (uint32_t i = 0; i < r.size(); i++) r[i] = toInt(env, element(env, v, i));
  return r;
}

inline napi_value makeNull(napi_env env) {
  napi_value v = nullptr;
  napi_get_null(env, &v);
  return v;
}
inline napi_value makeNumber(napi_env env, double d) {
  napi_value v = nullptr;
  napi_create_double(env, d, &v);
  return v;
}
inline napi_value makeBool(napi_env env, bool b) {
  napi_value v = nullptr;
  napi_get_boolean(env, b, &v);
  return v;
}
inline napi_value makeString(napi_env env, const std::string& s) {
  napi_value v = nullptr;
  napi_create_string_utf8(env, s.data(), s.size(), &v);
  return v;
}
inline napi_value makeArray(napi_env env, size_t n) {
  napi_value v = nullptr;
  napi_create_array_with_length(env, n, &v);
  return v;
}
inline void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

// An object that holds something of ours. The tag tells it from objects of other kinds, and from those of other addons.
inline napi_value makeTagged(napi_env env, const napi_type_tag& tag, void* data, napi_finalize finalize) {
  napi_value v = nullptr;
  if (napi_create_object(env, &v) != napi_ok || napi_type_tag_object(env, v, &tag) != napi_ok || napi_wrap(env, v, data, finalize, nullptr, nullptr) != napi_ok) {
    finalize(env, data, nullptr);
    fail("an object cannot be made");
  }
  return v;
}
inline void* taggedData(napi_env env, const napi_type_tag& tag, napi_value v) {  // null where it is none
  void* data = nullptr;
  bool ours = false;
  bool read = typeOf(env, v) == napi_object && napi_check_object_type_tag(env, v, &tag, &ours) == napi_ok && ours && napi_unwrap(env, v, &data) == napi_ok;
  return read ? data : nullptr;
}

struct Export {
  const char* name;
  napi_callback callback;
};
template <size_t N>
void exportAll(napi_env env, napi_value exports, const Export (&list)[N]) {
  for (auto& e : list) {
    napi_value f = nullptr;
    napi_create_function(env, e.name, NAPI_AUTO_LENGTH, e.callback, nullptr, &f);
    napi_set_named_property(env, exports, e.name, f);
  }
}

}  // namespace omni
