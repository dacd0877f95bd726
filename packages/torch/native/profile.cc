// Where the time goes: self time and calls of each dispatched operator, forward and backward.
#include "exports.h"
#include "napi_helpers.h"
#include <ATen/record_function.h>
#include <chrono>
#include <map>
#include <mutex>

namespace omni {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Start : at::ObserverContext {
  double time = now();
};
struct Total {
  double self = 0;
  int64_t calls = 0;
};
std::mutex mutex;
std::map<std::string, Total>* totals = nullptr;
at::CallbackHandle callback = 0;
thread_local std::vector<double> inner;  // time spent in the operators that each open operator called

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction&) {
  inner.push_back(0);
  return std::make_unique<Start>();
}
void end(const at::RecordFunction& operation, at::ObserverContext* start) {
  double took = now() - static_cast<Start*>(start)->time, called = inner.back();
  inner.pop_back();
  if (!inner.empty()) inner.back() += took;
  std::lock_guard<std::mutex> lock(mutex);
  Total& total = (*totals)[operation.name()];
  total.self += took - called;
  total.calls++;
}

napi_value ProfileStart(napi_env env, napi_callback_info) {
  OMNI_TRY
  if (callback) fail("a profile is being taken already");
  if (!totals) totals = new std::map<std::string, Total>;
  totals->clear();
  callback = at::addGlobalCallback(at::RecordFunctionCallback(begin, end).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  return nullptr;
  OMNI_CATCH(env)
}
napi_value ProfileStop(napi_env env, napi_callback_info) {  // -> [[name, self seconds, calls], …]
  OMNI_TRY
  if (!callback) fail("no profile is being taken");
  at::removeCallback(callback);
  callback = 0;
  napi_value list = makeArray(env, totals->size());
  uint32_t i = 0;
  for (auto& entry : *totals) {
    napi_value row = makeArray(env, 3);
    napi_set_element(env, row, 0, makeString(env, entry.first));
    napi_set_element(env, row, 1, makeNumber(env, entry.second.self));
    napi_set_element(env, row, 2, makeNumber(env, double(entry.second.calls)));
    napi_set_element(env, list, i++, row);
  }
  return list;
  OMNI_CATCH(env)
}

}  // namespace

void exportProfile(napi_env env, napi_value exports) {
  const Export list[] = {{"profileStart", ProfileStart}, {"profileStop", ProfileStop}};
  exportAll(env, exports, list);
}

}  // namespace omni
