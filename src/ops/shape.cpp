// Shape and Size: what an operand's dims are.
#include <algorithm>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// The range of axes that a Shape tells: attributes start and end (opset 15), clamped.
std::pair<std::size_t, std::size_t> range(const Node &node, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  const auto clamp = [&](std::int64_t axis) {
    return std::clamp(axis < 0 ? axis + size : axis, std::int64_t{0}, size);
  };
  const auto start = clamp(node.get_int("start", 0)), end = clamp(node.get_int("end", size));
  return {static_cast<std::size_t>(start), static_cast<std::size_t>(std::max(start, end))};
}

Result<std::vector<Type>> infer_shape(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  Dim count = Dim::unknown();
  if (args.input(0)->shape) {
    const auto [start, end] = range(args.node, args.input(0)->shape->size());
    count = Dim::known(static_cast<std::int64_t>(end - start));
  }
  return std::vector<Type>{Type::tensor(DType::int64, Shape{count})};
}

Result<std::vector<RuntimeValue>> shape_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs a tensor");
  const Dims &dims = args.inputs[0]->dims;
  const auto [start, end] = range(args.node, dims.size());
  return one(Tensor::of<std::int64_t>({static_cast<std::int64_t>(end - start)},
                                      Dims(dims.begin() + start, dims.begin() + end)));
}

Result<std::vector<Type>> infer_size(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  return std::vector<Type>{Type::tensor(DType::int64, Dims{})};
}

Result<std::vector<RuntimeValue>> size_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs a tensor");
  return one(Tensor::scalar<std::int64_t>(args.inputs[0]->size()));
}

const OpDef defs[] = {{.name = "Shape",
                       .summary = "the dims of a tensor",
                       .moves_data = true,
                       .shape_only = true,
                       .quant = QuantRule::not_data,
                       .infer = infer_shape,
                       .reference = shape_reference},
                      {.name = "Size",
                       .summary = "the number of elements of a tensor",
                       .shape_only = true,
                       .quant = QuantRule::not_data,
                       .infer = infer_size,
                       .reference = size_reference}};

} // namespace

std::span<const OpDef> shape() { return defs; }

} // namespace edgec::ops
