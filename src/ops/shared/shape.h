// What shape inference and references of several operators share: axes, operands, dims.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/opdef.h"

namespace edgec::ops {

using Infer = Result<std::vector<Type>> (*)(const InferArgs &);

/// An axis counted from the end where negative, as one of 0 .. rank - 1. Error: out of range.
Result<int> normalize_axis(std::int64_t axis, int rank);
/// Distinct normalized axes, in the order given.
Result<std::vector<int>> normalize_axes(const std::vector<std::int64_t> &axes, int rank);

/// An error where fewer than `count` of the first operands are present.
Status require(const InferArgs &args, std::size_t count);

/// Operand `i` as integers where it is a known integer tensor.
std::optional<std::vector<std::int64_t>> known_ints(const InferArgs &args, std::size_t i);

/// The integers of an attribute in old opsets, of operand `i` in new ones. `given`: there are some (known or not).
struct IntsOperand {
  bool given = false;
  std::optional<std::vector<std::int64_t>> values;
};
IntsOperand ints_operand(const InferArgs &args, std::string_view attribute, std::size_t i);

/// The operands of an evaluation as shape inference takes them: all shapes and elements known.
class ConcreteArgs {
public:
  explicit ConcreteArgs(const EvalArgs &args);
  ConcreteArgs(const ConcreteArgs &) = delete;
  ConcreteArgs &operator=(const ConcreteArgs &) = delete;
  operator InferArgs() const {
    return {.node = args_.node, .opset = args_.opset, .inputs = inputs_, .constants = args_.inputs};
  }

private:
  const EvalArgs &args_;
  std::vector<Type> types_;
  std::vector<const Type *> inputs_;
};

/// What `infer` says of the outputs for the very operands of an evaluation: all dims known, sizes checked (2^31
/// elements, 8 GiB). Unknown shapes are an error: for operators whose shapes follow from their operands' shapes and
/// values.
Result<std::vector<Type>> concrete_outputs(const EvalArgs &args, Infer infer);

/// An error where a result of that many elements is beyond 2^31 elements or 8 GiB.
Status check_size(DType dtype, const Dims &dims);

/// The product of dims[first, last); unknown where one is.
Dim product(const Shape &shape, std::size_t first, std::size_t last);
std::int64_t product(const Dims &dims, std::size_t first, std::size_t last);

/// A link for every axis of operand `input` that keeps its place and size in the output.
std::vector<AxisLink> same_axes(std::size_t input, const Type &from, const Type &to);
/// OpDef::axes of operators whose operands broadcast to the output's shape.
Axes elementwise_axes(const AxisArgs &args);
/// OpDef::axes of operators of which only operand 0 has axes that the output keeps.
Axes first_operand_axes(const AxisArgs &args);

/// Row-major strides in elements.
std::vector<std::int64_t> strides(const Dims &dims);

/// OpDef::infer of operators whose output has the type of operand 0.
Result<std::vector<Type>> infer_same(const InferArgs &args);

/// Numbers in a row.
inline Tensor row_of(std::vector<std::int64_t> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return Tensor::of({size}, std::move(values));
}

/// One output value.
inline std::vector<RuntimeValue> one(Tensor tensor) {
  std::vector<RuntimeValue> values;
  values.emplace_back(std::move(tensor));
  return values;
}

} // namespace edgec::ops
