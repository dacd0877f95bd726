// The memory of an ArrayBuffer, held on its own.
#pragma once
#include "napi_helpers.h"
#include <memory>

namespace omni {

/// Keeps a buffer's memory, whatever becomes of the buffer: a reference would keep the object, and its memory leaves
/// with `structuredClone(buffer, { transfer: [buffer] })`. Null where the engine has no such thing.
std::shared_ptr<void> backingStoreOf(napi_value buffer, bool shared, const void* data);

/// Some engines grow a buffer that is transferred to another length by `realloc`, under whoever holds its memory
/// (V8 up to Node 23). There the buffer is locked: transferring it throws.
void holdStill(napi_env env, napi_value buffer);

}  // namespace omni
