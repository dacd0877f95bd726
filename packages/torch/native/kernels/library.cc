#include "library.h"
#include <ATen/core/dispatch/Dispatcher.h>
#include <memory>

namespace omni {
namespace {

// An operator may be registered once in a process: a second copy of the addon, perhaps of another version, must neither
// end the process nor use the first one's kernels. Two copies that are loaded at the same moment try again.
std::string registerOperators() {
  for (int copy = 1;; copy++) {
    std::string name = kLibraryName + (copy == 1 ? "" : "_" + std::to_string(copy));
    if (c10::Dispatcher::singleton().findSchema({name + "::attention_packed_qkv", ""})) continue;
    auto library = std::make_unique<torch::Library>(torch::Library::FRAGMENT, name, c10::nullopt, __FILE__, __LINE__);
    try {
      defineAttention(*library);
    } catch (const c10::Error&) {
      continue;
    }
    defineGelu(*library);
    defineLayerNorm(*library);
    defineModulate(*library);
    defineQkNorm(*library);
    defineOptimizers(*library);
    defineFlash(*library);
    library.release();  // for as long as the process lives: LibTorch's dispatcher may be gone before us at exit
    return name;
  }
}

}  // namespace

const std::string& libraryNamespace() {
  static const auto* name = new std::string(registerOperators());
  return *name;
}

}  // namespace omni
