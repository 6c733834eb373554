// Merges nodes that compute the same from the same operands, and constants that hold the same:
//
//     a = Relu(x)  b = Relu(x)  y = Add(a, b)      becomes      a = Relu(x)  y = Add(a, a)
//
// Not nodes that are random, opaque or hold sub-graphs; not where two graph outputs would become one value. Constants
// are the same only with the same quantization.
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <unordered_map>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "eliminate-duplicates";

bool same_value(const AttributeValue &a, const AttributeValue &b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&]<class T>(const T &item) {
        const T &other = *std::get_if<T>(&b);
        if constexpr (std::is_same_v<T, Tensor>)
          return identical(item, other);
        else if constexpr (std::is_same_v<T, std::vector<Tensor>>)
          return std::ranges::equal(item, other, identical);
        else
          return item == other; // graphs: the same object
      },
      a);
}

bool same_attributes(const Node &a, const Node &b) {
  return a.attributes.size() == b.attributes.size() && std::ranges::all_of(a.attributes, [&](const Attribute &mine) {
           const Attribute *other = b.attribute(mine.name);
           return other && same_value(mine.value, other->value);
         });
}

std::string key(const Node &node) {
  std::string text = fmt::format("{}\n{}\n{}\n{}", node.domain, node.op, node.overload, node.outputs.size());
  for (const ValueId id : node.inputs) text += fmt::format(" {}", id.index);
  return text;
}

/// True where every output of `gone` that is read can be `kept`'s.
bool can_merge(const Graph &graph, const Node &kept, const Node &gone) {
  for (std::size_t i = 0; i < gone.outputs.size(); ++i) {
    const ValueId from = gone.outputs[i], to = kept.outputs[i];
    if (from.valid() && graph.use_count(from) > 0 && !can_replace(graph, from, to)) return false;
  }
  return true;
}

bool merge_nodes(Graph &graph, const PassContext &context) {
  bool changed = false;
  std::unordered_map<std::string, std::vector<NodeId>> seen;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = context.ops.find(node);
    if (!op || !op->deterministic || !node.captures.empty()) continue;
    auto &alike = seen[key(node)];
    const auto fits = [&](NodeId other) {
      return same_attributes(node, graph.node(other)) && can_merge(graph, graph.node(other), node);
    };
    const auto found = std::ranges::find_if(alike, fits);
    if (found == alike.end()) {
      alike.push_back(id);
      continue;
    }
    context.say(pass, node.label(), "computes the same as " + graph.node(*found).label());
    const std::vector<ValueId> gone = node.outputs;
    graph.add_origins(*found, std::vector(node.origins));
    for (std::size_t i = 0; i < gone.size(); ++i)
      if (gone[i].valid() && graph.use_count(gone[i]) > 0) graph.replace_uses(gone[i], graph.node(*found).outputs[i]);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

std::size_t hash(const Tensor &tensor) {
  const ByteView bytes = tensor.data.bytes();
  const std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  return std::hash<std::string_view>{}(text) ^ static_cast<std::size_t>(tensor.dtype);
}

bool merge_constants(Graph &graph, const PassContext &context) {
  bool changed = false;
  std::unordered_map<std::size_t, std::vector<ValueId>> seen;
  for (const ValueId id : graph.values()) {
    const Tensor *data = graph.constant(id);
    if (!data || graph.use_count(id) == 0) continue;
    auto &alike = seen[hash(*data)];
    const auto fits = [&](ValueId other) {
      return identical(*data, *graph.constant(other)) && can_replace(graph, id, other);
    };
    const auto found = std::ranges::find_if(alike, fits);
    if (found == alike.end()) {
      alike.push_back(id);
      continue;
    }
    const std::string &name = graph.value(*found).name;
    context.say(pass, graph.value(id).name, "holds the same as " + (name.empty() ? "another constant" : name));
    graph.replace_uses(id, *found);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  const bool constants = merge_constants(graph, context); // first: nodes with equal constants become equal
  return merge_nodes(graph, context) || constants;
}

} // namespace

extern const PassDef eliminate_duplicates;
const PassDef eliminate_duplicates{"eliminate-duplicates", "Merge equal nodes and equal constants", run};

} // namespace edgec::passes
