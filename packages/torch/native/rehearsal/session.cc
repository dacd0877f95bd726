// What a rehearsal is started with and asked for, and the memory that its tensors pretend to have.
#include "rehearsal.h"
#include "../exports.h"
#include "../tensor_table.h"
#include <ATen/EmptyTensor.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <sys/mman.h>
#include <torch/library.h>
#include <cstdlib>

namespace omni {
namespace rehearsal {
namespace {

thread_local std::unique_ptr<Session> session;

struct Block {
  std::shared_ptr<Log> log;
  size_t entry;
  void* data;
  size_t mapped;  // 0: from calloc
};

void release(void* context) {
  auto* block = static_cast<Block*>(context);
  if (block->mapped) munmap(block->data, block->mapped);
  else std::free(block->data);
  {
    std::lock_guard<std::mutex> lock(block->log->mutex);
    block->log->entries[block->entry].freed = ++block->log->moment;
  }
  delete block;
}

constexpr size_t kMap = 1 << 16;

// Addresses without memory behind them: they read as zeros, and only what is written to takes room.
at::DataPtr take(size_t bytes) {
  auto block = std::make_unique<Block>();
  block->log = session ? session->log : std::make_shared<Log>();
  block->mapped = bytes >= kMap ? bytes : 0;
  block->data = block->mapped ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) : std::calloc(1, bytes + 1);
  if (block->data == MAP_FAILED || !block->data)
    fail("rehearse: " + std::to_string(bytes) + " bytes of addresses cannot be had; allow overcommitted memory (vm.overcommit_memory=0 or 1)");
  // As allocators round: the C library's alignment for tensors, and the caching one's blocks.
  int64_t grain = session && session->gpu ? 512 : 64, counted = (int64_t(bytes) + grain - 1) / grain * grain;
  {
    std::lock_guard<std::mutex> lock(block->log->mutex);
    block->entry = block->log->entries.size();
    block->log->entries.push_back({counted, ++block->log->moment, 0});
  }
  void* data = block->data;
  return {data, block.release(), release, c10::Device(c10::kCPU)};
}

// The base's functions differ from version to version in `const` alone; these are whichever it asks for.
struct Reserve final : at::Allocator {
  at::DataPtr allocate(size_t bytes) const { return take(bytes); }
  at::DataPtr allocate(size_t bytes) { return take(bytes); }
  void copy_data(void* to, const void* from, size_t bytes) const { std::memcpy(to, from, bytes); }
} allocator;

void registerFallback() {
  static bool done = false;
  if (done) return;
  auto library = std::make_unique<torch::Library>(torch::Library::IMPL, "_", c10::make_optional(c10::DispatchKey::Fake), __FILE__, __LINE__);
  library->fallback(torch::CppFunction::makeFromBoxedFunction<&onCall>());
  library.release();  // for as long as the process lives
  done = true;
}

napi_value Start(napi_env env, napi_callback_info info) {  // (device)
  OMNI_TRY
  Args<1> a(env, info);
  if (session) fail("rehearse: a rehearsal is under way already");
  try {
    registerFallback();
  } catch (const c10::Error&) {
    fail("rehearse: another copy of this package in this process has done so; rehearse in one of them only");
  }
  session = std::make_unique<Session>();
  session->device = toString(env, a[0]);
  session->gpu = session->device != "cpu";
  c10::impl::tls_set_dispatch_key_included(c10::DispatchKey::Fake, true);
  return nullptr;
  OMNI_CATCH(env)
}
napi_value Stop(napi_env, napi_callback_info) {
  c10::impl::tls_set_dispatch_key_included(c10::DispatchKey::Fake, false);
  session = nullptr;
  return nullptr;
}

Session& started() {
  if (!session) fail("no rehearsal is under way");
  return *session;
}
napi_value Counts(napi_env env, napi_callback_info) {  // -> [moment, flops, calls]
  OMNI_TRY
  Session& s = started();
  napi_value counts = makeArray(env, 3);
  napi_set_element(env, counts, 0, makeNumber(env, double(s.log->moment)));
  napi_set_element(env, counts, 1, makeNumber(env, s.flops));
  napi_set_element(env, counts, 2, makeNumber(env, double(s.calls)));
  return counts;
  OMNI_CATCH(env)
}
napi_value Allocations(napi_env env, napi_callback_info) {  // -> Float64Array's buffer: bytes, made, freed of each
  OMNI_TRY
  auto& entries = started().log->entries;
  napi_value buffer = nullptr;
  void* data;
  if (napi_create_arraybuffer(env, entries.size() * 3 * sizeof(double), &data, &buffer) != napi_ok) fail("no memory for the log of a rehearsal");
  auto* out = static_cast<double*>(data);
  for (auto& e : entries) {
    *out++ = double(e.bytes);
    *out++ = double(e.made);
    *out++ = double(e.freed);
  }
  return buffer;
  OMNI_CATCH(env)
}
napi_value Places(napi_env env, napi_callback_info info) {  // (tensors) -> places in the log, -1 for others
  OMNI_TRY
  Args<1> a(env, info);
  auto tensors = toTensors(env, a[0]);
  napi_value list = makeArray(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) napi_set_element(env, list, i, makeNumber(env, double(placeOf(tensors[i]))));
  return list;
  OMNI_CATCH(env)
}

}  // namespace

Session* current() { return session.get(); }

c10::Device deviceOf(const std::string& name) {
  c10::Device device(name);
  return on() ? c10::Device(c10::kCPU) : device;
}
std::string deviceName(const c10::Device& device) { return on() ? session->device : device.str(); }

at::Tensor reserve(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type) {
  return at::detail::empty_strided_generic(sizes, strides, &allocator, c10::DispatchKeySet(c10::DispatchKey::CPU), type);
}
at::Tensor reserve(at::IntArrayRef sizes, at::ScalarType type) {
  return at::detail::empty_generic(sizes, &allocator, c10::DispatchKeySet(c10::DispatchKey::CPU), type, c10::nullopt);
}

int64_t placeOf(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return -1;
  const at::DataPtr& data = tensor.storage().data_ptr();
  if (data.get_deleter() != release) return -1;
  auto* block = static_cast<Block*>(data.get_context());
  return on() && block->log == session->log ? int64_t(block->entry) : -1;
}

}  // namespace rehearsal

void exportRehearsal(napi_env env, napi_value exports) {
  using namespace rehearsal;
  const Export list[] = {{"rehearsalStart", Start}, {"rehearsalStop", Stop}, {"rehearsalCounts", Counts}, {"rehearsalAllocations", Allocations}, {"rehearsalPlaces", Places}};
  exportAll(env, exports, list);
}

}  // namespace omni
