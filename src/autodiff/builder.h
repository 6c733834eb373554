// Appends nodes to a graph whose shapes are all known, and infers what they give.
#pragma once

#include <string_view>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// The first error stays and makes everything after it do nothing: ask status() at the end.
class Builder {
public:
  Builder(Graph &graph, const OpRegistry &ops) : graph_(graph), ops_(ops) {}

  /// The first output of a new node of ONNX's domain.
  ValueId op(std::string_view name, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {});
  /// The outputs of a new node.
  std::vector<ValueId> outputs(std::size_t count, std::string_view domain, std::string_view name,
                               std::vector<ValueId> inputs, std::vector<Attribute> attributes = {});

  ValueId add(ValueId a, ValueId b) { return op("Add", {a, b}); }
  ValueId sub(ValueId a, ValueId b) { return op("Sub", {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return op("Mul", {a, b}); }
  ValueId div(ValueId a, ValueId b) { return op("Div", {a, b}); }
  ValueId neg(ValueId a) { return op("Neg", {a}); }
  ValueId square(ValueId a) { return mul(a, a); }
  ValueId scaled(ValueId a, double factor) { return factor == 1 ? a : mul(a, number(factor, a)); }
  ValueId plus(ValueId a, double term) { return add(a, number(term, a)); }
  /// `a` where `condition` holds, else 0.
  ValueId where(ValueId condition, ValueId a) { return op("Where", {condition, a, number(0, a)}); }

  ValueId cast(ValueId a, DType to) { return op("Cast", {a}, {{"to", static_cast<std::int64_t>(to)}}); }

  /// A scalar of like's element type.
  ValueId number(double value, ValueId like);
  ValueId ints(std::vector<std::int64_t> values);
  ValueId constant(Tensor tensor);

  ValueId reshape(ValueId x, const Dims &dims);
  ValueId transpose(ValueId x, std::vector<std::int64_t> order);
  /// Sums over axes (counted from the front) that stay with size 1.
  ValueId sum(ValueId x, std::vector<std::int64_t> axes) { return reduce("ReduceSum", 13, x, std::move(axes)); }
  ValueId mean(ValueId x, std::vector<std::int64_t> axes) { return reduce("ReduceMean", 18, x, std::move(axes)); }
  /// Elements [first, last) along an axis, every step-th.
  ValueId slice(ValueId x, int axis, std::int64_t first, std::int64_t last, std::int64_t step = 1);
  /// Zeros before and after along each axis.
  ValueId pad(ValueId x, std::vector<std::int64_t> before, const std::vector<std::int64_t> &after);
  /// The sum over axes along which a value of `dims` was broadcast to x's shape, in `dims`.
  ValueId sum_to(ValueId x, const Dims &dims);

  [[nodiscard]] Dims dims(ValueId id) const;
  [[nodiscard]] DType dtype(ValueId id) const { return id.valid() ? graph_.value(id).type.dtype : DType::undefined; }
  [[nodiscard]] int rank(ValueId id) const { return static_cast<int>(dims(id).size()); }
  [[nodiscard]] const Graph &graph() const { return graph_; }
  [[nodiscard]] const OpRegistry &ops() const { return ops_; }
  [[nodiscard]] std::int64_t opset() const { return graph_.opset(); }

  void fail(Error error);
  [[nodiscard]] Status status() const { return status_; }

private:
  Graph &graph_;
  const OpRegistry &ops_;
  Status status_;

  /// Axes are an operand since the opset `since`, an attribute before.
  ValueId reduce(std::string_view op, std::int64_t since, ValueId x, std::vector<std::int64_t> axes);
};

} // namespace edgec
