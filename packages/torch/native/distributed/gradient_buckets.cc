#include "gradient_buckets.h"
#ifdef OMNI_DISTRIBUTED
#include "../napi_helpers.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <numeric>

namespace omni {

constexpr int64_t kSum = 0, kMean = 1, kMax = 4;  // Group::perform
constexpr int64_t kFirstBucketBytes = 1 << 20;    // a small one: the all-reduce begins early, as in PyTorch

GradientBuckets::GradientBuckets(std::shared_ptr<Group> group, const std::vector<at::Tensor>& parameters, int64_t bucketBytes)
    : group_(std::move(group)) {
  // Gradients come in the reverse of the order of use, and fields stand in the order of use.
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    int64_t bytes = parameter->numel() * parameter->element_size();
    int64_t limit = buckets_.size() <= 1 ? std::min(kFirstBucketBytes, bucketBytes) : bucketBytes;
    bool fits = !buckets_.empty();
    if (fits) {
      auto& first = members_[buckets_.back().members.front()].parameter;
      fits = first.scalar_type() == parameter->scalar_type() && first.device() == parameter->device() &&
             buckets_.back().size * parameter->element_size() + bytes <= limit;
    }
    if (!fits) buckets_.emplace_back();
    auto& bucket = buckets_.back();
    bucket.members.push_back(members_.size());
    members_.push_back({*parameter, torch::autograd::impl::grad_accumulator(*parameter), buckets_.size() - 1, bucket.size});
    bucket.size += parameter->numel();
  }
  for (auto& bucket : buckets_) {
    bucket.flat = at::empty({bucket.size}, members_[bucket.members.front()].parameter.options().requires_grad(false));
    statistics_.bytes += int64_t(bucket.flat.nbytes());
  }
}

void GradientBuckets::watch() {
  std::weak_ptr<GradientBuckets> self = weak_from_this();
  for (size_t i = 0; i < members_.size(); i++) {
    using torch::autograd::variable_list;
    members_[i].accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
        [self, i](const variable_list& outputs, const variable_list&) {
          if (auto buckets = self.lock()) buckets->arrived(i);
          return outputs;
        }));
  }
}

void GradientBuckets::begin() {
  std::lock_guard<std::mutex> lock(mutex_);
  sent_ = 0;
  arrivals_ = 0;
  for (auto& member : members_) member.seen = 0;
  for (auto& bucket : buckets_) {
    bucket.job = nullptr;
    bucket.late = false;
    bucket.missing = 0;
    for (size_t i : bucket.members) bucket.missing += members_[i].expected;
  }
}

void GradientBuckets::arrived(size_t i) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!enabled_ || !broken_.empty()) return;
  arrivals_++;
  auto& member = members_[i];
  auto& bucket = buckets_[member.bucket];
  if (++member.seen <= member.expected) bucket.missing--;
  if (bucket.job) bucket.late = true;
  sendReady();
}

void GradientBuckets::sendReady() {
  while (sent_ < buckets_.size() && buckets_[sent_].missing == 0) send(sent_++);
}

void GradientBuckets::send(size_t index) {
  at::NoGradGuard off;
  auto& bucket = buckets_[index];
  for (size_t i : bucket.members) {
    auto& member = members_[i];
    auto place = bucket.flat.narrow(0, member.offset, member.parameter.numel()).view(member.parameter.sizes());
    if (member.parameter.grad().defined()) place.copy_(member.parameter.grad());
    else place.zero_();
  }
  bucket.job = reduce(bucket.flat, kMean, "gradients, bucket " + std::to_string(index + 1) + " of " + std::to_string(buckets_.size()));
}

std::shared_ptr<Job> GradientBuckets::reduce(const at::Tensor& tensor, int64_t operand, const std::string& what) {
  auto job = std::make_shared<Job>();
  job->kind = Collective::AllReduce;
  job->inputs = {tensor};
  job->operand = operand;
  job->what = what;
  job->check = false;  // the ranks compared their parameters when this was made
  group_->submit(job);
  return job;
}

void GradientBuckets::wait(const std::shared_ptr<Job>& job) {
  auto before = Clock::now();
  group_->wait(*job);
  statistics_.waiting += std::chrono::duration<double>(Clock::now() - before).count();
  statistics_.reducing += std::chrono::duration<double>(job->ended - job->begun).count();
}

void GradientBuckets::finish() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!enabled_) return;
  if (!broken_.empty()) fail(broken_);
  if (arrivals_ == 0) return;  // a pass over something else
  at::NoGradGuard off;
  while (sent_ < buckets_.size()) send(sent_++);
  // Used by any rank, sent too early by any rank: the others must know.
  size_t n = members_.size();
  at::Tensor flags = at::zeros({int64_t(n + buckets_.size())}, at::kInt);
  int32_t* flag = flags.data_ptr<int32_t>();
  for (size_t i = 0; i < n; i++) flag[i] = members_[i].parameter.grad().defined();
  for (size_t b = 0; b < buckets_.size(); b++) flag[n + b] = buckets_[b].late;
  at::Tensor shared = flags.to(members_[0].parameter.device());
  wait(reduce(shared, kMax, "which gradients were used"));
  flags = shared.cpu();
  flag = flags.data_ptr<int32_t>();
  for (auto& bucket : buckets_) wait(bucket.job);
  for (size_t b = 0; b < buckets_.size(); b++) {
    if (!flag[n + b]) continue;
    send(b);
    wait(buckets_[b].job);
    statistics_.repeated++;
  }
  for (size_t i = 0; i < n; i++) {
    auto& member = members_[i];
    member.expected = member.seen;
    if (!flag[i]) continue;
    auto mean = buckets_[member.bucket].flat.narrow(0, member.offset, member.parameter.numel()).view(member.parameter.sizes());
    at::Tensor gradient = member.parameter.grad();
    if (gradient.defined()) gradient.copy_(mean);
    else member.parameter.mutable_grad() = mean.clone();
  }
  statistics_.passes++;
}

void GradientBuckets::abandon(const std::string& reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (arrivals_ > 0 && enabled_)
    broken_ = "an earlier backward failed on this rank while its gradients were under way, and the ranks are no longer at the same place; start again from a checkpoint. It was: " + reason;
}

}  // namespace omni
#endif
