#include "gradient_sync.h"
#include <algorithm>
#include <vector>

namespace omni {

static thread_local std::vector<std::weak_ptr<GradientSync>> syncs;
static thread_local int depth = 0;

void GradientSync::add(const std::shared_ptr<GradientSync>& sync) { syncs.push_back(sync); }

static std::vector<std::shared_ptr<GradientSync>> alive() {
  std::vector<std::shared_ptr<GradientSync>> found;
  for (auto& sync : syncs)
    if (auto one = sync.lock()) found.push_back(std::move(one));
  syncs.assign(found.begin(), found.end());
  return found;
}

GradientSync::Pass::Pass() : outermost_(depth++ == 0) {
  if (outermost_)
    for (auto& sync : alive()) sync->begin();
}
GradientSync::Pass::~Pass() { depth--; }
void GradientSync::Pass::done() {
  if (outermost_)
    for (auto& sync : alive()) sync->finish();
}
void GradientSync::Pass::failed(const std::string& reason) {
  if (outermost_)
    for (auto& sync : alive()) sync->abandon(reason);
}

}  // namespace omni
