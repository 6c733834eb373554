// Joins operators that cut and put together:
//
//     a = Slice(x, axis 0)  y = Slice(a, axis 1)               becomes      y = Slice(x, axes 0 and 1)
//     a = Concat(u, v)  y = Concat(a, w)                       becomes      y = Concat(u, v, w)
//     a, b = Split(x)  y = Concat(a, b)                        becomes      x
//     y = Concat(Slice(x, 0:2), Slice(x, 2:end))               becomes      x
//
// Bounds must be constant; the same axis twice stays. Nothing else may read the value between two that become one;
// pieces that are put together again must be all there is, in their order, along the axis of the Concat.
#include <algorithm>
#include <limits>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "merge-slices";

using Ints = std::vector<std::int64_t>;

struct Cut {
  Ints starts, ends, axes, steps;
};

/// What a Slice with operands (opset 10) cuts; nothing where that is not constant.
std::optional<Cut> cut(const Graph &graph, const Node &node) {
  const auto rank =
      node.inputs.size() >= 3 && node.inputs[0].valid() ? graph.value(node.inputs[0]).type.rank() : std::nullopt;
  if (!node.is("Slice") || !rank) return std::nullopt;
  const auto starts = integers(graph, node.inputs[1]), ends = integers(graph, node.inputs[2]);
  if (!starts || !ends || starts->size() != ends->size()) return std::nullopt;
  Cut found{*starts, *ends, {}, Ints(starts->size(), 1)};
  for (std::size_t i = 0; i < starts->size(); ++i) found.axes.push_back(static_cast<std::int64_t>(i));
  for (const auto &[index, list] : {std::pair(3U, &found.axes), std::pair(4U, &found.steps)}) {
    if (!node.input(index).valid()) continue;
    const auto given = integers(graph, node.inputs[index]);
    if (!given || given->size() != starts->size()) return std::nullopt;
    *list = *given;
  }
  for (std::int64_t &axis : found.axes) axis += axis < 0 ? *rank : 0;
  return found;
}

/// Two Slices along different axes.
bool join_slices(Graph &graph, NodeId id, const PassContext &context) {
  const auto outer = cut(graph, graph.node(id));
  const NodeId first = outer ? graph.value(graph.node(id).inputs[0]).producer : NodeId{};
  if (!first.valid() || graph.sole_user(graph.node(id).inputs[0]) != id) return false;
  auto joined = cut(graph, graph.node(first));
  if (!joined || graph.value(graph.node(id).inputs[0]).type.quant != graph.value(graph.node(id).outputs[0]).type.quant)
    return false;
  for (const std::int64_t axis : outer->axes)
    if (std::ranges::find(joined->axes, axis) != joined->axes.end()) return false;
  const auto append = [](Ints &to, const Ints &from) { to.insert(to.end(), from.begin(), from.end()); };
  append(joined->starts, outer->starts);
  append(joined->ends, outer->ends);
  append(joined->axes, outer->axes);
  append(joined->steps, outer->steps);
  context.say(pass, graph.node(id).label(), "joined with " + graph.node(first).label());
  const auto count = static_cast<std::int64_t>(joined->axes.size());
  const Ints *lists[] = {&joined->starts, &joined->ends, &joined->axes, &joined->steps};
  for (std::size_t i = 0; i < 4; ++i)
    graph.set_input(first, i + 1, graph.add_constant(Tensor::of<std::int64_t>({count}, *lists[i])));
  absorb(graph, first, id);
  return true;
}

std::int64_t axis_of(const Graph &graph, const Node &concat) {
  const auto rank = graph.value(concat.outputs[0]).type.rank();
  const std::int64_t axis = concat.get_int("axis", 1); // as before opset 4
  return axis < 0 && rank ? axis + *rank : axis;
}

/// A Concat that another one of the same axis alone reads.
bool join_concats(Graph &graph, NodeId id, const PassContext &context) {
  for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i) {
    const ValueId middle = graph.node(id).inputs[i];
    const NodeId first = graph.value(middle).producer;
    if (!first.valid() || !graph.node(first).is("Concat") || graph.sole_user(middle) != id) continue;
    if (axis_of(graph, graph.node(first)) != axis_of(graph, graph.node(id)) || axis_of(graph, graph.node(id)) < 0)
      continue;
    if (graph.value(middle).type.quant || graph.value(graph.node(id).outputs[0]).type.quant) continue;
    context.say(pass, graph.node(id).label(), "joined with " + graph.node(first).label());
    std::vector<ValueId> operands = graph.node(id).inputs;
    const std::vector<ValueId> parts = graph.node(first).inputs;
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(i));
    operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(i), parts.begin(), parts.end());
    graph.add_origins(id, std::vector(graph.node(first).origins));
    for (std::size_t k = 0; k < operands.size(); ++k) graph.set_input(id, k, operands[k]);
    graph.remove(first);
    return true;
  }
  return false;
}

/// All outputs of a Split, in order, along its axis: what was split.
ValueId split_whole(const Graph &graph, const Node &concat) {
  const Node *split = graph.producer(concat.inputs[0]);
  if (!split || !split->is("Split") || split->outputs != concat.inputs) return {};
  const auto rank = graph.value(split->inputs[0]).type.rank();
  std::int64_t axis = split->get_int("axis", 0);
  if (axis < 0 && rank) axis += *rank;
  return rank && axis == axis_of(graph, concat) ? split->inputs[0] : ValueId{};
}

/// Slices of one value that go on where the one before ended, from its beginning to its end.
ValueId sliced_whole(const Graph &graph, const Node &concat) {
  const std::int64_t axis = axis_of(graph, concat);
  ValueId whole;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < concat.inputs.size(); ++i) {
    const Node *slice = graph.producer(concat.inputs[i]);
    const auto part = slice ? cut(graph, *slice) : std::nullopt;
    if (!part || part->axes != Ints{axis} || part->steps != Ints{1} || part->starts != Ints{at}) return {};
    if (i == 0) whole = slice->inputs[0];
    const auto &shape = graph.value(whole).type.shape;
    if (slice->inputs[0] != whole || !shape || axis >= static_cast<std::int64_t>(shape->size())) return {};
    const Dim &size = shape->at(static_cast<std::size_t>(axis));
    const bool last = i + 1 == concat.inputs.size();
    const std::int64_t end = part->ends[0];
    constexpr std::int64_t all = std::numeric_limits<std::int32_t>::max();
    if (last) return end >= all || (size.is_known() && end >= size.size) ? whole : ValueId{};
    if (end < at || !size.is_known() || end > size.size) return {};
    at = end;
  }
  return {};
}

bool put_together(Graph &graph, NodeId id, const PassContext &context) {
  const Node &concat = graph.node(id);
  if (concat.inputs.size() < 2) return false;
  ValueId whole = split_whole(graph, concat);
  if (!whole.valid()) whole = sliced_whole(graph, concat);
  if (!whole.valid() || !can_replace(graph, concat.outputs[0], whole)) return false;
  context.say(pass, concat.label(), "removed: it puts together what was cut");
  graph.replace_uses(concat.outputs[0], whole);
  graph.remove(id);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id)) continue;
    if (graph.node(id).is("Slice")) {
      changed = join_slices(graph, id, context) || changed;
    } else if (graph.node(id).is("Concat")) {
      if (put_together(graph, id, context))
        changed = true;
      else
        while (join_concats(graph, id, context)) changed = true;
    }
  }
  return changed;
}

} // namespace

extern const PassDef merge_slices;
const PassDef merge_slices{"merge-slices",
                           "Join Slices, join Concats, and leave whole what is cut and put together again", run};

} // namespace edgec::passes
