// Process groups for JavaScript. Where LibTorch has no c10d, `distributed` answers with an empty list and nothing else
// is called.
#include "../exports.h"
#include "../tensor_table.h"
#ifdef OMNI_DISTRIBUTED
#include "gradient_buckets.h"
#include <set>
#endif

namespace omni {

static napi_value Distributed(napi_env env, napi_callback_info) {  // -> the backends this addon was built with
  OMNI_TRY
  napi_value list = makeArray(env, 0);
#ifdef OMNI_DISTRIBUTED
  napi_set_element(env, list, 0, makeString(env, "gloo"));
#ifdef USE_C10D_NCCL
  napi_set_element(env, list, 1, makeString(env, "nccl"));
#endif
#endif
  return list;
  OMNI_CATCH(env)
}

#ifdef OMNI_DISTRIBUTED
namespace {

napi_value makeError(napi_env env, const std::string& message) {
  napi_value error = nullptr;
  napi_create_error(env, makeString(env, "ERR_DISTRIBUTED"), makeString(env, message), &error);
  return error;
}

void settle(napi_env env, napi_deferred promise, const std::string& problem, napi_value value) {
  if (problem.empty()) napi_resolve_deferred(env, promise, value);
  else napi_reject_deferred(env, promise, makeError(env, problem));
}

// A group as JavaScript holds it, with the way back to JavaScript's thread for its promises.
struct GroupHolder {
  std::shared_ptr<Group> group;
  napi_threadsafe_function done = nullptr;
  int waiting = 0;
};
struct Pending {
  GroupHolder* holder;
  std::shared_ptr<Job> job;
  napi_deferred promise;
};

// A process that ends closes what is open: threads of ours would find LibTorch's own data gone.
std::set<GroupHolder*>& openGroups() {
  static thread_local std::set<GroupHolder*> open;
  return open;
}
void closeGroup(GroupHolder* holder) {
  if (holder->group) holder->group->close();
  if (holder->done) napi_release_threadsafe_function(holder->done, napi_tsfn_release);
  holder->done = nullptr;
  openGroups().erase(holder);
}
void closeAll(void*) {
  while (!openGroups().empty()) closeGroup(*openGroups().begin());
}

void resolvePending(napi_env env, napi_value, void*, void* data) {
  std::unique_ptr<Pending> pending(static_cast<Pending*>(data));
  if (!env) return;
  if (--pending->holder->waiting == 0 && pending->holder->done) napi_unref_threadsafe_function(env, pending->holder->done);
  settle(env, pending->promise, pending->job->problem, makeNull(env));
}

using BucketsHolder = std::shared_ptr<GradientBuckets>;

template <class T>
napi_type_tag tagOf();  // one for each kind of object
template <>
napi_type_tag tagOf<GroupHolder>() { return {0x6f6d6e695f69645full, 0x67726f7570ull}; }
template <>
napi_type_tag tagOf<StoreServer>() { return {0x6f6d6e695f69645full, 0x73746f7265ull}; }
template <>
napi_type_tag tagOf<BucketsHolder>() { return {0x6f6d6e695f69645full, 0x6275636b657473ull}; }

template <class T>
napi_value makeObject(napi_env env, T* data, napi_finalize finalize) {
  return makeTagged(env, tagOf<T>(), data, finalize);
}
template <class T>
T* toObject(napi_env env, napi_value v) {
  void* data = taggedData(env, tagOf<T>(), v);
  if (!data) fail("expected a process group");
  return static_cast<T*>(data);
}

napi_value makeHolder(napi_env env, std::shared_ptr<Group> group) {
  auto* holder = new GroupHolder{std::move(group)};
  napi_create_threadsafe_function(env, nullptr, nullptr, makeString(env, "process group"), 0, 1, nullptr, nullptr, nullptr, resolvePending, &holder->done);
  napi_unref_threadsafe_function(env, holder->done);
  openGroups().insert(holder);
  static thread_local bool hooked = (napi_add_env_cleanup_hook(env, closeAll, nullptr), true);
  (void)hooked;
  // Never deleted while promises may come: a holder is small, and there are few.
  return makeObject(env, holder, [](napi_env, void*, void*) {});
}

std::string textOf(napi_env env, napi_value object, const char* key) {
  napi_value v = nullptr;
  napi_get_named_property(env, object, key, &v);
  return isNullish(env, v) ? "" : toString(env, v);
}
int64_t numberOf(napi_env env, napi_value object, const char* key) {
  napi_value v = nullptr;
  napi_get_named_property(env, object, key, &v);
  return isNullish(env, v) ? 0 : toInt(env, v);
}

struct Opening {
  GroupSettings settings;
  std::shared_ptr<Group> group;
  std::string problem;
  napi_deferred promise;
  napi_async_work work;
};

napi_value OpenGroup(napi_env env, napi_callback_info info) {  // (settings) -> promise of a group
  OMNI_TRY
  Args<1> a(env, info);
  auto* opening = new Opening;
  auto& s = opening->settings;
  s.backend = textOf(env, a[0], "backend");
  s.address = textOf(env, a[0], "address");
  s.device = textOf(env, a[0], "device");
  s.file = textOf(env, a[0], "file");
  s.host = textOf(env, a[0], "host");
  s.prefix = textOf(env, a[0], "prefix");
  s.port = int(numberOf(env, a[0], "port"));
  s.serves = numberOf(env, a[0], "serves") != 0;
  s.rank = int(numberOf(env, a[0], "rank"));
  s.size = int(numberOf(env, a[0], "size"));
  s.timeout = milliseconds(numberOf(env, a[0], "timeout"));
  s.joining = milliseconds(numberOf(env, a[0], "joining"));
  s.grace = milliseconds(numberOf(env, a[0], "grace"));
  napi_value promise = nullptr;
  if (napi_create_promise(env, &opening->promise, &promise) != napi_ok) {
    delete opening;
    fail("a promise cannot be made: this thread is being ended");
  }
  napi_create_async_work(
      env, nullptr, makeString(env, "open process group"),
      [](napi_env, void* data) {
        auto* o = static_cast<Opening*>(data);
        try {
          o->group = std::make_shared<Group>(o->settings);
        } catch (const c10::Error& e) {
          o->problem = e.what_without_backtrace();
        } catch (const std::exception& e) {
          o->problem = e.what();
        }
      },
      [](napi_env env, napi_status, void* data) {
        std::unique_ptr<Opening> o(static_cast<Opening*>(data));
        settle(env, o->promise, o->problem, o->group ? makeHolder(env, o->group) : makeNull(env));
        napi_delete_async_work(env, o->work);
      },
      opening, &opening->work);
  napi_queue_async_work(env, opening->work);
  return promise;
  OMNI_CATCH(env)
}

// (group, kind, inputs, outputs, operand, what, timeout ms or 0, wait) -> a promise, or undefined after waiting
napi_value RunCollective(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<8> a(env, info);
  auto* holder = toObject<GroupHolder>(env, a[0]);
  auto job = std::make_shared<Job>();
  job->kind = Collective(toInt(env, a[1]));
  for (auto& t : toTensors(env, a[2])) job->inputs.push_back(t.detach());
  job->outputs = toTensors(env, a[3]);
  job->operand = toInt(env, a[4]);
  job->what = toString(env, a[5]);
  job->timeout = milliseconds(toInt(env, a[6]));
  if (toBool(env, a[7])) {
    holder->group->submit(job);
    holder->group->wait(*job);
    return nullptr;
  }
  napi_value promise = nullptr;
  auto pending = std::make_unique<Pending>(Pending{holder, job, nullptr});
  if (napi_create_promise(env, &pending->promise, &promise) != napi_ok) fail("a promise cannot be made: this thread is being ended");
  if (!holder->done) fail("this process group is closed");
  if (holder->waiting++ == 0) napi_ref_threadsafe_function(env, holder->done);
  job->then = [done = holder->done, p = pending.get()] { napi_call_threadsafe_function(done, p, napi_tsfn_blocking); };
  holder->group->submit(job);
  pending.release();
  return promise;
  OMNI_CATCH(env)
}

napi_value CloseGroup(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  closeGroup(toObject<GroupHolder>(env, a[0]));
  return nullptr;
  OMNI_CATCH(env)
}

napi_value ServeStore(napi_env env, napi_callback_info info) {  // (host, port) -> [server, port]
  OMNI_TRY
  Args<2> a(env, info);
  auto* server = new StoreServer(toString(env, a[0]), int(toInt(env, a[1])));
  napi_value list = makeArray(env, 2);
  napi_set_element(env, list, 0, makeObject(env, server, [](napi_env, void* data, void*) { delete static_cast<StoreServer*>(data); }));
  napi_set_element(env, list, 1, makeNumber(env, server->port()));
  return list;
  OMNI_CATCH(env)
}

napi_value NewBuckets(napi_env env, napi_callback_info info) {  // (group, parameters, bytes) -> buckets
  OMNI_TRY
  Args<3> a(env, info);
  auto buckets = std::make_shared<GradientBuckets>(toObject<GroupHolder>(env, a[0])->group, toTensors(env, a[1]), toInt(env, a[2]));
  buckets->watch();
  GradientSync::add(buckets);
  return makeObject(env, new BucketsHolder(buckets), [](napi_env, void* data, void*) { delete static_cast<BucketsHolder*>(data); });
  OMNI_CATCH(env)
}
napi_value EnableBuckets(napi_env env, napi_callback_info info) {  // (buckets, on)
  OMNI_TRY
  Args<2> a(env, info);
  (*toObject<BucketsHolder>(env, a[0]))->enable(toBool(env, a[1]));
  return nullptr;
  OMNI_CATCH(env)
}
napi_value CloseBuckets(napi_env env, napi_callback_info info) {  // (buckets): later passes stay on this rank
  OMNI_TRY
  Args<1> a(env, info);
  auto* holder = toObject<BucketsHolder>(env, a[0]);
  (*holder)->enable(false);
  return nullptr;
  OMNI_CATCH(env)
}
napi_value StatisticsOfBuckets(napi_env env, napi_callback_info info) {
  OMNI_TRY
  Args<1> a(env, info);
  auto& buckets = *toObject<BucketsHolder>(env, a[0]);
  auto& s = buckets->statistics();
  napi_value o = nullptr;
  napi_create_object(env, &o);
  setProperty(env, o, "buckets", makeNumber(env, double(buckets->buckets())));
  setProperty(env, o, "bytes", makeNumber(env, double(s.bytes)));
  setProperty(env, o, "passes", makeNumber(env, double(s.passes)));
  setProperty(env, o, "repeated", makeNumber(env, double(s.repeated)));
  setProperty(env, o, "reducing", makeNumber(env, s.reducing));
  setProperty(env, o, "waiting", makeNumber(env, s.waiting));
  return o;
  OMNI_CATCH(env)
}

}  // namespace
#endif

void exportDistributed(napi_env env, napi_value exports) {
  const Export list[] = {
      {"distributed", Distributed},
#ifdef OMNI_DISTRIBUTED
      {"openGroup", OpenGroup},       {"runCollective", RunCollective}, {"closeGroup", CloseGroup},
      {"serveStore", ServeStore},     {"newBuckets", NewBuckets},       {"enableBuckets", EnableBuckets},
      {"closeBuckets", CloseBuckets}, {"bucketStatistics", StatisticsOfBuckets},
#endif
  };
  exportAll(env, exports, list);
}

}  // namespace omni
