#include "group.h"
#ifdef OMNI_DISTRIBUTED
#include "../convert.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace omni {

static const char* nameOf(Collective kind) {
  const char* names[] = {"all-reduce", "broadcast", "all-gather", "reduce-scatter", "barrier"};
  return names[int(kind)];
}

// The first line says what happened; the rest is where in C++.
static std::string firstLine(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  return line.size() > 300 ? line.substr(0, 300) + " …" : line;
}

// A newer LibTorch asks its store for libuv unless told not to, server and client alike, and throws where it was built
// without: Debian's 2.6 is. The plain server speaks the same protocol, so that torchrun's store answers us too.
template <class Options>
static auto withoutLibuv(Options& options, int) -> decltype(void(options.useLibUV)) {
  options.useLibUV = false;
}
template <class Options>
static void withoutLibuv(Options&, long) {}  // a LibTorch that knows no libuv

static c10::intrusive_ptr<c10d::TCPStore> tcpStore(const std::string& host, int port, bool serves, milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = uint16_t(port);
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = timeout;
  withoutLibuv(options, 0);
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

static c10::intrusive_ptr<c10d::Store> openStore(GroupSettings& s) {
  if (!s.file.empty()) return c10::make_intrusive<c10d::FileStore>(s.file, s.size);
  try {
    auto store = tcpStore(s.host, s.port, s.serves, s.joining);
    s.port = store->getPort();
    return store;
  } catch (const std::exception& e) {
    std::string where = s.host + ":" + std::to_string(s.port);
    if (s.serves)
      fail("rank " + std::to_string(s.rank) + " cannot open the store at " + where + "; choose another MASTER_PORT (0 lets the system choose one): " + firstLine(e.what()));
    fail("rank " + std::to_string(s.rank) + " cannot reach the store at " + where +
         "; see that rank 0 runs there, that MASTER_ADDR and MASTER_PORT are the same for all, and that no firewall stands between: " + firstLine(e.what()));
  }
}

// Every rank says that it is there, and waits for the others: who is missing has a name.
static void meet(c10d::Store& store, const GroupSettings& s) {
  std::string card = "size " + std::to_string(s.size) + ", backend " + s.backend + ", LibTorch " + TORCH_VERSION;
  if (store.add("claim/" + std::to_string(s.rank), 1) > 1)
    fail("two processes say that they are rank " + std::to_string(s.rank) + "; each needs a RANK of its own (or a store that is left over was given: use a fresh one)");
  putText(store, "card/" + std::to_string(s.rank), card);
  auto until = Clock::now() + s.joining;
  for (int r = 0; r < s.size; r++) {
    std::string key = "card/" + std::to_string(r);
    while (!store.check({key})) {
      if (Clock::now() > until) {
        std::string missing, present;
        for (int i = 0; i < s.size; i++) {
          std::string& list = store.check({"card/" + std::to_string(i)}) ? present : missing;
          list += (list.empty() ? "" : ", ") + std::to_string(i);
        }
        fail("rank " + missing + " of " + std::to_string(s.size) + " did not come within " + std::to_string(s.joining.count() / 1000) +
             " s; here: rank " + present + ". Were all processes started, with the same WORLD_SIZE, MASTER_ADDR and MASTER_PORT?");
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    std::string theirs = getText(store, key);
    if (theirs != card)
      fail("rank " + std::to_string(r) + " was started with " + theirs + ", rank " + std::to_string(s.rank) + " with " + card + "; start all processes alike");
  }
}

static c10::intrusive_ptr<Engine> openEngine(const c10::intrusive_ptr<c10d::Store>& store, const GroupSettings& s) {
  if (s.backend == "gloo") {
    // Ours is up first: its message says who is late.
    auto options = c10d::ProcessGroupGloo::Options::create(s.timeout + milliseconds(10000));
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(interface && *interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                                       : c10d::ProcessGroupGloo::createDeviceForHostname(s.address));
    options->threads = 2;
    return c10::make_intrusive<c10d::ProcessGroupGloo>(store, s.rank, s.size, options);
  }
#ifdef USE_C10D_NCCL
  if (s.backend == "nccl") {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = s.timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, s.rank, s.size, options);
  }
  fail("no backend \"" + s.backend + "\"; there are gloo and nccl");
#else
  fail(s.backend == "nccl" ? "this addon was built without NCCL: it needs a LibTorch with CUDA and the header nccl.h beside it (pip: nvidia-nccl-cu12); use the backend gloo, or build again"
                           : "no backend \"" + s.backend + "\"; there are gloo and, with CUDA, nccl");
#endif
}

Group::Group(GroupSettings settings) : settings_(std::move(settings)) {
  auto& s = settings_;
  c10::intrusive_ptr<c10d::Store> base = openStore(s);
  store_ = c10::make_intrusive<c10d::PrefixStore>(s.prefix, base);
  meet(*store_, s);
  try {
    engine_ = openEngine(c10::make_intrusive<c10d::PrefixStore>("engine", store_), s);
  } catch (const c10::Error& e) {
    fail("rank " + std::to_string(s.rank) + " cannot connect to the others (" + s.backend + ", this machine is " + s.address +
         " to them; GLOO_SOCKET_IFNAME chooses another network interface): " + firstLine(e.what_without_backtrace()));
  }
  rollCall_ = std::make_unique<RollCall>(store_, s.rank, s.size);
  thread_ = std::thread([this] { serve(); });
}

void Group::submit(const std::shared_ptr<Job>& job) {
  job->asked = Clock::now();
  if (job->timeout.count() == 0) job->timeout = settings_.timeout;
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) fail("this process group is closed");
  jobs_.push_back(job);
  changed_.notify_all();
}

void Group::wait(Job& job) {
  std::unique_lock<std::mutex> lock(job.mutex);
  job.changed.wait(lock, [&] { return job.done; });
  if (!job.problem.empty()) fail(job.problem);
}

void Group::serve() {
  at::NoGradGuard off;
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    std::string problem;
    try {
      run(*job);
    } catch (const c10::Error& e) {
      problem = e.what_without_backtrace();
    } catch (const std::exception& e) {
      problem = e.what();
    }
    std::function<void()> then;
    {
      std::lock_guard<std::mutex> lock(job->mutex);
      job->ended = Clock::now();
      job->problem = problem;
      job->done = true;
      then = std::move(job->then);
      job->changed.notify_all();
    }
    if (then) then();
  }
}

void Group::run(Job& job) {
  if (failed_) fail(failure_);
  job.begun = Clock::now();
  sequence_++;
  rollCall_->position("at " + std::string(nameOf(job.kind)) + " " + std::to_string(sequence_) + " (" + job.what + ")");
  if (settings_.size > 1 && job.check) compare(job);
  perform(job);
  rollCall_->position("past " + std::string(nameOf(job.kind)) + " " + std::to_string(sequence_) + " (" + job.what + "), with no other begun");
}

static std::string describeCard(const int64_t* card) {
  std::string s = nameOf(Collective(card[0]));
  if (Collective(card[0]) == Collective::Barrier) return s;
  s += std::string(" of ") + dtypeName(at::ScalarType(card[2])) + "[";
  for (int64_t d = 0; d < card[3] && d < 8; d++) s += (d ? ", " : "") + std::to_string(card[4 + d]);
  s += "]";
  if (Collective(card[0]) == Collective::Broadcast) s += " from rank " + std::to_string(card[1]);
  if (Collective(card[0]) == Collective::AllReduce || Collective(card[0]) == Collective::ReduceScatter) {
    const char* names[] = {"sum", "mean", "product", "min", "max"};
    s += std::string(" by ") + (card[1] >= 0 && card[1] < 5 ? names[card[1]] : "?");
  }
  return s;
}

// Gloo ends the process when sizes differ, or waits for ever: the ranks show each other first what they bring.
void Group::compare(Job& job) {
  constexpr int64_t kCard = 12;
  at::Tensor mine = at::zeros({kCard}, at::kLong);
  int64_t* card = mine.data_ptr<int64_t>();
  card[0] = int64_t(job.kind);
  card[1] = job.operand;
  if (!job.inputs.empty()) {
    auto& t = job.inputs[0];
    card[2] = int64_t(t.scalar_type());
    card[3] = t.dim();
    for (int64_t d = 0; d < t.dim() && d < 8; d++) card[4 + d] = t.size(d);
  }
  auto options = at::TensorOptions().dtype(at::kLong);
  std::vector<at::Tensor> input{mine.to(settings_.device)};
  std::vector<std::vector<at::Tensor>> output(1);
  for (int r = 0; r < settings_.size; r++) output[0].push_back(at::empty({kCard}, options.device(settings_.device)));
  finish(engine_->allgather(output, input), job);
  std::string listed;
  bool same = true;
  for (int r = 0; r < settings_.size; r++) {
    at::Tensor theirs = output[0][r].cpu();
    same = same && at::equal(theirs, mine);
    listed += (r ? "; rank " : "rank ") + std::to_string(r) + ": " + describeCard(theirs.data_ptr<int64_t>());
  }
  if (!same)
    fail("collective " + std::to_string(sequence_) + " (" + job.what + ") is not the same on all ranks: " + listed + ". All ranks must call the same collectives in the same order, with tensors of one shape and dtype");
}

void Group::perform(Job& job) {
  // c10d's own ReduceOp numbers: sum 0, avg 1, product 2, min 3, max 4. Gloo has no mean.
  bool mean = job.operand == 1;
  auto reduceOp = c10d::ReduceOp::RedOpType(mean ? int64_t(c10d::ReduceOp::SUM) : job.operand);
  switch (job.kind) {
    case Collective::AllReduce: {
      if (mean) job.inputs[0].div_(settings_.size);
      c10d::AllreduceOptions options;
      options.reduceOp = reduceOp;
      finish(engine_->allreduce(job.inputs, options), job);
      return;
    }
    case Collective::Broadcast: {
      c10d::BroadcastOptions options;
      options.rootRank = int(job.operand);
      finish(engine_->broadcast(job.inputs, options), job);
      return;
    }
    case Collective::AllGather: {
      std::vector<std::vector<at::Tensor>> outputs{job.outputs};
      finish(engine_->allgather(outputs, job.inputs), job);
      return;
    }
    case Collective::ReduceScatter: {  // Gloo's own is a stub in LibTorch 1.13
      std::vector<at::Tensor> all{job.inputs[0].clone()};
      if (mean) all[0].div_(settings_.size);
      c10d::AllreduceOptions options;
      options.reduceOp = reduceOp;
      finish(engine_->allreduce(all, options), job);
      job.outputs[0].copy_(all[0].chunk(settings_.size, 0)[settings_.rank]);
      return;
    }
    case Collective::Barrier:
      finish(engine_->barrier(), job);
  }
}

void Group::finish(c10::intrusive_ptr<c10d::Work> work, const Job& job) {
  auto deadline = job.begun + job.timeout;
  struct Signal {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  auto signal = std::make_shared<Signal>();
  bool gloo = settings_.backend == "gloo";
  if (gloo) {
    work->getFuture()->addCallback([signal](c10::ivalue::Future&) {
      std::lock_guard<std::mutex> lock(signal->mutex);
      signal->done = true;
      signal->changed.notify_all();
    });
  }
  Clock::time_point told{};  // since when we know of another rank's failure
  for (;;) {
    std::unique_lock<std::mutex> lock(signal->mutex);
    // NCCL's future is complete as soon as the kernel is queued: asked for, not waited for.
    if (gloo ? signal->changed.wait_for(lock, milliseconds(100), [&] { return signal->done; }) : work->isCompleted()) break;
    lock.unlock();
    if (!gloo) std::this_thread::sleep_for(std::chrono::microseconds(50));
    if (closing_) {
      failed_ = true;
      failure_ = "this process group was closed while " + job.what + " was under way";
      fail(failure_);
    }
    auto now = Clock::now();
    if (now > deadline) giveUp(job, "not done within " + std::to_string(job.timeout.count() / 1000.0).substr(0, 5) + " s");
    if (rollCall_->failed()) {
      if (told == Clock::time_point{}) told = now;
      if (now > told + milliseconds(1000)) giveUp(job, "another rank failed");
    }
  }
  try {
    work->wait();
  } catch (const c10::Error& e) {
    giveUp(job, firstLine(e.what_without_backtrace()));
  } catch (const std::exception& e) {
    giveUp(job, firstLine(e.what()));
  }
}

void Group::giveUp(const Job& job, const std::string& reason) {
  std::string what = std::string(nameOf(job.kind)) + " " + std::to_string(sequence_) + " (" + job.what + ")";
  std::string who = rollCall_->ask(what, settings_.grace);
  failure_ = "rank " + std::to_string(settings_.rank) + " of " + std::to_string(settings_.size) + ", " + what + ": " + who + " [" + reason + "]";
  failed_ = true;
  fail(failure_);
}

void Group::close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return;
    closing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (rollCall_) rollCall_->stop();
  // Gloo's destructor waits for what is still under way: after a failure, for ever.
  if (failed_) engine_.release();
  engine_.reset();
  store_.reset();
}

StoreServer::StoreServer(const std::string& host, int port) {
  auto store = tcpStore(host, port, true, milliseconds(60000));
  port_ = store->getPort();
  store_ = store;
}

}  // namespace omni
#endif
