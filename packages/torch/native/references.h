// References to JavaScript values belong to the thread that made them; what holds one may die on any thread.
#pragma once
#include "napi_helpers.h"
#include <memory>

namespace omni {

struct DeadReferences;

// Deletes the value's reference on its own thread: at once, or when that thread comes by next. A thread that has
// ended took its references with it.
class Reference {
 public:
  Reference(napi_env env, napi_value value);
  ~Reference();
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  napi_value get() const;  // on its own thread only
  napi_env env() const { return env_; }

 private:
  napi_env env_;
  napi_ref ref_ = nullptr;
  std::shared_ptr<DeadReferences> dead_;
};

void dropDeadReferences();  // those of this thread that died on others
void exportReferences(napi_env env);

}  // namespace omni
