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

}  // namespace omni
