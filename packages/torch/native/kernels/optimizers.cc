// One optimiser step over all parameters: AdamW in one pass over memory, Muon with its matrices batched by shape.
#include "kernel_support.h"
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <cmath>
#include <map>

namespace omni {
namespace {

void checkLists(const char* name, at::TensorList params, at::TensorList grads, std::initializer_list<at::TensorList> states) {
  TORCH_CHECK(grads.size() == params.size(), name, ": ", params.size(), " parameters, ", grads.size(), " gradients");
  for (auto& list : states) TORCH_CHECK(list.size() == params.size(), name, ": ", params.size(), " parameters, ", list.size(), " state tensors");
  auto usable = [](const at::Tensor& t) {
    return t.defined() && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided && t.is_contiguous() && !t.is_neg() && !t._is_zerotensor();
  };
  auto readable = [](const at::Tensor& t) { return t.defined() && t.device().is_cpu() && t.scalar_type() == at::kFloat; };
  for (size_t i = 0; i < params.size(); i++) {
    bool ok = usable(params[i]) && readable(grads[i]) && grads[i].sizes() == params[i].sizes();
    for (auto& list : states) ok = ok && usable(list[i]) && list[i].sizes() == params[i].sizes();
    TORCH_CHECK(ok, name, ": parameter ", i, ": contiguous float32 CPU tensors of one shape are expected");
  }
}
void wrote(at::TensorList tensors) {  // autograd notices when a saved tensor was changed behind its back
  for (auto& t : tensors) t.unsafeGetTensorImpl()->bump_version();
}

constexpr int64_t kChunk = 32768;  // elements: five streams of it fit into the second-level cache

void adamw(at::TensorList params, at::TensorList grads, at::TensorList means, at::TensorList squares, double lr, double beta1, double beta2, double eps, double weightDecay, at::IntArrayRef steps) {
  checkLists("adamw_", params, grads, {means, squares});
  TORCH_CHECK(steps.size() == params.size(), "adamw_: ", params.size(), " parameters, ", steps.size(), " steps");
  struct Piece {
    float *p, *m, *v;
    const float* g;
    int64_t n;
    float stepSize, root;  // of the parameter's own number of steps
  };
  std::vector<Piece> pieces;
  std::vector<at::Tensor> contiguous;
  for (size_t k = 0; k < params.size(); k++) {
    TORCH_CHECK(steps[k] > 0, "adamw_: parameter ", k, ": steps are counted from 1, got ", steps[k]);
    contiguous.push_back(dense(grads[k]));
    float stepSize = float(lr / (1 - std::pow(beta1, steps[k]))), root = float(std::sqrt(1 - std::pow(beta2, steps[k])));
    for (int64_t i = 0, n = params[k].numel(); i < n; i += kChunk)
      pieces.push_back({f32(params[k]) + i, f32(means[k]) + i, f32(squares[k]) + i, f32(contiguous[k]) + i, std::min(kChunk, n - i), stepSize, root});
  }
  inParallel(0, pieces.size(), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      simd::loops().adamw(pieces[i].p, pieces[i].g, pieces[i].m, pieces[i].v, pieces[i].n, float(1 - lr * weightDecay), float(beta1), float(beta2), pieces[i].stepSize, pieces[i].root, float(eps));
  });
  wrote(params);
  wrote(means);
  wrote(squares);
}

// Newton–Schulz (Jordan et al., 2024): moves the singular values of each matrix of x [n, r, c] (r ≤ c) towards 1.
at::Tensor orthogonalise(at::Tensor x, int64_t steps) {
  const double a = 3.4445, b = -4.775, c = 2.0315;
  for (int64_t i = 0; i < steps; i++) {
    at::Tensor gram = at::bmm(x, x.transpose(1, 2));
    at::Tensor polynomial = at::baddbmm(gram, gram, gram, b, c);
    x = at::baddbmm(x, polynomial, x, a, 1);
  }
  return x;
}

void muon(at::TensorList params, at::TensorList grads, at::TensorList momenta, double lr, double mu, double weightDecay, bool nesterov, int64_t steps, at::ScalarType dtype) {
  checkLists("muon_", params, grads, {momenta});
  std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> byShape;
  for (size_t i = 0; i < params.size(); i++) {
    TORCH_CHECK(params[i].dim() == 2, "muon_: parameter ", i, " is not a matrix");
    byShape[{params[i].size(0), params[i].size(1)}].push_back(i);
  }
  for (auto& entry : byShape) {
    int64_t rows = entry.first.first, columns = entry.first.second, n = rows * columns;
    auto& members = entry.second;
    std::vector<at::Tensor> contiguous;
    for (size_t i : members) contiguous.push_back(dense(grads[i]));
    at::Tensor updates = at::empty({int64_t(members.size()), rows, columns}, at::kFloat);
    inParallel(0, members.size(), 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; k++) {
        const at::Tensor& g = contiguous[k];
        float* u = f32(updates) + k * n;
        double norm = std::sqrt(simd::loops().momentum(f32(momenta[members[k]]), f32(g), u, n, float(mu), nesterov));
        float scale = float(1 / (norm + 1e-7));
        for (int64_t i = 0; i < n; i++) u[i] *= scale;
      }
    });
    bool tall = rows > columns;
    at::Tensor x = (tall ? updates.transpose(1, 2) : updates).to(dtype).contiguous();
    x = orthogonalise(x, steps);
    x = (tall ? x.transpose(1, 2) : x).to(at::kFloat).contiguous();
    float decay = float(1 - lr * weightDecay), size = float(lr * std::sqrt(std::max(1.0, double(rows) / columns)));
    inParallel(0, members.size(), 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; k++) {
        float* p = f32(params[members[k]]);
        const float* u = f32(x) + k * n;
        for (int64_t i = 0; i < n; i++) p[i] = p[i] * decay - size * u[i];
      }
    });
  }
  wrote(params);
  wrote(momenta);
}

}  // namespace

void defineOptimizers(torch::Library& m) {
  m.def(
      "adamw_(Tensor(a!)[] params, Tensor[] grads, Tensor(b!)[] means, Tensor(c!)[] squares, float lr, float beta1, float beta2, float eps, "
      "float weight_decay, int[] steps) -> ()",
      adamw);
  m.def(
      "muon_(Tensor(a!)[] params, Tensor[] grads, Tensor(b!)[] momenta, float lr, float momentum, float weight_decay, bool nesterov, int steps, "
      "ScalarType dtype) -> ()",
      muon);
}

}  // namespace omni
