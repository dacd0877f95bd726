#include "references.h"
#include <atomic>
#include <mutex>

namespace omni {

struct DeadReferences {
  std::atomic<bool> any{false};
  std::mutex mutex;
  bool ended = false;
  std::vector<std::pair<napi_env, napi_ref>> list;
};

static thread_local std::shared_ptr<DeadReferences>* mine = nullptr;  // a pointer: never destroyed behind its users

static std::shared_ptr<DeadReferences>& ofThisThread() {
  if (!mine) mine = new std::shared_ptr<DeadReferences>(std::make_shared<DeadReferences>());
  return *mine;
}

Reference::Reference(napi_env env, napi_value value) : env_(env), dead_(ofThisThread()) {
  if (napi_create_reference(env, value, 1, &ref_) != napi_ok) fail("a reference to the value cannot be made");
}

Reference::~Reference() {
  if (mine && *mine == dead_) {  // not by thread id: a later thread may have the same
    napi_delete_reference(env_, ref_);
    return;
  }
  std::lock_guard<std::mutex> lock(dead_->mutex);
  if (dead_->ended) return;
  dead_->list.emplace_back(env_, ref_);
  dead_->any = true;
}

napi_value Reference::get() const {
  napi_value value = nullptr;
  napi_get_reference_value(env_, ref_, &value);
  return value;
}

void dropDeadReferences() {
  if (!mine || !(*mine)->any) return;
  std::vector<std::pair<napi_env, napi_ref>> dead;
  {
    std::lock_guard<std::mutex> lock((*mine)->mutex);
    dead.swap((*mine)->list);
    (*mine)->any = false;
  }
  for (auto& entry : dead) napi_delete_reference(entry.first, entry.second);
}

static void forgetReferences(void*) {  // the thread ends, and Node drops what is left
  if (!mine) return;
  {
    std::lock_guard<std::mutex> lock((*mine)->mutex);
    (*mine)->ended = true;
    (*mine)->list.clear();
  }
  delete mine;
  mine = nullptr;
}

void exportReferences(napi_env env) { napi_add_env_cleanup_hook(env, forgetReferences, nullptr); }

}  // namespace omni
