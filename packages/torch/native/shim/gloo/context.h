// Gloo's own headers come with neither PyTorch's wheels nor libtorch-dev, and ProcessGroupGloo.hpp includes five of
// them. It needs their names only: nothing here is made, called or measured by us. This folder comes last on the
// include path (-idirafter): a complete Gloo's own headers win.
#pragma once
#include <chrono>
namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
}  // namespace gloo
