// Tensors as JavaScript sees them: numbers. Scopes release what was made inside them.
#pragma once
#include "napi_helpers.h"
#include <ATen/core/Tensor.h>

namespace omni {

// A handle is generation * 2^24 + slot. Releasing a slot bumps its generation, so a stale handle is an exact
// error and never somebody else's tensor. 28 bits of generation keep a handle inside a double's 53 bits.
class TensorTable {
 public:
  using Handle = int64_t;

  Handle add(at::Tensor&& tensor);
  at::Tensor& get(Handle handle);  // throws on a stale handle
  void release(Handle handle);     // a stale handle is ignored: releasing twice is harmless
  void pin(Handle handle);         // no scope releases it any more
  // Bytes that only this tensor holds, remembered so that they are subtracted once; 0 when it was counted before.
  int64_t count(Handle handle);
  int64_t uncount(Handle handle);
  void beginScope() { marks_.push_back(created_.size()); }
  void endScope(const std::vector<Handle>& returned);  // what is returned moves to the enclosing scope
  int64_t live() const { return live_; }

 private:
  static constexpr int64_t kSlotBits = 24, kSlotMask = (int64_t(1) << kSlotBits) - 1;
  struct Slot {
    at::Tensor tensor;
    int64_t counted = 0;
    uint32_t generation = 1;
    bool live = false, pinned = false, returned = false;
  };
  Slot* find(Handle handle);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<Handle> created_;  // made inside open scopes, oldest first
  std::vector<size_t> marks_;    // created_.size() at the start of each open scope
  int64_t live_ = 0;
};

// One table a thread: a worker has its own tensors, grad mode and autocast state, as PyTorch's threads do.
TensorTable& table();

at::Tensor& toTensor(napi_env env, napi_value v);
std::vector<at::Tensor> toTensors(napi_env env, napi_value v, bool allowNull = false);
napi_value makeTensor(napi_env env, at::Tensor tensor);  // an undefined tensor becomes null

void exportTensorTable(napi_env env, napi_value exports);

}  // namespace omni
