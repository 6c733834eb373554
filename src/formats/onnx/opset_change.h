// One node on its way from an opset to the next. Internal to this room.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec::proto {

/// A node of a graph that speaks opset `from` and is to mean the same in opset `to`, one above or below. What is put
/// around it speaks `to` already.
struct OpsetChange {
  Graph &graph;
  NodeId id;
  std::int64_t from, to;

  [[nodiscard]] const Node &node() const { return graph.node(id); }
  [[nodiscard]] bool has(std::size_t input) const { return node().input(input).valid(); }
  [[nodiscard]] const Type &type(std::size_t input) const { return graph.value(node().input(input)).type; }
  [[nodiscard]] std::optional<int> rank(std::size_t input = 0) const {
    return has(input) ? type(input).rank() : std::nullopt;
  }
  [[nodiscard]] std::optional<Dims> dims(std::size_t input = 0) const {
    return has(input) ? type(input).concrete() : std::nullopt;
  }
  /// The number of a dim of operand 0; -1: not known.
  [[nodiscard]] std::int64_t dim(std::size_t axis) const;
  /// An operand that is a constant or comes from a Constant node; null: it is neither.
  [[nodiscard]] const Tensor *constant(std::size_t input) const;
  /// Whether an operand is left out, or a constant without elements.
  [[nodiscard]] bool is_empty(std::size_t input) const;
  /// Whether an output is wanted and read.
  [[nodiscard]] bool is_read(std::size_t output) const;

  /// The result of an operator that is put before the node.
  ValueId put(std::string op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {},
              Type type = {Type::Kind::unknown, {}, {}, {}, {}}) const;
  /// Puts an operator between an output of the node, which has `type` then, and its readers: its operand 0, `more`
  /// follow.
  void put_after(std::string op, std::vector<ValueId> more, std::vector<Attribute> attributes, Type type,
                 std::size_t output = 0) const;
  /// Another operand, or a constant as one; constants that nobody reads then go.
  void set_input(std::size_t input, ValueId value) const;
  void set_constant(std::size_t input, Tensor data) const { set_input(input, graph.add_constant(std::move(data))); }
  /// Leaves out operands from `count` on.
  void drop_inputs(std::size_t count) const;
  /// Makes the node another operator without attributes, that reads operand 0 only.
  void become_unary(const std::string &op) const;
  /// unsupported: "node conv1: Conv of opset 9 does not take WHAT".
  [[nodiscard]] Error refuse(const std::string &what) const;
};

Attribute int_attribute(std::string name, std::int64_t value);
Attribute ints_attribute(std::string name, std::vector<std::int64_t> values);
/// An int64 tensor of one axis.
Tensor int_row(std::vector<std::int64_t> values);

/// What changed when a new version of an operator came, beyond what its schemas say (see schemas.h). Null: nothing.
struct OperatorChange {
  std::string_view op;
  std::int64_t since; ///< the opset of the new version
  Status (*raise)(const OpsetChange &) = nullptr;
  Status (*lower)(const OpsetChange &) = nullptr;
};

/// By subject: Resize and Upsample; what opset 7 and those before it brought; all the others.
std::span<const OperatorChange> resize_changes();
std::span<const OperatorChange> early_changes();
std::span<const OperatorChange> shape_changes();
std::span<const OperatorChange> layer_changes();

} // namespace edgec::proto
