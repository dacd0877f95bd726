// Node-API cannot say this, V8 can: BackingStore, a std::shared_ptr on the memory. V8's functions are looked up by name,
// so that the addon stays free of its headers and one build serves all majors of Node; where one is missing there is none.
#include "backing_store.h"
#include <dlfcn.h>

namespace omni {

std::shared_ptr<void> backingStoreOf(napi_value buffer, bool shared, const void* data) {
  using Get = std::shared_ptr<void> (*)(void* self);  // a member function with no argument; a napi_value is its `this`
  using Data = void* (*)(const void* store);
  static const auto ofArrayBuffer = reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer15GetBackingStoreEv"));
  static const auto ofShared = reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "_ZN2v817SharedArrayBuffer15GetBackingStoreEv"));
  static const auto dataOf = reinterpret_cast<Data>(dlsym(RTLD_DEFAULT, "_ZNK2v812BackingStore4DataEv"));
  Get get = shared ? ofShared : ofArrayBuffer;
  if (!get || !dataOf) return nullptr;
  std::shared_ptr<void> store = get(buffer);
  auto start = store ? static_cast<const char*>(dataOf(store.get())) : nullptr;
  return start && static_cast<const char*>(data) >= start ? store : nullptr;
}

void holdStill(napi_env env, napi_value buffer) {
  using SetDetachKey = void (*)(void* self, napi_value key);
  static const void* reallocates = dlsym(RTLD_DEFAULT, "_ZN2v812BackingStore10ReallocateEPNS_7IsolateESt10unique_ptrIS0_St14default_deleteIS0_EEm");
  static const auto lock = reinterpret_cast<SetDetachKey>(dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer12SetDetachKeyENS_5LocalINS_5ValueEEE"));
  napi_value transfer = nullptr, key = nullptr;
  if (!reallocates || !lock || napi_get_named_property(env, buffer, "transfer", &transfer) != napi_ok || isNullish(env, transfer)) return;
  napi_create_symbol(env, makeString(env, "a tensor lies on this ArrayBuffer"), &key);
  lock(buffer, key);
}

}  // namespace omni
