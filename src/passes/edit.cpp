#include "passes/edit.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <map>

namespace edgec {
namespace {

using ShapeChange = std::function<void(std::optional<Shape> &)>;

void edit_shapes(Type &type, const ShapeChange &edit) {
  edit(type.shape);
  if (!type.element) return;
  Type element = *type.element;
  edit_shapes(element, edit);
  type.element = std::make_shared<const Type>(std::move(element));
}

/// Edits the shapes of all values but constants, in sub-graphs, too.
void edit_all_shapes(Graph &graph, const ShapeChange &edit) {
  for (const ValueId id : graph.values()) {
    if (graph.constant(id)) continue;
    Type type = graph.value(id).type;
    edit_shapes(type, edit);
    graph.set_type(id, std::move(type));
  }
  const auto edited = [&](const SubGraph &body) {
    auto copy = std::make_shared<Graph>(*body);
    edit_all_shapes(*copy, edit);
    return copy;
  };
  for (const NodeId id : graph.nodes()) {
    const std::vector<Attribute> attributes = graph.node(id).attributes;
    for (const Attribute &attribute : attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value))
        graph.set_attribute(id, attribute.name, edited(*one));
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) {
        std::vector<SubGraph> bodies;
        for (const SubGraph &body : *many) bodies.push_back(edited(body));
        graph.set_attribute(id, attribute.name, std::move(bodies));
      }
    }
  }
}

/// The same but for the graph's inputs.
void edit_computed_shapes(Graph &graph, const ShapeChange &edit) {
  std::vector<Type> inputs;
  for (const ValueId id : graph.inputs()) inputs.push_back(graph.value(id).type);
  edit_all_shapes(graph, edit);
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.set_type(graph.inputs()[i], std::move(inputs[i]));
}

void edit_all_dims(Graph &graph, const std::function<void(Dim &)> &edit) {
  edit_all_shapes(graph, [&](std::optional<Shape> &shape) {
    if (shape) std::ranges::for_each(*shape, edit);
  });
}

/// Numbers that were computed from the inputs' are no longer known; symbols stay.
void forget_computed_dims(Graph &graph) {
  edit_computed_shapes(graph, [](std::optional<Shape> &shape) {
    if (!shape) return;
    for (Dim &dim : *shape)
      if (dim.is_known()) dim = Dim::unknown();
  });
}

void replace_symbol(Graph &graph, const std::string &symbol, const Dim &by) {
  edit_all_dims(graph, [&](Dim &dim) {
    if (dim.symbol == symbol) dim = by;
  });
}

bool has_symbol(const Graph &graph, const std::string &symbol) {
  return std::ranges::any_of(graph.inputs(), [&](ValueId id) {
    const auto &shape = graph.value(id).type.shape;
    return shape && std::ranges::find(*shape, symbol, &Dim::symbol) != shape->end();
  });
}

/// What a shape says of the symbols that stood in its place.
Status bind_symbols(const std::string &name, const Shape &was, const Shape &is, std::map<std::string, Dim> &bound) {
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i].symbol.empty() || was[i] == is[i]) continue;
    const auto [entry, fresh] = bound.emplace(was[i].symbol, is[i]);
    if (!fresh && entry->second.is_known() && is[i].is_known() && entry->second != is[i])
      return usage_error(fmt::format("input {}: dimension {} is to be {} and {}", name, was[i].symbol,
                                     entry->second.size, is[i].size));
  }
  return {};
}

/// The first dim of the first input that has one.
const Dim *batch_of(const Graph &graph) {
  for (const ValueId id : graph.inputs()) {
    const auto &shape = graph.value(id).type.shape;
    if (shape && !shape->empty()) return &shape->front();
  }
  return nullptr;
}

bool begins_with(const Type &type, const Dim &dim) {
  return type.shape && !type.shape->empty() && type.shape->front() == dim;
}

/// `Reshape(x, [1, -1])` of an x[batch, ...] meant the batch: its target becomes [0, -1], which is the same where the
/// batch is 1. True if one changed.
bool free_reshapes(Graph &graph, const Dim &batch, std::int64_t old_size) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Reshape") || node.get_int("allowzero", 0) != 0 || node.inputs.size() != 2) continue;
    const Tensor *target = graph.constant(node.inputs[1]);
    if (!target || target->size() < 1 || !begins_with(graph.value(node.inputs[0]).type, batch)) continue;
    std::vector<std::int64_t> dims = to_int64s(*target);
    if (dims[0] != old_size) continue;
    dims[0] = 0;
    const std::string name = graph.value(node.inputs[1]).name;
    const ValueId freed = graph.add_constant(Tensor::of<std::int64_t>(Dims(target->dims), dims), name);
    graph.set_input(id, 1, freed);
    changed = true;
  }
  return changed;
}

/// `Resize(x, , , [1, 8, 26, 26])` of an x[batch, 8, 13, 13] meant the batch: it gets the scales [1, 1, 2, 2] instead,
/// where they give the same size. True if one changed.
bool free_resizes(Graph &graph, const Dim &batch, std::int64_t old_size) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Resize") || node.inputs.size() != 4 || node.attribute("axes") ||
        node.attribute("keep_aspect_ratio_policy"))
      continue;
    const Tensor *sizes = graph.constant(node.inputs[3]);
    const Type &type = graph.value(node.inputs[0]).type;
    if (!sizes || !begins_with(type, batch) || sizes->size() != static_cast<std::int64_t>(type.shape->size())) continue;
    const std::vector<std::int64_t> wanted = to_int64s(*sizes);
    std::vector<float> scales{1};
    for (std::size_t i = 1; i < wanted.size(); ++i) {
      const auto from = static_cast<float>((*type.shape)[i].size);
      scales.push_back(static_cast<float>(wanted[i]) / from);
      if (from < 1 || static_cast<std::int64_t>(from * scales.back()) != wanted[i]) scales.clear();
      if (scales.empty()) break;
    }
    if (scales.empty() || wanted[0] != old_size) continue;
    const auto count = static_cast<std::int64_t>(scales.size());
    const ValueId scale = graph.add_constant(Tensor::of<float>({count}, std::move(scales)));
    graph.drop_input(id, 3);
    graph.set_input(id, 2, scale);
    changed = true;
  }
  return changed;
}

/// A batch without a name becomes the symbol, in inputs and in what is computed from them.
Status name_batch(Graph &graph, const Dim &symbol, const Dim &old, const OpRegistry &ops) {
  for (const ValueId id : graph.inputs()) {
    Type type = graph.value(id).type;
    if (!begins_with(type, old)) continue;
    type.shape->front() = symbol;
    graph.set_type(id, std::move(type));
  }
  for (;;) {
    forget_computed_dims(graph);
    EDGEC_CHECK(
        infer_types(graph, ops).in(fmt::format("the network does not work for another batch than {}", old.size)));
    const bool reshapes = old.is_known() && free_reshapes(graph, symbol, old.size);
    const bool resizes = old.is_known() && free_resizes(graph, symbol, old.size);
    if (!reshapes && !resizes) return {};
  }
}

} // namespace

void forget_declared_shapes(Graph &graph) {
  edit_computed_shapes(graph, [](std::optional<Shape> &shape) { shape.reset(); });
}

Status set_input_shapes(Graph &graph, std::span<const ShapeEdit> edits) {
  std::map<std::string, Dim> bound;
  for (const auto &[name, shape] : edits) {
    const auto input = std::ranges::find_if(graph.inputs(), [&](ValueId id) { return graph.value(id).name == name; });
    if (input == graph.inputs().end()) {
      if (!has_symbol(graph, name) || shape.size() != 1)
        return usage_error(fmt::format("the network has no input{} named {}",
                                       shape.size() == 1 ? " or symbolic dimension" : "", name));
      EDGEC_CHECK(bind_symbols(name, {Dim::named(name)}, shape, bound));
      continue;
    }
    Type type = graph.value(*input).type;
    if (!type.is_tensor()) return usage_error(fmt::format("input {} is not a tensor but {}", name, to_string(type)));
    if (type.shape && type.shape->size() != shape.size())
      return usage_error(fmt::format("input {} is {}: {} dimensions are given", name, to_string(type), shape.size()));
    if (type.shape) EDGEC_CHECK(bind_symbols(name, *type.shape, shape, bound));
    type.shape = shape;
    graph.set_type(*input, std::move(type));
  }
  for (const auto &[symbol, dim] : bound) replace_symbol(graph, symbol, dim);
  forget_computed_dims(graph);
  return {};
}

Status set_batch(Graph &graph, const Dim &batch, const OpRegistry &ops, std::vector<std::string> &notes) {
  const Dim *found = batch_of(graph);
  if (!found) return usage_error("the network has no input with a batch: none has dimensions");
  const Dim old = *found;
  Dim symbol = old.symbol.empty() ? Dim::named("N") : old;
  for (int i = 0; old.symbol.empty() && has_symbol(graph, symbol.symbol); ++i) symbol.symbol = fmt::format("N{}", i);
  if (old.symbol.empty()) EDGEC_CHECK(name_batch(graph, symbol, old, ops));
  for (const GraphOutput &output : graph.outputs()) {
    const auto &shape = graph.value(output.value).type.shape;
    if (shape && std::ranges::find(*shape, symbol) == shape->end() && std::ranges::all_of(*shape, &Dim::is_known))
      notes.push_back(fmt::format("output {} does not depend on the batch: {}", output.name,
                                  to_string(graph.value(output.value).type)));
  }
  const bool keeps_symbol = !batch.is_known() && batch.symbol.empty();
  if (!keeps_symbol) replace_symbol(graph, symbol.symbol, batch);
  forget_computed_dims(graph);
  return infer_types(graph, ops)
      .in(batch.is_known() ? fmt::format("a batch of {}", batch.size) : std::string("a dynamic batch"));
}

} // namespace edgec
