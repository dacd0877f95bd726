// JavaScript can be called on its own thread only, and gradients on another device than the CPU arrive on LibTorch's.
#pragma once
#include <ATen/ThreadLocalState.h>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace omni {

// Runs a backward pass on a thread of its own while the calling one, JavaScript's, waits for functions to call.
class BackwardService {
 public:
  void run(const std::function<void()>& backward);

  static bool needed();  // whether any graph holds a checkpoint
  static bool isOwn(std::thread::id owner);
  static void onThread(std::thread::id owner, const std::function<void()>& job);  // throws what the job throws

 private:
  void request(const std::function<void()>& job);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
};

}  // namespace omni
