// Takes outputs that nothing reads from If, Loop and Scan, and out of their sub-graphs, so that what computes them
// there can go as well:
//
//     a, b = If(c) <then_branch = ... => (u, v), else_branch = ... => (w, z)>      where nothing reads b
//     becomes      a = If(c) <then_branch = ... => (u), else_branch = ... => (w)>
//
//     a, b, c = Loop(n, go, x, z) <body = (i, g, p, q) => (h, p1, q1, r)>          where nothing reads b or c, and
//     becomes   a = Loop(n, go, x) <body = (i, g, p) => (h, p1)>                   neither h nor p1 is made of q
//
// Values that go round in a Loop or a Scan stay while something that stays is made of them. Not the last output that
// is left; not in Scan before opset 9, which counts its operands otherwise.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"
#include "passes/rewriting/splice.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "eliminate-dead-outputs";
using Places = std::vector<std::size_t>; // ascending

/// The graph with only these of its inputs and outputs, without what is dead then.
SubGraph with_only(const Graph &body, const Places &inputs, const Places &outputs) {
  auto fresh = std::make_shared<Graph>();
  fresh->name = body.name;
  fresh->doc = body.doc;
  fresh->opsets = body.opsets;
  fresh->metadata = body.metadata;
  std::vector<ValueId> operands, captures;
  for (const ValueId id : body.inputs()) operands.push_back(fresh->add_input(body.value(id).name, body.value(id).type));
  for (const ValueId id : body.captures())
    captures.push_back(fresh->add_capture(body.value(id).name, body.value(id).type));
  const std::vector<ValueId> results = splice(*fresh, body, operands, captures, {});
  for (const std::size_t i : outputs) fresh->add_output(results[i], body.outputs()[i].name);
  if (inputs.size() < operands.size()) fresh->remove_dead(); // what reads the inputs that go
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (!std::ranges::binary_search(inputs, i)) fresh->remove(operands[i]);
  return fresh;
}

/// Replaces a node by one with other sub-graphs and only these of its outputs.
void rebuild(Graph &graph, NodeId id, Node made, const Places &kept) {
  const std::vector<ValueId> outputs = made.outputs;
  made.outputs.clear();
  for (const std::size_t i : kept) {
    made.outputs.emplace_back();
    if (i >= outputs.size() || !outputs[i].valid()) continue; // goes round unread
    const Value &was = graph.value(outputs[i]);
    made.outputs.back() = graph.add_value(Type(was.type), std::string(was.name));
  }
  while (!made.outputs.back().valid()) made.outputs.pop_back();
  const std::vector<ValueId> fresh = made.outputs;
  graph.add_node(std::move(made), id);
  for (std::size_t i = 0; i < fresh.size(); ++i)
    if (fresh[i].valid()) graph.replace_uses(outputs[kept[i]], fresh[i]);
  graph.remove(id);
}

Places read_outputs(const Graph &graph, const Node &node) {
  Places read;
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i].valid() && graph.use_count(node.outputs[i]) > 0) read.push_back(i);
  return read;
}

// ---- If

/// Both branches are graphs without inputs and have the node's outputs.
bool is_regular(const Node &node) {
  return std::ranges::all_of(node.attributes, [&](const Attribute &attribute) {
    const auto *branch = std::get_if<SubGraph>(&attribute.value);
    return branch && (*branch)->inputs().empty() && (*branch)->outputs().size() == node.outputs.size();
  });
}

bool reduce_if(Graph &graph, NodeId id) {
  Node node = graph.node(id);
  const Places kept = read_outputs(graph, node);
  if (!is_regular(node) || kept.empty() || kept.size() == node.outputs.size()) return false;
  for (Attribute &attribute : node.attributes)
    attribute.value = with_only(**std::get_if<SubGraph>(&attribute.value), {}, kept);
  rebuild(graph, id, std::move(node), kept);
  return true;
}

// ---- Loop and Scan

/// What goes round: operands and inputs of the body from `first`, results of the body from `results`, outputs from 0.
struct Round {
  std::size_t first = 0, results = 0, count = 0;
};

std::optional<Round> round_of(const Graph &graph, const Node &node) {
  const auto *body = node.get<SubGraph>("body");
  if (!body) return std::nullopt;
  Round round;
  if (node.is("Loop")) {
    round = {2, 1, std::max<std::size_t>(node.inputs.size(), 2) - 2};
  } else {
    const auto scans = static_cast<std::size_t>(std::max<std::int64_t>(node.get_int("num_scan_inputs", 0), 0));
    if (!node.is("Scan") || graph.opset() < 9 || scans > node.inputs.size()) return std::nullopt;
    round.count = node.inputs.size() - scans;
  }
  const bool regular = (*body)->inputs().size() == std::max(node.inputs.size(), round.first) &&
                       (*body)->outputs().size() >= round.results + round.count &&
                       node.outputs.size() + round.results <= (*body)->outputs().size();
  return regular ? std::optional(round) : std::nullopt;
}

/// Marks what a value is made of.
void mark(const Graph &graph, ValueId value, std::vector<char> &marked) {
  std::vector<ValueId> pending{value};
  while (!pending.empty()) {
    const ValueId next = pending.back();
    pending.pop_back();
    if (!next.valid() || marked[next.index]) continue;
    marked[next.index] = 1;
    const Node *node = graph.producer(next);
    if (!node) continue;
    pending.insert(pending.end(), node->inputs.begin(), node->inputs.end());
    pending.insert(pending.end(), node->captures.begin(), node->captures.end());
  }
}

/// Outputs of the node that are read or of which something goes round that one that stays is made of.
Places living(const Graph &body, const Round &round, const Places &read) {
  std::vector<char> marked(body.value_bound(), 0);
  std::vector<char> stays(body.outputs().size() - round.results, 0);
  for (const std::size_t i : read) stays[i] = 1;
  for (std::size_t i = 0; i < round.results; ++i) mark(body, body.outputs()[i].value, marked);
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t i = 0; i < stays.size(); ++i)
      if (stays[i]) mark(body, body.outputs()[round.results + i].value, marked);
    for (std::size_t i = 0; i < round.count; ++i) {
      if (stays[i] || !marked[body.inputs()[round.first + i].index]) continue;
      stays[i] = 1;
      grown = true;
    }
  }
  Places kept;
  for (std::size_t i = 0; i < stays.size(); ++i)
    if (stays[i]) kept.push_back(i);
  return kept;
}

/// A list attribute of Scan with an entry for each scanned output.
void shorten(Node &node, std::string_view name, const Round &round, const Places &kept) {
  const auto attribute = std::ranges::find(node.attributes, name, &Attribute::name);
  const auto old = node.get_ints(name);
  if (attribute == node.attributes.end() || old.empty()) return;
  std::vector<std::int64_t> list;
  for (const std::size_t i : kept)
    if (i >= round.count && i - round.count < old.size()) list.push_back(old[i - round.count]);
  if (list.empty())
    node.attributes.erase(attribute);
  else
    attribute->value = std::move(list);
}

bool reduce_round(Graph &graph, NodeId id) {
  Node node = graph.node(id);
  const auto round = round_of(graph, node);
  const Places read = read_outputs(graph, node);
  if (!round || read.empty()) return false;
  const Graph &body = **node.get<SubGraph>("body");
  const Places kept = living(body, *round, read);
  if (kept.size() + round->results == body.outputs().size()) return false;
  Places inputs, results;
  std::vector<ValueId> operands;
  for (std::size_t i = 0; i < body.inputs().size(); ++i) {
    const bool goes_round = i >= round->first && i < round->first + round->count;
    if (goes_round && !std::ranges::binary_search(kept, i - round->first)) continue;
    inputs.push_back(i);
    if (i < node.inputs.size()) operands.push_back(node.inputs[i]);
  }
  for (std::size_t i = 0; i < round->results; ++i) results.push_back(i);
  for (const std::size_t i : kept) results.push_back(round->results + i);
  const auto attribute = std::ranges::find(node.attributes, "body", &Attribute::name);
  attribute->value = with_only(body, inputs, results);
  shorten(node, "scan_output_axes", *round, kept);
  shorten(node, "scan_output_directions", *round, kept);
  node.inputs = operands;
  rebuild(graph, id, std::move(node), kept);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const std::string label = graph.node(id).label();
    if (graph.node(id).is("If") ? !reduce_if(graph, id) : !reduce_round(graph, id)) continue;
    context.say(pass, label, "outputs that nothing reads removed");
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_dead_outputs;
const PassDef eliminate_dead_outputs{
    "eliminate-dead-outputs", "Remove outputs of If, Loop and Scan that nothing reads from their sub-graphs", run};

} // namespace edgec::passes
