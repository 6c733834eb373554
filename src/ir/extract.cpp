#include "ir/extract.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

namespace edgec {
namespace {

/// Copies what lies between values into a graph of its own.
class Extraction {
public:
  explicit Extraction(const Graph &graph) : graph_(graph) {
    part_.name = graph.name;
    part_.doc = graph.doc;
    part_.opsets = graph.opsets;
    part_.metadata = graph.metadata;
  }

  Result<Graph> run(std::span<const ValueId> inputs, std::span<const GraphOutput> outputs) {
    for (const ValueId id : inputs) EDGEC_CHECK(add_input(id));
    for (const GraphOutput &output : outputs) EDGEC_CHECK(need(output.value, inputs.empty(), output.name));
    for (const ValueId id : inputs)
      if (!needed_.contains(id))
        return usage_error(fmt::format("none of the outputs asked for depends on {}", graph_.value(id).name));
    for (const ValueId id : graph_.inputs())
      if (inputs.empty() && needed_.contains(id)) EDGEC_CHECK(add_input(id));
    for (const NodeId id : graph_.nodes())
      if (nodes_.contains(id)) add_node(id);
    for (const GraphOutput &output : outputs) part_.add_output(copied(output.value), output.name);
    return std::move(part_);
  }

private:
  const Graph &graph_;
  Graph part_;
  std::unordered_map<ValueId, ValueId> copies_;
  std::unordered_set<ValueId> needed_;
  std::unordered_set<NodeId> nodes_;

  Status add_input(ValueId id) {
    const Value &value = graph_.value(id);
    if (graph_.constant(id)) return usage_error(fmt::format("{} is a constant: it cannot become an input", value.name));
    if (!copies_.emplace(id, ValueId{}).second) return usage_error(fmt::format("{} is named twice", value.name));
    copies_[id] = part_.add_input(value.name, value.type);
    part_.set_metadata(copies_[id], value.metadata, value.doc);
    return {};
  }

  /// Everything that a value depends on, up to the inputs chosen.
  Status need(ValueId wanted, bool any_input, const std::string &output) {
    std::vector<ValueId> open{wanted};
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (!id.valid() || !needed_.insert(id).second || copies_.contains(id)) continue;
      const Value &value = graph_.value(id);
      if (graph_.is_input(id) && !any_input)
        return usage_error(fmt::format("output {} also depends on the input {}: name it, too", output, value.name));
      if (!value.producer.valid() || !nodes_.insert(value.producer).second) continue;
      const Node &node = graph_.node(value.producer);
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
      open.insert(open.end(), node.captures.begin(), node.captures.end());
    }
    return {};
  }

  ValueId copied(ValueId id) {
    if (!id.valid()) return {};
    const auto found = copies_.find(id);
    if (found != copies_.end()) return found->second;
    const Value &value = graph_.value(id);
    const ValueId made = value.data ? part_.add_constant(*value.data, value.name, value.type.quant)
                                    : part_.add_value(value.type, value.name);
    part_.set_metadata(made, value.metadata, value.doc);
    return copies_.emplace(id, made).first->second;
  }

  void add_node(NodeId id) {
    Node node = graph_.node(id);
    for (ValueId &operand : node.inputs) operand = copied(operand);
    for (ValueId &capture : node.captures) capture = copied(capture);
    for (ValueId &output : node.outputs) {
      if (!output.valid()) continue;
      // Of a node with several outputs one may have become an input: nobody reads what the node computes of it.
      const bool given = copies_.contains(output);
      output = given ? part_.add_value(graph_.value(output).type) : copied(output);
    }
    part_.add_node(std::move(node));
  }
};

} // namespace

Result<Graph> extract(const Graph &graph, std::span<const ValueId> inputs, std::span<const ValueId> outputs) {
  std::vector<GraphOutput> wanted;
  for (const ValueId id : outputs) {
    const auto named = std::ranges::find(graph.outputs(), id, &GraphOutput::value);
    wanted.push_back({id, named == graph.outputs().end() ? graph.value(id).name : named->name});
  }
  if (outputs.empty()) wanted = graph.outputs();
  return Extraction(graph).run(inputs, wanted);
}

} // namespace edgec
