// What differs between the versions of LibTorch that this builds on, 1.13 to current 2.x. Nowhere else is a version
// asked for.
#pragma once
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/version.h>
#include <memory>
#include <utility>
#ifdef OMNI_DISTRIBUTED
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif

#define OMNI_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

// Dtypes that came after 1.13, by their names in JavaScript.
#if OMNI_TORCH_AT_LEAST(2, 3)
#define OMNI_LATER_DTYPES                                                                                       \
  {"float8_e4m3fn", at::kFloat8_e4m3fn}, {"float8_e5m2", at::kFloat8_e5m2}, {"uint16", at::kUInt16}, \
      {"uint32", at::kUInt32}, {"uint64", at::kUInt64},
#elif OMNI_TORCH_AT_LEAST(2, 1)
#define OMNI_LATER_DTYPES {"float8_e4m3fn", at::kFloat8_e4m3fn}, {"float8_e5m2", at::kFloat8_e5m2},
#else
#define OMNI_LATER_DTYPES
#endif

namespace omni {

// Graph nodes count their own references from 2.13 on; before, they were shared pointers with a deleter of their own.
#if OMNI_TORCH_AT_LEAST(2, 13)
template <class Node, class... A>
c10::intrusive_ptr<Node> makeNode(A&&... arguments) {
  return c10::make_intrusive<Node>(std::forward<A>(arguments)...);
}
#else
template <class Node, class... A>
std::shared_ptr<Node> makeNode(A&&... arguments) {
  return std::shared_ptr<Node>(new Node(std::forward<A>(arguments)...), torch::autograd::deleteNode);
}
#endif

// Autocast's switches by device: their names changed in 2.4.
#if OMNI_TORCH_AT_LEAST(2, 4)
inline bool autocastIsOn(c10::DeviceType d) { return at::autocast::is_autocast_enabled(d); }
inline void turnAutocast(c10::DeviceType d, bool on) { at::autocast::set_autocast_enabled(d, on); }
inline at::ScalarType autocastDtype(c10::DeviceType d) { return at::autocast::get_autocast_dtype(d); }
inline void setAutocastDtype(c10::DeviceType d, at::ScalarType t) { at::autocast::set_autocast_dtype(d, t); }
#else
inline bool autocastIsOn(c10::DeviceType d) { return d == c10::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled(); }
inline void turnAutocast(c10::DeviceType d, bool on) { d == c10::kCPU ? at::autocast::set_cpu_enabled(on) : at::autocast::set_enabled(on); }
inline at::ScalarType autocastDtype(c10::DeviceType d) {
  return d == c10::kCPU ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
inline void setAutocastDtype(c10::DeviceType d, at::ScalarType t) {
  d == c10::kCPU ? at::autocast::set_autocast_cpu_dtype(t) : at::autocast::set_autocast_gpu_dtype(t);
}
#endif

#ifdef OMNI_DISTRIBUTED
// What Gloo's and NCCL's groups are: from 2.0 on a process group is one more layer around them.
#if OMNI_TORCH_AT_LEAST(2, 0)
using Engine = c10d::Backend;
#else
using Engine = c10d::ProcessGroup;
#endif
#endif

}  // namespace omni
