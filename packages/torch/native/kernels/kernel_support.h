// What our fused operators share: element access, who may take the fast path, parallel sums.
#pragma once
#include "library.h"
#include "simd.h"
#include "../rehearsal/rehearsal.h"
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <functional>
#include <initializer_list>

namespace omni {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

inline simd::BFloat16* bf16(const at::Tensor& t) { return reinterpret_cast<simd::BFloat16*>(t.data_ptr()); }
inline float* f32(const at::Tensor& t) { return t.data_ptr<float>(); }

struct Operand {
  const char* name;
  const at::Tensor& tensor;
};
// Throws unless all are floating-point, dense and on one device: `data_ptr` of anything else is not what loops may read.
void checkOperands(std::initializer_list<Operand> operands);
void checkOnDevice(const Operand& operand, const Operand& other);

inline bool isFast(const at::Tensor& t) {  // dtypes and devices our loops know; all else takes the plain composition
  return t.device().is_cpu() && !rehearsal::onGpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16) && !t._is_zerotensor();
}
inline bool isFloat(const at::Tensor& t) { return isFast(t) && t.scalar_type() == at::kFloat; }
bool productsAreBf16();  // autocast makes matrix products of what comes next in bfloat16
inline bool wantsGradient(const at::Tensor& t) { return at::GradMode::is_enabled() && t.requires_grad(); }

// Elements in memory as they are, row by row: not sparse, not negated on reading, not a zero without memory.
at::Tensor dense(const at::Tensor& t);

// The gradients below are loops, which nothing records. Under createGraph the gradient is that of the plain operators
// instead: `plain` computes the outputs from the saved inputs once more. Undefined for inputs that need none.
using Plain = std::function<variable_list(const variable_list& inputs)>;
variable_list recordedGradients(const variable_list& inputs, const variable_list& grads, const Plain& plain);

// at::parallel_for; a rehearsal has no elements to loop over.
template <class Body>
void inParallel(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  if (!rehearsal::on()) at::parallel_for(begin, end, grain, body);
}

// Runs body(first row, last row, partial sums) in parallel; the threads' partial sums are added in order at the end,
// so that the result does not depend on timing.
template <class Body>
at::Tensor parallelSums(int64_t rows, int64_t grain, int64_t sums, const Body& body) {
  int64_t chunks = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), (rows + grain - 1) / grain));
  at::Tensor partial = at::zeros({chunks, sums}, at::kFloat);
  float* p = f32(partial);
  inParallel(0, chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; c++) body(rows * c / chunks, rows * (c + 1) / chunks, p + c * sums);
  });
  return chunks == 1 ? partial[0] : partial.sum(0);
}

}  // namespace omni
