// A rehearsal: operators give tensors of the right shape and no content, nothing is computed, and what would have been
// (memory, floating-point operations) is counted. Autograd, autocast and checkpoints work as ever, above of it.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace omni {
namespace rehearsal {

// Every allocation in order: its bytes, and the moments at which it was made and freed (0: it lives).
struct Log {
  struct Entry {
    int64_t bytes, made, freed;
  };
  std::mutex mutex;
  std::vector<Entry> entries;
  int64_t moment = 0;
};

struct Session {
  std::shared_ptr<Log> log = std::make_shared<Log>();
  std::string device;  // what is rehearsed for; its tensors lie on the CPU's keys all the same
  bool gpu = false;
  double flops = 0;
  int64_t calls = 0;  // of operators that a device would be asked to do
};

Session* current();  // of this thread; null when nothing is rehearsed
inline bool on() { return current() != nullptr; }
inline bool onGpu() { return on() && current()->gpu; }
inline void count(double flops) {
  if (on()) current()->flops += flops;
}

c10::Device deviceOf(const std::string& name);    // the CPU stands in for every device
std::string deviceName(const c10::Device& device);

at::Tensor reserve(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type);  // without content
at::Tensor reserve(at::IntArrayRef sizes, at::ScalarType type);
int64_t placeOf(const at::Tensor& tensor);  // in the log; -1 for memory that is none of a rehearsal's

void onCall(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack);  // what the dispatcher calls

// rules.cc: operators whose shapes LibTorch does not tell without computing, and what is counted.
bool applyRule(const std::string& name, const std::vector<c10::IValue>& arguments, torch::jit::Stack& results);
double flopsOf(const std::string& name, const std::vector<c10::IValue>& arguments);

}  // namespace rehearsal
}  // namespace omni
