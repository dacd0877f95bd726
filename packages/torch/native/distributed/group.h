// A process group of c10d and one thread that runs its collectives in the order in which they were asked for.
#pragma once
#include "../compat.h"
#include "roll_call.h"
#include <ATen/core/Tensor.h>
#include <torch/csrc/distributed/c10d/Types.hpp>

namespace omni {

enum class Collective : int { AllReduce = 0, Broadcast, AllGather, ReduceScatter, Barrier };

struct Job {
  Collective kind = Collective::Barrier;
  std::vector<at::Tensor> inputs, outputs;
  int64_t operand = 0;    // the reduction (c10d::ReduceOp), or the rank that broadcasts
  std::string what;       // for a person: which tensors these are
  bool check = true;      // compare kind, dtype and shape among the ranks first
  milliseconds timeout{0};
  Clock::time_point asked, begun, ended;
  std::function<void()> then;  // called when it is done, on the group's thread

  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::string problem;
};

struct GroupSettings {
  std::string backend, address, device;  // address: of this machine, as the other ranks reach it
  std::string file, host, prefix;        // the store: a file, or host and port
  int port = 0;
  bool serves = false;
  int rank = 0, size = 1;
  milliseconds timeout{600000}, joining{600000}, grace{4000};
};

class Group {
 public:
  explicit Group(GroupSettings settings);  // waits until all ranks are there
  ~Group() { close(); }
  void submit(const std::shared_ptr<Job>& job);
  void wait(Job& job);  // throws what went wrong
  void close();
  bool failed() const { return failed_; }
  const GroupSettings& settings() const { return settings_; }
  int port() const { return settings_.port; }

 private:
  void serve();
  void run(Job& job);
  void compare(Job& job);
  void perform(Job& job);
  void finish(c10::intrusive_ptr<c10d::Work> work, const Job& job);
  [[noreturn]] void giveUp(const Job& job, const std::string& reason);

  GroupSettings settings_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<Engine> engine_;
  std::unique_ptr<RollCall> rollCall_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;
  std::thread thread_;
  std::atomic<bool> closing_{false}, failed_{false};
  std::string failure_;
  int64_t sequence_ = 0;
};

// A store that outlives the ranks which meet there: what a launcher holds. Returns its port.
class StoreServer {
 public:
  StoreServer(const std::string& host, int port);
  int port() const { return port_; }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
  int port_;
};

}  // namespace omni
