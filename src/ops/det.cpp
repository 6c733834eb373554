// Det: determinants of the last two axes.
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  const std::size_t rank = in.shape->size();
  if (rank < 2) return bad_input(fmt::format("the operand has rank {}, not at least 2", rank));
  const Dim &rows = (*in.shape)[rank - 2], &columns = (*in.shape)[rank - 1];
  if (rows.is_known() && columns.is_known() && rows.size != columns.size)
    return bad_input(fmt::format("a matrix of {} x {}", rows.size, columns.size));
  return std::vector<Type>{Type::tensor(in.dtype, Shape(in.shape->begin(), in.shape->end() - 2))};
}

/// Gauss's elimination with the largest pivots; a [n, n] is lost.
double determinant(double *a, std::size_t n) {
  double product = 1;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i)
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
    if (a[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      for (std::size_t j = 0; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
      product = -product;
    }
    product *= a[k * n + k];
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / a[k * n + k];
      for (std::size_t j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return product;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Dims dims = *types[0].concrete();
  auto x = to_doubles(*args.inputs[0]);
  const auto n = static_cast<std::size_t>(args.inputs[0]->dims.back());
  std::vector<double> out;
  for (std::int64_t i = 0; i < *element_count(dims); ++i)
    out.push_back(determinant(x.data() + static_cast<std::size_t>(i) * n * n, n));
  return one(from_doubles(types[0].dtype, dims, out));
}

const OpDef defs[] = {{.name = "Det", .since = 11, .summary = "determinant", .infer = infer, .reference = reference}};

} // namespace

std::span<const OpDef> det() { return defs; }

} // namespace edgec::ops
