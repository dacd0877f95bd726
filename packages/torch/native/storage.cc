// Data in and out: typed arrays and files as tensors without a copy, tensors as ArrayBuffers.
#include "backing_store.h"
#include "convert.h"
#include "exports.h"
#include "rehearsal/rehearsal.h"
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/WrapDimMinimal.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace omni {

static size_t bytesNeeded(const std::vector<int64_t>& shape, at::ScalarType dtype) {
  size_t n = c10::elementSize(dtype);
  for (int64_t s : shape) {
    if (s < 0) fail("a shape must not have negative sizes");
    if (s != 0 && n > SIZE_MAX / size_t(s)) fail("the shape is too large");
    n *= size_t(s);
  }
  return n;
}

struct View {
  char* data;
  size_t bytes;
  napi_value buffer = nullptr;
  bool shared;  // a SharedArrayBuffer
};
static napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) fail(std::string("the array has no ") + name);
  return value;
}
static View viewOf(napi_env env, napi_value v) {
  bool typed = false, plain = false, detached = false;
  View view{};
  void* data = nullptr;
  napi_is_typedarray(env, v, &typed);
  napi_is_arraybuffer(env, v, &plain);
  if (typed) {
    // Not by the array's type and length: an engine may know types that its Node-API does not name (Float16Array).
    napi_get_typedarray_info(env, v, nullptr, nullptr, &data, &view.buffer, nullptr);
    view.bytes = size_t(toInt(env, property(env, v, "byteLength")));
    napi_is_arraybuffer(env, view.buffer, &plain);
    view.shared = !plain;
  } else if (plain) {
    napi_get_arraybuffer_info(env, v, &data, &view.bytes);
    view.buffer = v;
  } else {
    fail("expected a typed array or an ArrayBuffer");
  }
  if (plain) napi_is_detached_arraybuffer(env, view.buffer, &detached);
  if (detached) fail("the array's ArrayBuffer is detached: its memory was transferred; make the tensor before, or from what received it");
  view.data = static_cast<char*>(data);
  return view;
}
static bool isResizable(napi_env env, const View& view) {
  napi_value resizable = view.shared ? nullptr : property(env, view.buffer, "resizable");
  return resizable && typeOf(env, resizable) == napi_boolean && toBool(env, resizable);
}

static napi_value FromBuffer(napi_env env, napi_callback_info info) {  // (typed array, shape, dtype, copy)
  OMNI_TRY
  Args<4> a(env, info);
  auto shape = toInts(env, a[1]);
  auto dtype = toDType(env, a[2]);
  bool copy = toBool(env, a[3]);
  View view = viewOf(env, a[0]);
  size_t bytes = bytesNeeded(shape, dtype);
  if (bytes != view.bytes)
    fail("the shape needs " + std::to_string(bytes) + " bytes, the array has " + std::to_string(view.bytes));
  bool aligned = reinterpret_cast<uintptr_t>(view.data) % c10::elementSize(dtype) == 0;
  if (copy || !aligned || bytes == 0) {
    at::Tensor t = at::empty(shape, at::TensorOptions().dtype(dtype));
    if (bytes) std::memcpy(t.data_ptr(), view.data, bytes);
    return makeTensor(env, std::move(t));
  }
  if (isResizable(env, view))
    fail("copy: false: the array's ArrayBuffer is resizable, and a tensor cannot follow it; use a buffer of fixed length, or copy");
  auto memory = backingStoreOf(view.buffer, view.shared, view.data);
  if (!memory) fail("copy: false: this engine does not let a tensor hold an ArrayBuffer's memory; copy");
  if (!view.shared) holdStill(env, view.buffer);
  return makeTensor(env, at::from_blob(view.data, shape, [memory](void*) {}, at::TensorOptions().dtype(dtype)));
  OMNI_CATCH(env)
}

static napi_value ToBuffer(napi_env env, napi_callback_info info) {  // (tensor) -> ArrayBuffer on the tensor's own memory
  OMNI_TRY
  Args<1> a(env, info);
  at::Tensor t = toTensor(env, a[0]);
  if (!t.device().is_cpu() || !t.is_contiguous())
    fail("data(): only a contiguous CPU tensor can be seen without a copy, got " + describe(t) +
         (t.device().is_cpu() ? " (not contiguous)" : "") + "; use toTypedArray()");
  napi_value buffer = nullptr;
  if (t.nbytes() == 0) {
    napi_create_arraybuffer(env, 0, nullptr, &buffer);
    return buffer;
  }
  auto* keep = new at::Tensor(t.detach());  // the view keeps the memory alive, not the handle
  napi_status s = napi_create_external_arraybuffer(
      env, keep->data_ptr(), keep->nbytes(), [](napi_env, void*, void* hint) { delete static_cast<at::Tensor*>(hint); }, keep, &buffer);
  if (s != napi_ok) {
    delete keep;
    fail("this Node version does not allow external ArrayBuffers; use toTypedArray()");
  }
  return buffer;
  OMNI_CATCH(env)
}

static napi_value Read(napi_env env, napi_callback_info info) {  // (tensor) -> ArrayBuffer copy; narrow floats become float32
  OMNI_TRY
  Args<1> a(env, info);
  at::Tensor t = toTensor(env, a[0]).detach();
  if (at::isFloatingType(t.scalar_type()) && t.element_size() < 4) t = t.to(at::kFloat);
  t = t.cpu().contiguous();
  napi_value buffer = nullptr;
  void* data;
  if (napi_create_arraybuffer(env, t.nbytes(), &data, &buffer) != napi_ok) fail("no memory for a copy of " + describe(t));
  if (t.nbytes()) std::memcpy(data, t.data_ptr(), t.nbytes());
  return buffer;
  OMNI_CATCH(env)
}

static napi_value MapFile(napi_env env, napi_callback_info info) {  // (path, byteOffset, dtype, shape)
  OMNI_TRY
  Args<4> a(env, info);
  std::string path = toString(env, a[0]);
  int64_t offset = toInt(env, a[1]);
  auto dtype = toDType(env, a[2]);
  auto shape = toInts(env, a[3]);
  size_t bytes = bytesNeeded(shape, dtype);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path + ": cannot be opened: " + std::strerror(errno));
  struct stat st;
  if (fstat(fd, &st) != 0 || offset < 0 || uint64_t(offset) > uint64_t(st.st_size) || bytes > uint64_t(st.st_size) - uint64_t(offset)) {
    close(fd);
    fail(path + ": bytes " + std::to_string(offset) + " to " + std::to_string(offset + int64_t(bytes)) + " lie outside the file");
  }
  if (bytes == 0) {
    close(fd);
    return makeTensor(env, at::empty(shape, at::TensorOptions().dtype(dtype)));
  }
  // Mappings start at page boundaries. Private: writing to the tensor never changes the file.
  size_t page = size_t(sysconf(_SC_PAGESIZE)), before = size_t(offset) % page, length = before + bytes;
  void* base = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, offset - int64_t(before));
  int error = errno;
  close(fd);
  if (base == MAP_FAILED) fail(path + ": cannot be mapped: " + std::strerror(error));
  char* data = static_cast<char*>(base) + before;
  auto options = at::TensorOptions().dtype(dtype);
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(dtype) != 0) {
    at::Tensor copy = at::empty(shape, options);  // kernels expect aligned elements
    std::memcpy(copy.data_ptr(), data, bytes);
    munmap(base, length);
    return makeTensor(env, std::move(copy));
  }
  return makeTensor(env, at::from_blob(data, shape, [base, length](void*) { munmap(base, length); }, options));
  OMNI_CATCH(env)
}

static napi_value Shape(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  at::Tensor t = toTensor(env, a[0]);
  auto sizes = t.sizes();
  napi_value list = makeArray(env, sizes.size());
  for (size_t i = 0; i < sizes.size(); i++) napi_set_element(env, list, i, makeNumber(env, double(sizes[i])));
  return list;
  OMNI_CATCH(env)
}
static napi_value Info(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  at::Tensor t = toTensor(env, a[0]);
  napi_value o = nullptr;
  napi_create_object(env, &o);
  setProperty(env, o, "dtype", makeString(env, dtypeName(t.scalar_type())));
  setProperty(env, o, "device", makeString(env, rehearsal::deviceName(t.device())));
  setProperty(env, o, "requiresGrad", makeBool(env, t.requires_grad()));
  setProperty(env, o, "isLeaf", makeBool(env, t.is_leaf()));
  setProperty(env, o, "isContiguous", makeBool(env, t.is_contiguous()));
  return o;
  OMNI_CATCH(env)
}
static napi_value RequiresGrad(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  return makeBool(env, toTensor(env, a[0]).requires_grad());
  OMNI_CATCH(env)
}
static napi_value Item(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  at::Tensor t = toTensor(env, a[0]);
  if (t.numel() != 1) fail("item(): the tensor must have one element, got " + describe(t));
  return makeNumber(env, t.item().toDouble());
  OMNI_CATCH(env)
}
static napi_value ScalarTensor(napi_env env, napi_callback_info info) {  // (number): promotes like a Python number
  OMNI_TRY
  Args<1> a(env, info);
  double d = toDouble(env, a[0]);
  bool integral = d == double(int64_t(d));
  at::Tensor t = at::empty({}, at::TensorOptions().dtype(integral ? at::kLong : at::kDouble));
  if (integral) *t.data_ptr<int64_t>() = int64_t(d);
  else *t.data_ptr<double>() = d;
  t.unsafeGetTensorImpl()->set_wrapped_number(true);
  return makeTensor(env, std::move(t));
  OMNI_CATCH(env)
}

void exportStorage(napi_env env, napi_value exports) {
  const Export list[] = {{"fromBuffer", FromBuffer}, {"toBuffer", ToBuffer}, {"read", Read},
                         {"mapFile", MapFile},       {"shape", Shape},       {"info", Info},
                         {"requiresGrad", RequiresGrad}, {"item", Item},     {"scalarTensor", ScalarTensor}};
  exportAll(env, exports, list);
}

}  // namespace omni
