#include "tensor_table.h"
#include "rehearsal/rehearsal.h"
#include "references.h"
#include <algorithm>
#include <random>
#include <utility>

namespace omni {

// How much more than after the last sweep may be held by unreachable tensors before the next.
constexpr int64_t kSweepBytes = 64 << 20, kSweepTensors = 4096;

TensorTable::TensorTable() : firstGeneration_(std::random_device()() % 0xfffffff + 1), sweepAt_{kSweepTensors, kSweepBytes} {}

TensorTable::Handle TensorTable::add(at::Tensor&& tensor) {
  uint32_t index;
  if (free_.empty()) {
    index = slots_.size();
    if (index > kSlotMask) fail("more than 16 million live tensors: wrap the work in scope(() => …)");
    slots_.emplace_back();
    slots_.back().generation = firstGeneration_;
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.tensor = std::move(tensor);
  slot.live = true;
  live_++;
  Handle handle = handleOf(index);
  if (!marks_.empty()) created_.push_back(handle);
  return handle;
}

TensorTable::Slot* TensorTable::find(Handle handle) {
  uint64_t index = handle & kSlotMask;
  if (handle < 0 || index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.live && slot.generation == uint64_t(handle) >> kSlotBits ? &slot : nullptr;
}

const at::Tensor& TensorTable::get(Handle handle) {
  Slot* slot = find(handle);
  if (!slot)
    fail("this tensor was released (its scope ended or it was disposed); return it from the scope or call keep() on it");
  return slot->tensor;
}

void TensorTable::release(napi_env env, Handle handle) {
  Slot* slot = find(handle);
  if (!slot) return;
  at::Tensor last = std::move(slot->tensor);  // destroyed after the slot is consistent again
  napi_ref owner = std::exchange(slot->owner, nullptr);
  if (owner) countUnscoped(*slot, -1);
  int64_t counted = std::exchange(slot->counted, 0);
  slot->tensor.reset();
  slot->live = slot->pinned = slot->returned = slot->kept = false;
  slot->generation = (slot->generation + 1) & 0xfffffff;
  if (slot->generation == 0) slot->generation = 1;  // handle 0 stays invalid for ever
  live_--;
  free_.push_back(handle & kSlotMask);
  if (owner) napi_delete_reference(env, owner);
  if (counted) napi_adjust_external_memory(env, -counted, &counted);
}

void TensorTable::pin(Handle handle) {
  get(handle);
  find(handle)->pinned = true;
}

void TensorTable::countUnscoped(const Slot& slot, int sign) {
  watched_.tensors += sign;
  watched_.bytes += sign * slot.counted;
  if (slot.kept) return;
  unscoped_.tensors += sign;
  unscoped_.bytes += sign * slot.counted;
}

// What the tensor alone holds: nothing where the memory is a view's base, a file's or a typed array's.
static int64_t ownBytes(const at::Tensor& t) {
  if (!t.has_storage() || t.is_meta()) return 0;
  const auto& storage = t.unsafeGetTensorImpl()->storage();
  return rehearsal::on() || storage.use_count() > 1 || !storage.resizable() ? 0 : int64_t(storage.nbytes());
}

void TensorTable::watch(napi_env env, Handle handle, napi_value owner, bool kept) {
  int64_t bytes = ownBytes(get(handle));
  Slot* slot = find(handle);
  if (slot->owner) {
    countUnscoped(*slot, -1);
    slot->kept = slot->kept || kept;
    countUnscoped(*slot, 1);
    return;
  }
  if (napi_create_reference(env, owner, 0, &slot->owner) != napi_ok) fail("a tensor's object cannot be watched");
  slot->counted = bytes;
  slot->kept = kept;
  countUnscoped(*slot, 1);
  if (bytes) napi_adjust_external_memory(env, bytes, &bytes);  // may collect, and never calls JavaScript
  if (watched_.bytes > sweepAt_.bytes || watched_.tensors > sweepAt_.tensors) sweep(env);
}

void TensorTable::sweep(napi_env env) {
  constexpr size_t kHandles = 1024;  // values fetched per handle scope
  for (size_t start = 0; start < slots_.size(); start += kHandles) {
    napi_handle_scope handles;
    napi_open_handle_scope(env, &handles);
    for (size_t i = start; i < std::min(start + kHandles, slots_.size()); i++) {
      if (!slots_[i].live || !slots_[i].owner) continue;
      napi_value owner = nullptr;
      if (napi_get_reference_value(env, slots_[i].owner, &owner) == napi_ok && !owner) release(env, handleOf(i));
    }
    napi_close_handle_scope(env, handles);
  }
  sweepAt_.bytes = watched_.bytes + std::max(kSweepBytes, watched_.bytes / 4);
  sweepAt_.tensors = watched_.tensors + std::max(kSweepTensors, watched_.tensors / 4);
}

void TensorTable::endScope(napi_env env, const std::vector<Handle>& returned) {
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
      release(env, handle);
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

at::Tensor toTensor(napi_env env, napi_value v) {
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
  table().release(env, int64_t(toDouble(env, a[0])));
  return nullptr;
  OMNI_CATCH(env)
}
static napi_value Watch(napi_env env, napi_callback_info info) {  // (tensor, its object, kept) -> whether a limit is passed
  OMNI_TRY
  Args<5> a(env, info);
  table().watch(env, int64_t(toDouble(env, a[0])), a[1], toBool(env, a[2]));
  const auto& now = table().unscoped();
  return makeBool(env, double(now.tensors) > toDouble(env, a[3]) || double(now.bytes) > toDouble(env, a[4]));
  OMNI_CATCH(env)
}
static napi_value Sweep(napi_env env, napi_callback_info) {  // -> [tensors, bytes] that no scope owns and nobody kept
  OMNI_TRY
  table().sweep(env);
  napi_value left = makeArray(env, 2);
  napi_set_element(env, left, 0, makeNumber(env, double(table().unscoped().tensors)));
  napi_set_element(env, left, 1, makeNumber(env, double(table().unscoped().bytes)));
  return left;
  OMNI_CATCH(env)
}
static napi_value IsLive(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  return makeBool(env, table().isLive(int64_t(toDouble(env, a[0]))));
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
  table().endScope(env, toInts(env, a[0]));
  dropDeadReferences();
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
  const Export list[] = {{"release", Release},       {"watch", Watch},       {"sweep", Sweep},
                         {"isLive", IsLive},         {"pin", Pin},           {"scopeBegin", ScopeBegin},
                         {"scopeEnd", ScopeEnd},     {"liveTensors", LiveTensors}};
  exportAll(env, exports, list);
}

}  // namespace omni
