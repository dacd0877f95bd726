#include "tensor_table.h"
#include <utility>

namespace omni {

TensorTable::Handle TensorTable::add(at::Tensor&& tensor) {
  uint32_t index;
  if (free_.empty()) {
    index = slots_.size();
    if (index > kSlotMask) fail("more than 16 million live tensors: wrap the work in scope(() => …)");
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.tensor = std::move(tensor);
  slot.live = true;
  live_++;
  Handle handle = (int64_t(slot.generation) << kSlotBits) | index;
  if (!marks_.empty()) created_.push_back(handle);
  return handle;
}

TensorTable::Slot* TensorTable::find(Handle handle) {
  uint64_t index = handle & kSlotMask;
  if (handle < 0 || index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.live && slot.generation == uint64_t(handle) >> kSlotBits ? &slot : nullptr;
}

at::Tensor& TensorTable::get(Handle handle) {
  Slot* slot = find(handle);
  if (!slot)
    fail("this tensor was released (its scope ended or it was disposed); return it from the scope or call keep() on it");
  return slot->tensor;
}

void TensorTable::release(Handle handle) {
  Slot* slot = find(handle);
  if (!slot) return;
  at::Tensor last = std::move(slot->tensor);  // destroyed after the slot is consistent again
  slot->tensor.reset();
  slot->live = slot->pinned = slot->returned = false;
  slot->generation = (slot->generation + 1) & 0xfffffff;
  if (slot->generation == 0) slot->generation = 1;  // handle 0 stays invalid for ever
  live_--;
  free_.push_back(handle & kSlotMask);
}

void TensorTable::pin(Handle handle) {
  get(handle);
  find(handle)->pinned = true;
}

int64_t TensorTable::count(Handle handle) {
  at::Tensor& t = get(handle);
  Slot* slot = find(handle);
  bool shared = !t.has_storage() || t.unsafeGetTensorImpl()->storage().use_count() > 1 || !t.device().is_cpu();
  if (slot->counted || shared) return 0;
  return slot->counted = int64_t(t.nbytes());
}

int64_t TensorTable::uncount(Handle handle) {
  Slot* slot = find(handle);
  return slot ? std::exchange(slot->counted, 0) : 0;
}

void TensorTable::endScope(const std::vector<Handle>& returned) {
  if (marks_.empty()) fail("no scope is open");
  for (Handle handle : returned)
    if (Slot* slot = find(handle)) slot->returned = true;
  size_t start = marks_.back(), kept = start;
  marks_.pop_back();
  for (size_t i = start; i < created_.size(); i++) {
    Handle handle = created_[i];
    Slot* slot = find(handle);
    if (!slot || slot->pinned) continue;
    if (!slot->returned)
      release(handle);
    else if (!marks_.empty())
      created_[kept++] = handle;
  }
  created_.resize(kept);
  for (Handle handle : returned)
    if (Slot* slot = find(handle)) slot->returned = false;
}

// Never destroyed on the main thread: LibTorch's own statics may be gone when thread-locals die at exit.
static thread_local TensorTable* current = nullptr;
TensorTable& table() {
  if (!current) current = new TensorTable;
  return *current;
}

at::Tensor& toTensor(napi_env env, napi_value v) {
  double d;
  if (napi_get_value_double(env, v, &d) != napi_ok) fail("expected a Tensor");
  return table().get(int64_t(d));
}

std::vector<at::Tensor> toTensors(napi_env env, napi_value v, bool allowNull) {
  std::vector<at::Tensor> r(arrayLength(env, v));
  for (uint32_t i = 0; i < r.size(); i++) {
    napi_value e = element(env, v, i);
    if (allowNull && isNullish(env, e)) continue;
    r[i] = toTensor(env, e);
  }
  return r;
}

napi_value makeTensor(napi_env env, at::Tensor tensor) {
  if (!tensor.defined()) return makeNull(env);
  return makeNumber(env, double(table().add(std::move(tensor))));
}

static napi_value Release(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  auto handle = int64_t(toDouble(env, a[0]));
  if (int64_t bytes = table().uncount(handle)) napi_adjust_external_memory(env, -bytes, &bytes);
  table().release(handle);
  return nullptr;
  OMNI_CATCH(env)
}
// Tells V8 how much the tensor holds: otherwise it sees a few bytes and puts the collection off while memory fills.
static napi_value Count(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  if (int64_t bytes = table().count(int64_t(toDouble(env, a[0])))) napi_adjust_external_memory(env, bytes, &bytes);
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value Pin(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  table().pin(int64_t(toDouble(env, a[0])));
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value ScopeBegin(napi_env, napi_callback_info) {
  table().beginScope();
  return nullptr;
}
static napi_value ScopeEnd(napi_env env, napi_callback_info info) {  // (returned: handle[])
  OMNI_TRY
  Args<1> a(env, info);
  table().endScope(toInts(env, a[0]));
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value LiveTensors(napi_env env, napi_callback_info) { return makeNumber(env, double(table().live())); }

static void forgetTable(void*) {  // a worker thread ends: its tensors go with it
  delete current;
  current = nullptr;
}

void exportTensorTable(napi_env env, napi_value exports) {
  napi_add_env_cleanup_hook(env, forgetTable, nullptr);
  const Export list[] = {
      {"release", Release}, {"count", Count}, {"pin", Pin}, {"scopeBegin", ScopeBegin}, {"scopeEnd", ScopeEnd}, {"liveTensors", LiveTensors}};
  exportAll(env, exports, list);
}

}  // namespace omni
