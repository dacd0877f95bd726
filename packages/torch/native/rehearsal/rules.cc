// Shapes that LibTorch tells of no operator without computing it, and the floating-point operations of products: two for
// each multiplication and its addition, forward and backward. All else is counted as nothing.
#include "rehearsal.h"
#include <ATen/ExpandUtils.h>
#include <ATen/ops/result_type.h>
#include <unordered_map>

namespace omni {
namespace rehearsal {
namespace {

using c10::IValue;
using Arguments = std::vector<IValue>;
using torch::jit::Stack;

at::Tensor like(const at::Tensor& t) { return reserve(t.sizes(), t.scalar_type()); }
at::Tensor likeWhere(bool wanted, const at::Tensor& t) { return wanted && t.defined() ? like(t) : at::Tensor(); }
at::Tensor tensorOf(const IValue& v) { return v.isTensor() ? v.toTensor() : at::Tensor(); }
std::vector<bool> maskOf(const IValue& v) {
  auto list = v.toBoolList();
  return {list.begin(), list.end()};
}
at::ScalarType accumulator(const at::Tensor& t) { return t.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

std::vector<int64_t> convolved(const at::Tensor& x, const at::Tensor& w, const Arguments& a) {
  auto stride = a[3].toIntVector(), padding = a[4].toIntVector(), dilation = a[5].toIntVector(), more = a[7].toIntVector();
  bool transposed = a[6].toBool();
  std::vector<int64_t> sizes = {x.size(0), transposed ? w.size(1) * a[8].toInt() : w.size(0)};
  for (int64_t i = 0; i < x.dim() - 2; i++) {
    auto at = [&](const std::vector<int64_t>& list) { return list[list.size() == 1 ? 0 : i]; };
    int64_t in = x.size(i + 2), kernel = at(dilation) * (w.size(i + 2) - 1) + 1;
    sizes.push_back(transposed ? (in - 1) * at(stride) - 2 * at(padding) + kernel + at(more) : (in + 2 * at(padding) - kernel) / at(stride) + 1);
  }
  return sizes;
}

void convolution(const Arguments& a, Stack& out) { out.emplace_back(reserve(convolved(a[0].toTensor(), a[1].toTensor(), a), a[0].toTensor().scalar_type())); }
void convolutionBackward(const Arguments& a, Stack& out) {  // (grad, input, weight, bias sizes, …, mask)
  auto mask = maskOf(a[10]);
  at::Tensor grad = a[0].toTensor(), weight = a[2].toTensor();
  out.emplace_back(likeWhere(mask[0], a[1].toTensor()));
  out.emplace_back(likeWhere(mask[1], weight));
  out.emplace_back(mask[2] ? reserve({grad.size(1)}, weight.scalar_type()) : at::Tensor());
}

void layerNorm(const Arguments& a, Stack& out) {
  at::Tensor x = a[0].toTensor();
  std::vector<int64_t> rows = x.sizes().vec();
  for (size_t i = rows.size() - a[1].toIntVector().size(); i < rows.size(); i++) rows[i] = 1;
  out.emplace_back(like(x));
  for (int i = 0; i < 2; i++) out.emplace_back(reserve(rows, accumulator(x)));
}
void layerNormBackward(const Arguments& a, Stack& out) {  // (grad, input, shape, mean, rstd, weight, bias, mask)
  auto mask = maskOf(a[7]);
  out.emplace_back(likeWhere(mask[0], a[1].toTensor()));
  out.emplace_back(likeWhere(mask[1], tensorOf(a[5])));
  out.emplace_back(likeWhere(mask[2], tensorOf(a[6])));
}
void groupNorm(const Arguments& a, Stack& out) {  // (input, weight, bias, N, C, HxW, groups, eps)
  at::Tensor x = a[0].toTensor();
  out.emplace_back(like(x));
  for (int i = 0; i < 2; i++) out.emplace_back(reserve({a[3].toInt(), a[6].toInt()}, accumulator(x)));
}
void groupNormBackward(const Arguments& a, Stack& out) {  // (grad, input, mean, rstd, weight, N, C, HxW, groups, mask)
  auto mask = maskOf(a[9]);
  at::Tensor x = a[1].toTensor();
  out.emplace_back(likeWhere(mask[0], x));
  for (int i = 1; i < 3; i++) out.emplace_back(mask[i] ? reserve({a[6].toInt()}, x.scalar_type()) : at::Tensor());
}
void batchNorm(const Arguments& a, Stack& out) {  // (input, weight, bias, mean, variance, training, …)
  at::Tensor x = a[0].toTensor();
  int64_t channels = a[5].toBool() ? x.size(1) : 0;
  out.emplace_back(like(x));
  for (int i = 0; i < 2; i++) out.emplace_back(reserve({channels}, accumulator(x)));
}
void batchNormBackward(const Arguments& a, Stack& out) {  // (grad, input, weight, mean, variance, saved mean, saved …, train, eps, mask)
  auto mask = maskOf(a[9]);
  at::Tensor x = a[1].toTensor();
  out.emplace_back(likeWhere(mask[0], x));
  for (int i = 1; i < 3; i++) out.emplace_back(mask[i] ? reserve({x.size(1)}, accumulator(x)) : at::Tensor());
}

void indexSelect(const Arguments& a, Stack& out) {
  at::Tensor x = a[0].toTensor();
  std::vector<int64_t> sizes = x.sizes().vec();
  int64_t dim = a[1].toInt() < 0 ? a[1].toInt() + x.dim() : a[1].toInt();
  if (!sizes.empty()) sizes[dim] = a[2].toTensor().numel();
  out.emplace_back(reserve(sizes, x.scalar_type()));
}
void embeddingBackward(const Arguments& a, Stack& out) {  // (grad, indices, rows, …)
  at::Tensor grad = a[0].toTensor();
  out.emplace_back(reserve({a[2].toInt(), grad.size(-1)}, grad.scalar_type()));
}
void where(const Arguments& a, Stack& out) {
  at::Tensor condition = a[0].toTensor(), x = a[1].toTensor(), y = a[2].toTensor();
  auto sizes = at::infer_size(at::infer_size(condition.sizes(), x.sizes()), y.sizes());
  out.emplace_back(reserve(sizes, at::result_type(x, y)));
}
void first(const Arguments& a, Stack& out) { out.emplace_back(like(a[0].toTensor())); }
void preluBackward(const Arguments& a, Stack& out) {  // (grad, input, weight)
  out.emplace_back(like(a[1].toTensor()));
  out.emplace_back(like(a[2].toTensor()));
}
void gridSampler(const Arguments& a, Stack& out) {
  at::Tensor x = a[0].toTensor(), grid = a[1].toTensor();
  out.emplace_back(reserve({x.size(0), x.size(1), grid.size(1), grid.size(2)}, x.scalar_type()));
}
void gridSamplerBackward(const Arguments& a, Stack& out) {  // (grad, input, grid, …, mask)
  auto mask = maskOf(a[6]);
  for (int i = 0; i < 2; i++) out.emplace_back(likeWhere(mask[i], a[i + 1].toTensor()));
}

using Rule = void (*)(const Arguments&, Stack&);
const std::unordered_map<std::string, Rule>& rules() {
  static const std::unordered_map<std::string, Rule> all = {
      {"aten::convolution", convolution},
      {"aten::convolution_backward", convolutionBackward},
      {"aten::native_layer_norm", layerNorm},
      {"aten::native_layer_norm_backward", layerNormBackward},
      {"aten::native_group_norm", groupNorm},
      {"aten::native_group_norm_backward", groupNormBackward},
      {"aten::native_batch_norm", batchNorm},
      {"aten::native_batch_norm_backward", batchNormBackward},
      {"aten::index_select", indexSelect},
      {"aten::embedding_dense_backward", embeddingBackward},
      {"aten::where", where},
      {"aten::prelu", first},
      {"aten::_prelu_kernel", first},
      {"aten::prelu_backward", preluBackward},
      {"aten::_prelu_kernel_backward", preluBackward},
      {"aten::grid_sampler_2d", gridSampler},
      {"aten::grid_sampler_2d_backward", gridSamplerBackward},
  };
  return all;
}

double product(const at::Tensor& a, const at::Tensor& b) { return 2.0 * double(a.numel()) * double(b.size(-1)); }  // […, M, K] · [K, N]
double convolutionFlops(const at::Tensor& moved, const at::Tensor& weight) {  // each of the wider side's points meets a filter
  return 2.0 * double(moved.numel()) * double(weight.numel()) / double(weight.size(0));
}

}  // namespace

bool applyRule(const std::string& name, const Arguments& arguments, Stack& results) {
  auto found = rules().find(name);
  if (found == rules().end() || (name == "aten::where" && arguments.size() != 3)) return false;
  found->second(arguments, results);
  return true;
}

double flopsOf(const std::string& name, const Arguments& a) {
  if (name == "aten::mm" || name == "aten::bmm") return product(a[0].toTensor(), a[1].toTensor());
  if (name == "aten::addmm" || name == "aten::addmm_" || name == "aten::baddbmm" || name == "aten::baddbmm_") return product(a[1].toTensor(), a[2].toTensor());
  if (name == "aten::convolution") {
    at::Tensor x = a[0].toTensor(), w = a[1].toTensor();
    double points = 1;
    for (int64_t size : convolved(x, w, a)) points *= double(size);
    return a[6].toBool() ? convolutionFlops(x, w) : 2 * points * double(w.numel()) / double(w.size(0));
  }
  if (name == "aten::convolution_backward") {
    auto mask = maskOf(a[10]);
    return (int(mask[0]) + int(mask[1])) * convolutionFlops(a[7].toBool() ? a[1].toTensor() : a[0].toTensor(), a[2].toTensor());
  }
  return 0;
}

}  // namespace rehearsal
}  // namespace omni
