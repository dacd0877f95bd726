#include "roll_call.h"
#ifdef OMNI_DISTRIBUTED
#include "../napi_helpers.h"

namespace omni {

void putText(c10d::Store& store, const std::string& key, const std::string& text) {
  store.set(key, std::vector<uint8_t>(text.begin(), text.end()));
}
std::string getText(c10d::Store& store, const std::string& key) {
  auto bytes = store.get(key);
  return std::string(bytes.begin(), bytes.end());
}

static std::string listRanks(const std::vector<int>& ranks) {
  std::string s = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); i++) s += (i ? ", " : "") + std::to_string(ranks[i]);
  return s;
}

RollCall::RollCall(c10::intrusive_ptr<c10d::Store> store, int rank, int size)
    : store_(std::move(store)), rank_(rank), size_(size), shared_(std::make_shared<Shared>()) {
  std::thread(watch, shared_, store_, rank).detach();
}

void RollCall::watch(std::shared_ptr<Shared> shared, c10::intrusive_ptr<c10d::Store> store, int rank) {
  bool answered = false, lost = false;
  std::unique_lock<std::mutex> lock(shared->mutex);
  while (!shared->stopped) {
    shared->changed.wait_for(lock, milliseconds(500), [&] { return shared->stopped || !shared->jobs.empty(); });
    while (!shared->jobs.empty()) {
      auto job = std::move(shared->jobs.front());
      shared->jobs.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
    if (shared->stopped || answered || lost) continue;
    std::string position = shared->position;
    lock.unlock();
    try {
      if (store->check({"failures"})) {
        shared->failed = true;
        putText(*store, "here/" + std::to_string(rank), position);
        answered = true;
      }
    } catch (const std::exception&) {
      lost = true;  // no failure in itself: the rank that holds the store may simply be done
    }
    lock.lock();
  }
  lock.unlock();
  store.reset();
  lock.lock();
  shared->ended = true;
  shared->changed.notify_all();
}

void RollCall::stop() {
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->stopped = true;
  shared_->changed.notify_all();
  store_.reset();
  shared_->changed.wait_for(lock, milliseconds(1000), [&] { return shared_->ended; });
}

void RollCall::position(const std::string& text) {
  std::lock_guard<std::mutex> lock(shared_->mutex);
  shared_->position = text;
}

bool RollCall::onStore(std::function<void(c10d::Store&)> work, Clock::time_point until, std::string* problem) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::string problem;
  };
  auto answer = std::make_shared<Answer>();
  {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->jobs.push_back([answer, work, store = store_] {
      std::string text;
      try {
        work(*store);
      } catch (const std::exception& e) {
        text = e.what();
        if (text.empty()) text = "no answer";
      }
      std::lock_guard<std::mutex> done(answer->mutex);
      answer->problem = text;
      answer->done = true;
      answer->changed.notify_all();
    });
    shared_->changed.notify_all();
  }
  std::unique_lock<std::mutex> lock(answer->mutex);
  bool done = answer->changed.wait_until(lock, until, [&] { return answer->done; });
  *problem = done ? answer->problem : "no answer";
  return done && answer->problem.empty();
}

std::string RollCall::ask(const std::string& what, milliseconds grace) {
  auto until = Clock::now() + grace;
  auto order = std::make_shared<int64_t>(0);
  std::string problem;
  auto lost = [&] {
    return "the process that holds the store (rank 0, or the launcher) left or is stopped: " + problem.substr(0, 200);
  };
  std::string own = "here/" + std::to_string(rank_);
  if (!onStore([=](c10d::Store& s) {
        *order = s.add("failures", 1);
        putText(s, own, "failed in " + what);
      }, until, &problem))
    return lost();
  shared_->failed = true;
  auto verdict = std::make_shared<std::string>();
  if (*order > 1) {  // somebody calls already
    while (Clock::now() < until + milliseconds(2000)) {
      if (!onStore([=](c10d::Store& s) { if (s.check({"verdict"})) *verdict = getText(s, "verdict"); },
                   until + milliseconds(2000), &problem))
        return lost();
      if (!verdict->empty()) return *verdict;
      std::this_thread::sleep_for(milliseconds(50));
    }
  }
  auto positions = std::make_shared<std::vector<std::string>>(size_);
  std::vector<int> missing;
  for (;;) {
    if (!onStore([=](c10d::Store& s) {
          for (int r = 0; r < int(positions->size()); r++) {
            std::string key = "here/" + std::to_string(r);
            if ((*positions)[r].empty() && s.check({key})) (*positions)[r] = getText(s, key);
          }
        }, until + milliseconds(2000), &problem))
      return lost();
    missing.clear();
    for (int r = 0; r < size_; r++)
      if ((*positions)[r].empty()) missing.push_back(r);
    if (missing.empty() || Clock::now() >= until) break;
    std::this_thread::sleep_for(milliseconds(50));
  }
  std::string text;
  if (!missing.empty()) {
    text = listRanks(missing) + " left, or " + (missing.size() == 1 ? "is" : "are") + " stopped: no answer within " +
           std::to_string(grace.count() / 1000.0).substr(0, 3) + " s";
  } else {
    text = "every rank answers";
    for (int r = 0; r < size_; r++)
      if (r != rank_ && (*positions)[r].rfind("failed in ", 0) != 0) text += "; rank " + std::to_string(r) + " is " + (*positions)[r];
  }
  onStore([=](c10d::Store& s) { putText(s, "verdict", text); }, Clock::now() + milliseconds(1000), &problem);
  return text;
}

}  // namespace omni
#endif
