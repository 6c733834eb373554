// Constant, ConstantOfShape: tensors that the node itself holds.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<Tensor> constant(const Node &node) {
  if (const auto *tensor = node.get<Tensor>("value")) return *tensor;
  if (const auto *real = node.get<float>("value_float")) return Tensor::scalar(*real);
  if (const auto *integer = node.get<std::int64_t>("value_int")) return Tensor::scalar(*integer);
  if (const auto *text = node.get<std::string>("value_string")) return Tensor::of_strings({}, {*text});
  if (const auto *reals = node.get<std::vector<float>>("value_floats"))
    return Tensor::of({static_cast<std::int64_t>(reals->size())}, *reals);
  if (const auto *integers = node.get<std::vector<std::int64_t>>("value_ints"))
    return Tensor::of({static_cast<std::int64_t>(integers->size())}, *integers);
  if (const auto *texts = node.get<std::vector<std::string>>("value_strings"))
    return Tensor::of_strings({static_cast<std::int64_t>(texts->size())}, *texts);
  return unsupported("has none of the attributes value, value_float(s), value_int(s), value_string(s)");
}

Result<std::vector<Type>> infer_constant(const InferArgs &args) {
  const auto tensor = constant(args.node);
  return std::vector<Type>{tensor ? Type::of(*tensor) : Type::tensor(DType::undefined)};
}

Result<std::vector<RuntimeValue>> constant_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(Tensor tensor, constant(args.node));
  return one(std::move(tensor));
}

Result<Tensor> fill(const Node &node) {
  const auto *value = node.get<Tensor>("value");
  if (!value) return Tensor::scalar(0.0F);
  if (value->size() != 1) return bad_input(fmt::format("value has {} elements, not 1", value->size()));
  return *value;
}

Result<std::vector<Type>> infer_of_shape(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  EDGEC_ASSIGN(const Tensor value, fill(args.node));
  std::optional<Shape> shape;
  if (const auto dims = known_ints(args, 0)) {
    for (const std::int64_t size : *dims)
      if (size < 0) return bad_input(fmt::format("a dim of {}", size));
    shape = Type::tensor(value.dtype, *dims).shape;
  } else if (!args.dims.empty() && args.dims[0]) {
    shape = *args.dims[0];
  } else if (const auto rank = args.input(0)->concrete(); rank && rank->size() == 1 && (*rank)[0] <= 64) {
    shape = Shape(static_cast<std::size_t>((*rank)[0]));
  }
  return std::vector<Type>{Type::tensor(value.dtype, std::move(shape))};
}

Result<std::vector<RuntimeValue>> of_shape_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_of_shape));
  EDGEC_ASSIGN(const Tensor value, fill(args.node));
  const Dims dims = *types[0].concrete();
  const Cells cells(value);
  auto out = cells.space(dims);
  copy_strided(cells.data(), dims, std::vector<std::int64_t>(dims.size(), 0), out.data(), cells.width());
  return one(cells.finish(dims, std::move(out)));
}

const OpDef defs[] = {{.name = "Constant",
                       .summary = "a tensor that the node holds",
                       .quant = QuantRule::not_data,
                       .infer = infer_constant,
                       .reference = constant_reference},
                      {.name = "ConstantOfShape",
                       .since = 9,
                       .summary = "one value repeated in a shape",
                       .quant = QuantRule::not_data,
                       .infer = infer_of_shape,
                       .reference = of_shape_reference}};

} // namespace

std::span<const OpDef> constant() { return defs; }

} // namespace edgec::ops
