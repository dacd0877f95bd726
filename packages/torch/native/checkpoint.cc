// Activation checkpointing: a graph node that keeps the inputs of a JavaScript function instead of what it computed on
// the way, and calls it again when the gradient arrives.
#include "checkpoint.h"
#include "compat.h"
#include "exports.h"
#include "generator.h"
#include "references.h"
#include "tensor_table.h"
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <atomic>
#include <map>

namespace omni {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// What the function is given, and what it answered: JavaScript fetches and leaves them inside a scope of its own.
struct Exchange {
  variable_list inputs, outputs;
};
thread_local Exchange* exchange = nullptr;

class CallDepth {
 public:
  explicit CallDepth(Exchange* mine) : before_(exchange) { exchange = mine; }
  ~CallDepth() { exchange = before_; }

 private:
  Exchange* before_;
};

// A JavaScript function, called and forgotten on its own thread only.
class Callback {
 public:
  Callback(napi_env env, napi_value f) : env_(env), function_(env, f) {}

  variable_list operator()(variable_list inputs) const {
    Exchange mine{std::move(inputs), {}};
    BackwardService::onThread(owner_, [&] {
      CallDepth depth(&mine);
      call();
    });
    return std::move(mine.outputs);
  }

 private:
  void call() const {
    napi_handle_scope handles;
    napi_open_handle_scope(env_, &handles);
    napi_value f = function_.get(), self = nullptr, result = nullptr;
    napi_get_undefined(env_, &self);
    std::string problem;
    if (napi_call_function(env_, self, f, 0, nullptr, &result) != napi_ok) problem = takeError();
    napi_close_handle_scope(env_, handles);
    if (!problem.empty()) fail(problem);
  }
  std::string takeError() const {
    bool pending = false;
    napi_is_exception_pending(env_, &pending);
    if (!pending) return "checkpoint: the function could not be called";
    napi_value error = nullptr, message = nullptr;
    napi_get_and_clear_last_exception(env_, &error);
    if (napi_get_named_property(env_, error, "message", &message) == napi_ok && typeOf(env_, message) == napi_string)
      return toString(env_, message);
    return "checkpoint: the function threw";
  }

  napi_env env_;
  Reference function_;
  std::thread::id owner_ = std::this_thread::get_id();
};

std::atomic<int64_t> alive{0};

struct CheckpointNode : torch::autograd::Node {
  CheckpointNode(std::shared_ptr<Callback> run, const variable_list& inputs, GeneratorStates states)
      : run_(std::move(run)), states_(std::move(states)) {
    alive++;
    for (auto& input : inputs) inputs_.emplace_back(input, false);
  }
  ~CheckpointNode() override { alive--; }
  std::string name() const override { return "Checkpoint"; }
  void release_variables() override {
    inputs_.clear();
    released_ = true;
  }

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(!released_, "a checkpoint was already passed backward; give retainGraph for a second time");
    TORCH_CHECK(!at::GradMode::is_enabled(), "a checkpoint has first derivatives only: createGraph cannot pass it");
    variable_list inputs;
    for (auto& saved : inputs_) {
      at::Tensor input = saved.unpack();
      inputs.push_back(input.detach().set_requires_grad(input.requires_grad()));
    }
    {
      at::AutoGradMode on(true);
      variable_list outputs = again(inputs), used, given;
      TORCH_CHECK(outputs.size() == gradients.size(), "checkpoint: the function gave another number of tensors the second time");
      for (size_t i = 0; i < outputs.size(); i++) {
        if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
        used.push_back(outputs[i]);
        given.push_back(gradients[i]);
      }
      if (!used.empty()) torch::autograd::backward(used, given);
    }
    variable_list result;
    for (auto& input : inputs) result.push_back(input.grad());
    return result;
  }

 private:
  // Draws what it drew the first time; those who draw beside it notice nothing.
  variable_list again(const variable_list& inputs) {
    struct Exchanged {
      GeneratorStates& states;
      explicit Exchanged(GeneratorStates& s) : states(s) { states.exchange(); }
      ~Exchanged() { states.exchange(); }
    };
    GeneratorStates states = states_;  // a retained graph comes by again
    Exchanged exchanged(states);
    return (*run_)(inputs);
  }

  std::shared_ptr<Callback> run_;
  GeneratorStates states_;
  std::vector<SavedVariable> inputs_;
  bool released_ = false;
};

// Under autocast a weight's cast is cached for the whole step; one made without gradient must not serve those with.
class NoWeightCache {
 public:
  NoWeightCache() : before_(at::autocast::is_autocast_cache_enabled()) { at::autocast::set_autocast_cache_enabled(false); }
  ~NoWeightCache() { at::autocast::set_autocast_cache_enabled(before_); }

 private:
  bool before_;
};

napi_value Checkpoint(napi_env env, napi_callback_info info) {  // (inputs, run) -> outputs
  OMNI_TRY
  Args<2> a(env, info);
  variable_list inputs = toTensors(env, a[0]);
  auto run = std::make_shared<Callback>(env, a[1]);
  dropDeadReferences();
  std::vector<c10::Device> devices;
  for (auto& input : inputs) devices.push_back(input.device());
  GeneratorStates states(devices);
  variable_list outputs;
  {
    at::NoGradGuard off;
    NoWeightCache fresh;
    GeneratorStates::Recording noted(states);
    outputs = (*run)(inputs);
  }
  auto node = makeNode<CheckpointNode>(std::move(run), inputs, std::move(states));
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  napi_value list = makeArray(env, outputs.size());
  for (size_t i = 0; i < outputs.size(); i++) {
    at::Tensor output = outputs[i].detach();
    if (torch::autograd::isDifferentiableType(output.scalar_type())) torch::autograd::set_history(output, node);
    else node->add_input_metadata(torch::autograd::Node::undefined_input());
    napi_set_element(env, list, i, makeTensor(env, std::move(output)));
  }
  return list;
  OMNI_CATCH(env)
}

napi_value CheckpointInputs(napi_env env, napi_callback_info) {  // -> what the function is called with
  OMNI_TRY
  if (!exchange) fail("checkpointInputs: no checkpoint is being computed");
  napi_value list = makeArray(env, exchange->inputs.size());
  for (size_t i = 0; i < exchange->inputs.size(); i++) napi_set_element(env, list, i, makeTensor(env, exchange->inputs[i]));
  return list;
  OMNI_CATCH(env)
}
napi_value CheckpointOutputs(napi_env env, napi_callback_info info) {  // (outputs): what the function answered
  OMNI_TRY
  Args<1> a(env, info);
  if (!exchange) fail("checkpointOutputs: no checkpoint is being computed");
  exchange->outputs = toTensors(env, a[0]);
  return nullptr;
  OMNI_CATCH(env)
}

std::mutex registering;
std::map<std::thread::id, BackwardService*> services;

}  // namespace

bool BackwardService::needed() { return alive > 0; }
bool BackwardService::isOwn(std::thread::id owner) { return owner == std::this_thread::get_id(); }

void BackwardService::onThread(std::thread::id owner, const std::function<void()>& job) {
  if (isOwn(owner)) return job();
  BackwardService* service;
  {
    std::lock_guard<std::mutex> lock(registering);
    auto found = services.find(owner);
    service = found == services.end() ? nullptr : found->second;
  }
  if (!service) fail("checkpoint: the gradient arrived on a thread that cannot call JavaScript");
  service->request(job);
}

void BackwardService::request(const std::function<void()>& job) {
  std::unique_lock<std::mutex> lock(mutex_);
  std::exception_ptr error;
  bool done = false;
  jobs_.push_back([&] {
    try {
      job();
    } catch (...) {
      error = std::current_exception();
    }
    done = true;
  });
  changed_.notify_all();
  changed_.wait(lock, [&] { return done; });
  if (error) std::rethrow_exception(error);
}

void BackwardService::run(const std::function<void()>& backward) {
  auto owner = std::this_thread::get_id();
  {
    std::lock_guard<std::mutex> lock(registering);
    services[owner] = this;
  }
  std::exception_ptr error;
  bool finished = false;
  at::ThreadLocalState state;
  std::thread worker([&] {
    try {
      at::ThreadLocalStateGuard same(state);
      backward();
    } catch (...) {
      error = std::current_exception();
    }
    std::lock_guard<std::mutex> lock(mutex_);
    finished = true;
    changed_.notify_all();
  });
  {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!finished || !jobs_.empty()) {
      changed_.wait(lock, [&] { return finished || !jobs_.empty(); });
      while (!jobs_.empty()) {
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job();
        lock.lock();
        changed_.notify_all();
      }
    }
  }
  worker.join();
  {
    std::lock_guard<std::mutex> lock(registering);
    services.erase(owner);
  }
  dropDeadReferences();
  if (error) std::rethrow_exception(error);
}

void exportCheckpoint(napi_env env, napi_value exports) {
  const Export list[] = {{"checkpoint", Checkpoint}, {"checkpointInputs", CheckpointInputs}, {"checkpointOutputs", CheckpointOutputs}};
  exportAll(env, exports, list);
}

}  // namespace omni
