#include "runtime/parts.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "ir/extract.h"
#include "runtime/plan.h"
#include "support/file.h"

namespace edgec {
namespace {

/// Constants that a node reads, those of its sub-graphs included.
std::size_t weight_bytes(const Graph &graph, const Node &node) {
  std::size_t bytes = 0;
  for (const ValueId id : node.inputs)
    if (const Tensor *data = graph.constant(id)) bytes += data->data.size();
  for (const Attribute &attribute : node.attributes) {
    if (const auto *one = std::get_if<SubGraph>(&attribute.value)) bytes += constant_bytes(**one);
    if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value))
      for (const SubGraph &body : *many) bytes += constant_bytes(*body);
  }
  return bytes;
}

struct Part {
  std::vector<NodeId> nodes;
  std::size_t bytes = 0;
};

std::vector<Part> split(const Graph &graph, std::size_t limit) {
  std::vector<Part> parts(1);
  for (const NodeId id : graph.nodes()) {
    const std::size_t bytes = weight_bytes(graph, graph.node(id));
    if (parts.back().bytes + bytes > limit && !parts.back().nodes.empty()) parts.emplace_back();
    parts.back().nodes.push_back(id);
    parts.back().bytes += bytes;
  }
  return parts;
}

class PartRun {
public:
  PartRun(const Graph &graph, const OpRegistry &ops, std::span<const ValueId> fetches, const PartOptions &options)
      : graph_(graph), ops_(ops), fetches_(fetches), options_(options), parts_(split(graph, options.weight_bytes)) {
    for (std::size_t i = 0; i < parts_.size(); ++i)
      for (const NodeId id : parts_[i].nodes) for_each_operand(id, [&](ValueId operand) { last_use_[operand] = i; });
    for (const ValueId id : fetches) last_use_[id] = parts_.size();
  }

  Result<std::vector<RuntimeValue>> run(std::span<const RuntimeValue> feeds) {
    if (feeds.size() != graph_.inputs().size())
      return bad_input(fmt::format("{} inputs were expected, {} were given", graph_.inputs().size(), feeds.size()));
    for (std::size_t i = 0; i < feeds.size(); ++i) live_[graph_.inputs()[i]] = feeds[i];
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      EDGEC_CHECK(run_part(i));
      std::erase_if(live_, [&](const auto &entry) { return last_use_[entry.first] <= i; });
    }
    std::vector<RuntimeValue> results;
    for (const ValueId id : fetches_)
      results.push_back(graph_.constant(id) ? RuntimeValue(*graph_.constant(id)) : live_[id]);
    return results;
  }

private:
  const Graph &graph_;
  const OpRegistry &ops_;
  std::span<const ValueId> fetches_;
  const PartOptions &options_;
  std::vector<Part> parts_;
  std::unordered_map<ValueId, std::size_t> last_use_; // the last part that reads it
  std::unordered_map<ValueId, RuntimeValue> live_;

  template <class F>
  void for_each_operand(NodeId id, F f) const {
    const Node &node = graph_.node(id);
    for (const auto *list : {&node.inputs, &node.captures})
      for (const ValueId operand : *list)
        if (operand.valid() && !graph_.constant(operand)) f(operand);
  }

  Status run_part(std::size_t index) {
    // Backwards: which nodes matter to later parts, and what they read from earlier ones.
    std::unordered_set<ValueId> wanted;
    std::vector<ValueId> outputs, inputs;
    const auto &nodes = parts_[index].nodes;
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      bool needed = false;
      for (const ValueId out : graph_.node(*node).outputs) {
        if (!out.valid()) continue;
        const auto last = last_use_.find(out);
        const bool later = last != last_use_.end() && last->second > index;
        if (later) outputs.push_back(out);
        needed |= later || wanted.contains(out);
      }
      if (needed) for_each_operand(*node, [&](ValueId operand) { wanted.insert(operand); });
    }
    if (outputs.empty()) return {};
    for (const auto &[id, value] : live_)
      if (wanted.contains(id)) inputs.push_back(id);
    std::ranges::sort(inputs);
    EDGEC_ASSIGN(const Graph part, extract(graph_, inputs, outputs));
    EDGEC_ASSIGN(auto results, run_graph(part, inputs, parts_[index].bytes > options_.weight_bytes));
    for (std::size_t i = 0; i < outputs.size(); ++i) live_[outputs[i]] = std::move(results[i]);
    for (const ValueId id : part.values())
      if (const Tensor *data = part.constant(id)) release_pages(data->data);
    return {};
  }

  Result<std::vector<RuntimeValue>> run_graph(const Graph &part, std::span<const ValueId> inputs, bool reference) {
    std::vector<RuntimeValue> feeds;
    for (const ValueId id : inputs) feeds.push_back(live_[id]);
    PlanOptions plan_options;
    plan_options.isa = options_.isa;
    plan_options.reference = reference; // packs nothing
    Runner runner(part, ops_, plan_options);
    std::vector<Type> types;
    for (const RuntimeValue &feed : feeds)
      if (feed.tensor) types.push_back(Type::of(*feed.tensor));
    std::size_t bytes = 0;
    if (types.size() == feeds.size()) {
      EDGEC_ASSIGN(const auto plan, runner.plan(types));
      bytes = plan->arena_bytes() + plan->scratch_bytes();
    }
    if (options_.most_bytes > 0 && bytes > options_.most_bytes)
      return resource_error(
          fmt::format("its results take {} bytes, {} are allowed (--max-memory)", bytes, options_.most_bytes));
    return runner.run(feeds);
  }
};

} // namespace

Result<std::vector<RuntimeValue>> run_in_parts(const Graph &graph, const OpRegistry &ops,
                                               std::span<const RuntimeValue> feeds, std::span<const ValueId> fetches,
                                               const PartOptions &options) {
  return PartRun(graph, ops, fetches, options).run(feeds);
}

std::size_t constant_bytes(const Graph &graph) {
  std::size_t bytes = 0;
  for (const ValueId id : graph.values())
    if (const Tensor *data = graph.constant(id)) bytes += data->data.size();
  for (const NodeId id : graph.nodes())
    if (!graph.node(id).captures.empty() || !graph.node(id).attributes.empty())
      for (const Attribute &attribute : graph.node(id).attributes)
        if (const auto *body = std::get_if<SubGraph>(&attribute.value)) bytes += constant_bytes(**body);
  return bytes;
}

} // namespace edgec
