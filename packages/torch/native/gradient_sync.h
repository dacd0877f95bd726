// What has to happen around the outermost backward pass of a thread, such as waiting for other processes' gradients.
#pragma once
#include <memory>
#include <string>

namespace omni {

class GradientSync {
 public:
  virtual ~GradientSync() = default;
  virtual void begin() = 0;
  virtual void finish() = 0;
  virtual void abandon(const std::string& reason) = 0;

  static void add(const std::shared_ptr<GradientSync>& sync);  // for this thread, as long as it lives

  // Stands on the stack during a backward pass; passes inside it (checkpoints) are part of it.
  class Pass {
   public:
    Pass();
    ~Pass();
    void done();
    void failed(const std::string& reason);

   private:
    bool outermost_;
  };
};

}  // namespace omni
