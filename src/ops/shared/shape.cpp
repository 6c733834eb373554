#include "ops/shared/shape.h"

#include <algorithm>

#include <fmt/format.h>

namespace edgec::ops {

Result<int> normalize_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return bad_input(fmt::format("axis {} is outside -{} .. {}", axis, rank, rank - 1));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Result<std::vector<int>> normalize_axes(const std::vector<std::int64_t> &axes, int rank) {
  std::vector<int> found;
  for (const std::int64_t axis : axes) {
    EDGEC_ASSIGN(const int normal, normalize_axis(axis, rank));
    if (std::ranges::find(found, normal) != found.end()) return bad_input(fmt::format("axis {} is given twice", axis));
    found.push_back(normal);
  }
  return found;
}

Status require(const InferArgs &args, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (!args.input(i)) return bad_input(fmt::format("needs {} operands, operand {} is missing", count, i));
  return {};
}

std::optional<std::vector<std::int64_t>> known_ints(const InferArgs &args, std::size_t i) {
  const Tensor *tensor = args.constant(i);
  if (!tensor || !is_integer(tensor->dtype)) return std::nullopt;
  return to_int64s(*tensor);
}

IntsOperand ints_operand(const InferArgs &args, std::string_view attribute, std::size_t i) {
  if (const auto *values = args.node.get<std::vector<std::int64_t>>(attribute)) return {true, *values};
  if (!args.input(i)) return {};
  return {true, known_ints(args, i)};
}

Status check_size(DType dtype, const Dims &dims) {
  const auto count = element_count(dims);
  if (!count || *count > (std::int64_t{1} << 31) || byte_size(dtype, *count) > (std::size_t{8} << 30))
    return resource_error(
        fmt::format("a result {} is larger than 2^31 elements or 8 GiB", to_string(Type::tensor(dtype, dims))));
  return {};
}

ConcreteArgs::ConcreteArgs(const EvalArgs &args)
    : args_(args), types_(args.inputs.size()), inputs_(args.inputs.size(), nullptr) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!args.inputs[i]) continue;
    types_[i] = Type::of(*args.inputs[i]);
    inputs_[i] = &types_[i];
  }
}

Result<std::vector<Type>> concrete_outputs(const EvalArgs &args, Infer infer) {
  EDGEC_ASSIGN(std::vector<Type> outputs, infer(ConcreteArgs(args)));
  for (const Type &type : outputs) {
    const auto dims = type.concrete();
    if (!dims) return internal_error(fmt::format("the shape of a result is not known: {}", to_string(type)));
    EDGEC_CHECK(check_size(type.dtype, *dims));
  }
  return outputs;
}

Dim product(const Shape &shape, std::size_t first, std::size_t last) {
  std::int64_t size = 1;
  const bool zero =
      std::any_of(shape.begin() + first, shape.begin() + last, [](const Dim &dim) { return dim.size == 0; });
  if (zero) return Dim::known(0);
  if (last - first == 1) return shape[first];
  const Dim *symbol = nullptr;
  for (std::size_t i = first; i < last; ++i) {
    if (shape[i].is_known()) {
      if (__builtin_mul_overflow(size, shape[i].size, &size)) return Dim::unknown();
    } else if (symbol || shape[i].symbol.empty()) {
      return Dim::unknown();
    } else {
      symbol = &shape[i];
    }
  }
  if (!symbol) return Dim::known(size);
  return size == 1 ? *symbol : Dim::unknown();
}

std::int64_t product(const Dims &dims, std::size_t first, std::size_t last) {
  std::int64_t size = 1;
  for (std::size_t i = first; i < last; ++i) size *= dims[i];
  return size;
}

std::vector<AxisLink> same_axes(std::size_t input, const Type &from, const Type &to) {
  std::vector<AxisLink> links;
  if (!from.shape || !to.shape || from.shape->size() > to.shape->size()) return links;
  const std::size_t shift = to.shape->size() - from.shape->size(); // broadcasting aligns the last axes
  for (std::size_t i = 0; i < from.shape->size(); ++i) {
    const Dim &dim = (*from.shape)[i];
    if (dim.is_known() && dim == (*to.shape)[i + shift])
      links.push_back({.input = input,
                       .input_axis = static_cast<int>(i),
                       .output_axis = static_cast<int>(i + shift),
                       .count = dim.size});
  }
  return links;
}

Axes elementwise_axes(const AxisArgs &args) {
  Axes axes;
  for (std::size_t i = 0; args.output() && i < args.inputs.size(); ++i)
    if (args.input(i)) std::ranges::copy(same_axes(i, *args.input(i), *args.output()), std::back_inserter(axes.links));
  // Where the size of an operand is not known, what could be cut of the others might not be of this one.
  for (const Type *operand : args.inputs)
    std::erase_if(axes.links, [&](const AxisLink &link) {
      if (!operand) return false;
      if (!operand->shape) return true;
      const int axis = link.output_axis - static_cast<int>(args.output()->shape->size() - operand->shape->size());
      return axis >= 0 && !(*operand->shape)[static_cast<std::size_t>(axis)].is_known();
    });
  return axes;
}

Axes first_operand_axes(const AxisArgs &args) {
  if (!args.input(0) || !args.output()) return {};
  return {.links = same_axes(0, *args.input(0), *args.output())};
}

std::vector<std::int64_t> strides(const Dims &dims) {
  std::vector<std::int64_t> found(dims.size());
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    found[i] = stride;
    stride *= dims[i];
  }
  return found;
}

Result<std::vector<Type>> infer_same(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  Type type = *args.input(0);
  type.quant.reset();
  return std::vector<Type>{std::move(type)};
}

} // namespace edgec::ops
