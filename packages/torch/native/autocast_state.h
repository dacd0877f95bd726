// Autocast's switches by device: their names changed in LibTorch 2.4.
#pragma once
#include "torch_version.h"
#include <ATen/autocast_mode.h>

namespace omni {
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

}  // namespace omni
