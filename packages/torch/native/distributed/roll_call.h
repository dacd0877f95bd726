// Who is still here: ranks tell each other of a failure through the store, and answer when they are called.
#pragma once
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace omni {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A thread owns the store once the group stands: a store whose host is stopped answers no request, ever, and must
// block nobody else. It looks for a failure twice a second and, when there is one, says that this rank is here.
class RollCall {
 public:
  RollCall(c10::intrusive_ptr<c10d::Store> store, int rank, int size);
  void stop();

  bool failed() const { return shared_->failed; }
  void position(const std::string& text);  // what this rank is at, for the others
  // Which ranks are here, or are not: calls all of them, unless another rank did so before; waits `grace` at most.
  std::string ask(const std::string& what, milliseconds grace);

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> jobs;
    std::atomic<bool> failed{false}, stopped{false};
    std::string position = "between collectives";
    bool ended = false;
  };
  static void watch(std::shared_ptr<Shared> shared, c10::intrusive_ptr<c10d::Store> store, int rank);
  bool onStore(std::function<void(c10d::Store&)> work, Clock::time_point until, std::string* problem);

  c10::intrusive_ptr<c10d::Store> store_;
  int rank_, size_;
  std::shared_ptr<Shared> shared_;
};

void putText(c10d::Store& store, const std::string& key, const std::string& text);
std::string getText(c10d::Store& store, const std::string& key);

}  // namespace omni
