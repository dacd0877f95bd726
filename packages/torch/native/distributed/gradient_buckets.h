// Data parallelism: gradients are put together in buckets, whose all-reduce begins while backward still runs.
#pragma once
#include "../gradient_sync.h"
#include "group.h"
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

namespace omni {

struct BucketStatistics {
  int64_t passes = 0, bytes = 0, repeated = 0;
  double reducing = 0, waiting = 0;  // seconds: of all-reduces, and of backward standing still for them
};

// A bucket is sent when all its gradients have come, in the order of the buckets, which is the same on every rank. How
// often a gradient comes in one pass (never: unused; twice: shared by two checkpointed blocks) is learnt from the pass
// before. Gradients themselves are changed at the end alone, so a bucket that was sent too early is sent once more.
class GradientBuckets : public GradientSync, public std::enable_shared_from_this<GradientBuckets> {
 public:
  GradientBuckets(std::shared_ptr<Group> group, const std::vector<at::Tensor>& parameters, int64_t bucketBytes);
  void watch();                            // hangs the hooks in; once
  void enable(bool on) { enabled_ = on; }  // off: gradients add up on this rank alone
  void begin() override;
  void finish() override;  // waits, averages, puts the gradients in place
  void abandon(const std::string& reason) override;
  size_t buckets() const { return buckets_.size(); }
  const BucketStatistics& statistics() const { return statistics_; }

 private:
  struct Member {
    at::Tensor parameter;
    decltype(torch::autograd::impl::grad_accumulator(std::declval<at::Tensor>())) accumulator;  // which pointer, depends on the version
    size_t bucket;
    int64_t offset, seen = 0, expected = 1;
  };
  struct Bucket {
    std::vector<size_t> members;
    at::Tensor flat;
    int64_t size = 0, missing = 0;
    bool late = false;
    std::shared_ptr<Job> job;
  };
  void arrived(size_t member);
  void sendReady();
  void send(size_t bucket);
  void wait(const std::shared_ptr<Job>& job);
  std::shared_ptr<Job> reduce(const at::Tensor& tensor, int64_t operand, const std::string& what);

  std::shared_ptr<Group> group_;
  std::vector<Member> members_;
  std::vector<Bucket> buckets_;
  std::mutex mutex_;  // hooks of other devices come on LibTorch's threads
  size_t sent_ = 0;
  int64_t arrivals_ = 0;
  bool enabled_ = true;
  std::string broken_;
  BucketStatistics statistics_;
};

}  // namespace omni
