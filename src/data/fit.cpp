#include "data/fit.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>

namespace edgec {
namespace {

/// The first value that `dtype` cannot hold; int64 and wider source types are looked at as they are.
std::optional<std::int64_t> misfit(std::span<const std::int64_t> values, DType dtype) {
  const IntegerRange range = dtype == DType::boolean ? IntegerRange{0, 1} : integer_range(dtype);
  const std::int64_t low = dtype == DType::uint64 ? 0 : range.low;
  const auto found = std::ranges::find_if(values, [&](std::int64_t v) { return v < low || v > range.high; });
  return found == values.end() ? std::nullopt : std::optional(*found);
}

bool fits(std::span<const std::int64_t> dims, const Shape &shape) {
  return std::ranges::equal(dims, shape,
                            [](std::int64_t size, const Dim &dim) { return !dim.is_known() || dim.size == size; });
}

/// What to do where the channels stand last instead of first, or the other way round.
std::string transposed_hint(std::span<const std::int64_t> dims, const Shape &shape) {
  if (dims.size() != shape.size() || dims.size() < 3) return {};
  const auto advice = [](const char *from, const char *to, std::span<const std::int64_t> axes) {
    return fmt::format("; its channels stand {}, not {}: transpose it, np.transpose(x, ({}))", from, to,
                       fmt::join(axes, ", "));
  };
  Dims moved(dims.begin(), dims.end()), axes(dims.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::rotate(moved.begin() + 1, moved.end() - 1, moved.end());
  std::rotate(axes.begin() + 1, axes.end() - 1, axes.end());
  if (fits(moved, shape)) return advice("last", "first", axes);
  std::copy(dims.begin(), dims.end(), moved.begin());
  std::iota(axes.begin(), axes.end(), 0);
  std::rotate(moved.begin() + 1, moved.begin() + 2, moved.end());
  std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  return fits(moved, shape) ? advice("first", "last", axes) : std::string();
}

} // namespace

std::string format_dims(std::span<const std::int64_t> dims) { return fmt::format("[{}]", fmt::join(dims, ",")); }

std::int64_t fixed_batch(const InputSpec &input) {
  if (!input.type.shape || input.type.shape->empty()) return 1;
  return std::max<std::int64_t>(input.type.shape->front().size, 1);
}

Status check_fit(std::span<const std::int64_t> dims, const InputSpec &input, bool any_batch) {
  if (!input.type.shape) return {};
  const Shape &shape = *input.type.shape;
  bool fits = shape.size() == dims.size();
  for (std::size_t i = 0; fits && i < dims.size(); ++i)
    fits = !shape[i].is_known() || shape[i].size == dims[i] || (i == 0 && any_batch && dims.size() != 3);
  if (fits) return {};
  return bad_input(fmt::format("gives {}, but input '{}' is {}{}", format_dims(dims), input.name, to_string(input.type),
                               transposed_hint(dims, shape)));
}

Result<Tensor> convert(const Tensor &tensor, const InputSpec &input) {
  const DType from = tensor.dtype, to = input.type.dtype;
  if (from == to) return tensor;
  const bool numbers = from != DType::string && bits(from) > 0 && from != DType::complex64 && from != DType::complex128;
  const bool counts = is_integer(from) || from == DType::boolean;
  if (numbers && to == DType::float32) return Tensor::of<float>(tensor.dims, to_floats(tensor));
  if (numbers && is_float(to)) return from_doubles(to, tensor.dims, to_doubles(tensor));
  if (counts && (is_integer(to) || to == DType::boolean)) {
    const auto values = to_int64s(tensor);
    const bool huge = from == DType::uint64 && std::ranges::any_of(values, [](std::int64_t v) { return v < 0; });
    const auto bad = misfit(values, to);
    if (!bad && !huge) return from_int64s(to, tensor.dims, values);
    return bad_input(fmt::format("the value {} does not fit input '{}' of type {}",
                                 huge ? "2^63 or more" : std::to_string(bad.value_or(0)), input.name, name(to)));
  }
  return bad_input(fmt::format("holds {} values, but input '{}' wants {}", name(from), input.name, name(to)));
}

} // namespace edgec
