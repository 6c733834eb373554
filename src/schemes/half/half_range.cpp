#include "schemes/half/half_range.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgec {
namespace {

constexpr double largest_float16 = 65504, smallest_float16 = 0x1p-14, headroom = 2;

/// Of a constant rounded to the type, to its power: what rounding takes at most, with half a bit to spare.
double most_lost(DType dtype) { return dtype == DType::float16 ? 0x1p-21 : 0x1p-15; }

} // namespace

HalfMisfit half_misfit(const Tensor &constant, DType dtype) {
  const auto values = to_doubles(constant);
  const auto rounded = to_doubles(from_doubles(dtype, constant.dims, values));
  const std::string_view type = name(dtype);
  double power = 0, lost = 0, smallest = INFINITY;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    if (!std::isfinite(rounded[i])) return {fmt::format("holds {:.3g}, beyond what {} holds", values[i], type), true};
    power += values[i] * values[i];
    lost += (values[i] - rounded[i]) * (values[i] - rounded[i]);
    if (values[i] != 0) smallest = std::min(smallest, std::abs(values[i]));
  }
  if (lost <= power * most_lost(dtype)) return {};
  return {fmt::format("holds {:.3g}, too small for the digits of {}", smallest, type), false};
}

HalfMisfit half_misfit(const ValueStatistics &seen, DType dtype) {
  if (dtype != DType::float16) return {};
  const double largest =
      std::max(std::abs(static_cast<double>(seen.minimum)), std::abs(static_cast<double>(seen.maximum)));
  if (largest * headroom > largest_float16)
    return {fmt::format("reaches {:.3g} on the samples, and float16 ends at {:g}", largest, largest_float16), true};
  if (largest > 0 && largest < smallest_float16)
    return {fmt::format("is {:.3g} at most on the samples, too small for the digits of float16", largest), false};
  return {};
}

} // namespace edgec
