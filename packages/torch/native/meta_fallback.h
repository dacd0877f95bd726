#pragma once
#include <ATen/core/dispatch/Dispatcher.h>

namespace omni {

// Whether it is this addon (or another copy of it) that tells an operator's shapes on the meta device, by computing.
bool isComputedOnMeta(const c10::OperatorHandle& op);

}  // namespace omni
