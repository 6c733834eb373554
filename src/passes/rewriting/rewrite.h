// Steps that exact passes share.
#pragma once

#include <optional>
#include <vector>

#include "ir/node_view.h"

namespace edgec::passes {

/// True where every reader of `from` may read `to` instead: both have the same element type and quantization, and ONNX
/// needs no node between them. It needs one where a graph output would become a graph input, a capture, a constant, or
/// another output's value.
bool can_replace(const Graph &graph, ValueId from, ValueId to);

/// Every reader of `from` reads a constant instead. A graph output gets one of its own that bears its name: ONNX lets
/// an output be an initializer.
void replace_by_constant(Graph &graph, ValueId from, const Tensor &data);

/// `kept` now computes what `gone`, its only reader, computed: its output takes over the type, the name and the readers
/// of gone's; gone's origins join kept's, and gone is removed.
void absorb(Graph &graph, NodeId kept, NodeId gone);

/// The elements of a constant of numbers; nothing where the value is not a constant or quantized.
std::optional<std::vector<double>> reals(const Graph &graph, ValueId id);
std::optional<std::vector<std::int64_t>> integers(const Graph &graph, ValueId id);

/// A constant of one element.
std::optional<double> scalar(const Graph &graph, ValueId id);

/// float, double: types in which folding in double leaves an error far below 1e-5. Quantized types are not.
bool is_wide_float(const Type *type);

} // namespace edgec::passes
