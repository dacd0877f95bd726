// Tensors as JavaScript sees them: numbers. Scopes release what was made inside them.
#pragma once
#include "napi_helpers.h"
#include <ATen/core/Tensor.h>

namespace omni {

// A handle is generation * 2^24 + slot. Releasing a slot bumps its generation, so a stale handle is an exact
// error and never somebody else's tensor. 28 bits of generation keep a handle inside a double's 53 bits. Each table
// starts at a generation of its own: a handle of another thread, or of another copy of this addon, is stale too.
class TensorTable {
 public:
  using Handle = int64_t;

  TensorTable();
  Handle add(at::Tensor&& tensor);
  const at::Tensor& get(Handle handle);           // throws on a stale handle; valid until the table changes
  bool isLive(Handle handle) { return find(handle) != nullptr; }
  void release(napi_env env, Handle handle);      // a stale handle is ignored: releasing twice is harmless
  void pin(Handle handle);                        // no scope releases it any more
  void beginScope() { marks_.push_back(created_.size()); }
  void endScope(napi_env env, const std::vector<Handle>& returned);  // what is returned moves to the enclosing scope
  int64_t live() const { return live_; }

  // Ties a tensor that no scope owns to its JavaScript object, and tells V8 how much it holds. `kept`: on purpose.
  void watch(napi_env env, Handle handle, napi_value owner, bool kept);
  void sweep(napi_env env);  // releases the tensors whose objects V8 has collected
  struct Unscoped {
    int64_t tensors = 0, bytes = 0;
  };
  const Unscoped& unscoped() const { return unscoped_; }

 private:
  static constexpr int64_t kSlotBits = 24, kSlotMask = (int64_t(1) << kSlotBits) - 1;
  struct Slot {
    at::Tensor tensor;
    napi_ref owner = nullptr;  // weak
    int64_t counted = 0;       // bytes that V8 was told of
    uint32_t generation = 0;
    bool live = false, pinned = false, returned = false, kept = false;
  };
  Slot* find(Handle handle);
  Handle handleOf(size_t index) const { return (int64_t(slots_[index].generation) << kSlotBits) | int64_t(index); }
  void countUnscoped(const Slot& slot, int sign);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<Handle> created_;  // made inside open scopes, oldest first
  std::vector<size_t> marks_;    // created_.size() at the start of each open scope
  uint32_t firstGeneration_;
  int64_t live_ = 0;
  Unscoped watched_, unscoped_, sweepAt_;  // unscoped_: the part of watched_ that nobody kept
};

// One table a thread: a worker has its own tensors, grad mode and autocast state, as PyTorch's threads do.
TensorTable& table();

// By value: the table may grow while the caller still uses it.
at::Tensor toTensor(napi_env env, napi_value v);
std::vector<at::Tensor> toTensors(napi_env env, napi_value v, bool allowNull = false);
napi_value makeTensor(napi_env env, at::Tensor tensor);  // an undefined tensor becomes null

void exportTensorTable(napi_env env, napi_value exports);

}  // namespace omni
