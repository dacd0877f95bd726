// The environment of the whole process, for JavaScript threads whose `process.env` is a copy. An addon of its own,
// without LibTorch, so that whoever needs nothing else loads in a millisecond.
#include <node_api.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

bool readString(napi_env env, napi_value value, std::string& text) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  text.resize(length);
  return napi_get_value_string_utf8(env, value, &text[0], length + 1, &length) == napi_ok;
}

napi_value Set(napi_env env, napi_callback_info info) {  // (name, value)
  napi_value arguments[2];
  size_t count = 2;
  std::string name, value;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (count < 2 || !readString(env, arguments[0], name) || !readString(env, arguments[1], value)) {
    napi_throw_type_error(env, nullptr, "setProcessEnvironment: expected a name and a value, both strings");
    return nullptr;
  }
  // Writing what is there already would only race with others that read the environment.
  const char* now = getenv(name.c_str());
  if (now != nullptr && value == now) return nullptr;
  if (setenv(name.c_str(), value.c_str(), 1) != 0)
    napi_throw_error(env, nullptr, ("setProcessEnvironment: " + name + ": " + strerror(errno)).c_str());
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value set = nullptr;
  napi_create_function(env, "set", NAPI_AUTO_LENGTH, Set, nullptr, &set);
  napi_set_named_property(env, exports, "set", set);
  return exports;
}
