#include "ir/graph.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>

namespace edgec {

const Attribute *Node::attribute(std::string_view wanted) const {
  for (const Attribute &attribute : attributes)
    if (attribute.name == wanted) return &attribute;
  return nullptr;
}

std::int64_t Node::get_int(std::string_view wanted, std::int64_t otherwise) const {
  const auto *found = get<std::int64_t>(wanted);
  return found ? *found : otherwise;
}

float Node::get_float(std::string_view wanted, float otherwise) const {
  const auto *found = get<float>(wanted);
  return found ? *found : otherwise;
}

std::string Node::get_string(std::string_view wanted, std::string_view otherwise) const {
  const auto *found = get<std::string>(wanted);
  return found ? *found : std::string(otherwise);
}

std::vector<std::int64_t> Node::get_ints(std::string_view wanted) const {
  const auto *found = get<std::vector<std::int64_t>>(wanted);
  return found ? *found : std::vector<std::int64_t>{};
}

std::string Node::label() const {
  if (!origins.empty()) return origins.front();
  if (!name.empty()) return name;
  return fmt::format("{}#{}", op, outputs.empty() ? 0U : outputs.front().index);
}

const Node &Graph::node(NodeId id) const {
  assert(alive(id));
  return nodes_[id.index];
}

const Value &Graph::value(ValueId id) const {
  assert(alive(id));
  return values_[id.index];
}

bool Graph::alive(NodeId id) const { return id.index < nodes_.size() && node_alive_[id.index] != 0; }
bool Graph::alive(ValueId id) const { return id.index < values_.size() && value_alive_[id.index] != 0; }

std::vector<NodeId> Graph::nodes() const {
  std::vector<NodeId> found;
  found.reserve(order_.size());
  std::ranges::copy_if(order_, std::back_inserter(found), [&](NodeId id) { return alive(id); });
  return found;
}

std::size_t Graph::node_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(node_alive_, [](char a) { return a != 0; }));
}

std::vector<ValueId> Graph::values() const {
  std::vector<ValueId> found;
  for (std::uint32_t i = 0; i < values_.size(); ++i)
    if (value_alive_[i] != 0) found.push_back({i});
  return found;
}

bool Graph::is_input(ValueId id) const { return std::ranges::find(inputs_, id) != inputs_.end(); }

bool Graph::is_output(ValueId id) const {
  return std::ranges::any_of(outputs_, [&](const GraphOutput &out) { return out.value == id; });
}

const Tensor *Graph::constant(ValueId id) const {
  if (!alive(id) || !values_[id.index].data) return nullptr;
  return &*values_[id.index].data;
}

const Node *Graph::producer(ValueId id) const {
  if (!alive(id) || !values_[id.index].producer.valid()) return nullptr;
  return &nodes_[values_[id.index].producer.index];
}

std::size_t Graph::use_count(ValueId id) const {
  const auto reads = std::ranges::count_if(outputs_, [&](const GraphOutput &out) { return out.value == id; });
  return value(id).uses.size() + static_cast<std::size_t>(reads);
}

NodeId Graph::sole_user(ValueId id) const {
  return use_count(id) == 1 && value(id).uses.size() == 1 ? value(id).uses.front().node : NodeId{};
}

std::int64_t Graph::opset(std::string_view domain) const {
  const auto found = opsets.find(std::string(domain));
  return found == opsets.end() ? 0 : found->second;
}

ValueId Graph::add_value(Type type, std::string value_name) {
  Value made;
  made.name = std::move(value_name);
  made.type = std::move(type);
  values_.push_back(std::move(made));
  value_alive_.push_back(1);
  return {static_cast<std::uint32_t>(values_.size() - 1)};
}

ValueId Graph::add_input(std::string value_name, Type type) {
  inputs_.push_back(add_value(std::move(type), std::move(value_name)));
  return inputs_.back();
}

ValueId Graph::add_capture(std::string value_name, Type type) {
  captures_.push_back(add_value(std::move(type), std::move(value_name)));
  return captures_.back();
}

ValueId Graph::add_constant(Tensor data, std::string value_name, std::optional<Quant> quant) {
  Type type = Type::of(data);
  type.quant = std::move(quant);
  const ValueId id = add_value(std::move(type), std::move(value_name));
  values_[id.index].data = std::move(data);
  return id;
}

void Graph::add_output(ValueId id, std::string output_name) {
  assert(alive(id));
  outputs_.push_back({id, std::move(output_name)});
}

void Graph::add_use(ValueId id, Use use) {
  if (!id.valid()) return;
  assert(alive(id));
  values_[id.index].uses.push_back(use);
}

void Graph::drop_use(ValueId id, Use use) {
  if (!id.valid()) return;
  auto &uses = values_[id.index].uses;
  const auto found = std::ranges::find(uses, use);
  assert(found != uses.end());
  uses.erase(found);
}

void Graph::link(NodeId id) {
  const Node &made = nodes_[id.index];
  std::uint32_t index = 0;
  for (const ValueId input : made.inputs) add_use(input, {id, index++});
  for (const ValueId capture : made.captures) add_use(capture, {id, index++});
}

void Graph::unlink(NodeId id) {
  const Node &gone = nodes_[id.index];
  std::uint32_t index = 0;
  for (const ValueId input : gone.inputs) drop_use(input, {id, index++});
  for (const ValueId capture : gone.captures) drop_use(capture, {id, index++});
}

NodeId Graph::add_node(Node made, NodeId before) {
  const NodeId id{static_cast<std::uint32_t>(nodes_.size())};
  for (std::uint32_t i = 0; i < made.outputs.size(); ++i) {
    if (!made.outputs[i].valid()) continue;
    Value &out = values_[made.outputs[i].index];
    assert(!out.producer.valid() && !out.data);
    out.producer = id;
    out.output = i;
  }
  nodes_.push_back(std::move(made));
  node_alive_.push_back(1);
  const auto place = before.valid() ? std::ranges::find(order_, before) : order_.end();
  order_.insert(place, id);
  link(id);
  return id;
}

ValueId Graph::add_op(Node made, Type type, NodeId before) {
  const ValueId out = add_value(std::move(type));
  made.outputs = {out};
  add_node(std::move(made), before);
  return out;
}

void Graph::set_type(ValueId id, Type type) {
  assert(alive(id));
  values_[id.index].type = std::move(type);
}

void Graph::set_name(ValueId id, std::string value_name) {
  assert(alive(id));
  values_[id.index].name = std::move(value_name);
}

void Graph::set_data(ValueId id, Tensor data, std::optional<Quant> quant) {
  assert(alive(id) && !values_[id.index].producer.valid());
  Value &constant = values_[id.index];
  constant.type = Type::of(data);
  constant.type.quant = std::move(quant);
  constant.data = std::move(data);
}

void Graph::set_metadata(ValueId id, Metadata pairs, std::string text) {
  values_[id.index].metadata = std::move(pairs);
  values_[id.index].doc = std::move(text);
}

void Graph::set_input(NodeId id, std::size_t index, ValueId input) {
  assert(alive(id));
  unlink(id); // captures' indices count on from the inputs, so a longer list moves them
  auto &inputs = nodes_[id.index].inputs;
  if (index >= inputs.size()) inputs.resize(index + 1);
  inputs[index] = input;
  link(id);
}

void Graph::drop_input(NodeId id, std::size_t count) {
  assert(alive(id));
  unlink(id);
  auto &inputs = nodes_[id.index].inputs;
  if (inputs.size() > count) inputs.resize(count);
  link(id);
}

void Graph::set_capture(NodeId id, std::size_t index, ValueId capture) {
  unlink(id);
  nodes_[id.index].captures.at(index) = capture;
  link(id);
}

void Graph::set_attribute(NodeId id, std::string_view attribute, AttributeValue content) {
  assert(alive(id));
  for (Attribute &present : nodes_[id.index].attributes)
    if (present.name == attribute) {
      present.value = std::move(content);
      return;
    }
  nodes_[id.index].attributes.push_back({std::string(attribute), std::move(content)});
}

void Graph::remove_attribute(NodeId id, std::string_view attribute) {
  std::erase_if(nodes_[id.index].attributes, [&](const Attribute &a) { return a.name == attribute; });
}

void Graph::set_op(NodeId id, std::string op, std::string domain) {
  assert(alive(id));
  nodes_[id.index].op = std::move(op);
  nodes_[id.index].domain = std::move(domain);
}

void Graph::set_node_name(NodeId id, std::string node_name) { nodes_[id.index].name = std::move(node_name); }

void Graph::add_origins(NodeId id, std::span<const std::string> origins) {
  auto &present = nodes_[id.index].origins;
  for (const std::string &origin : origins)
    if (std::ranges::find(present, origin) == present.end()) present.push_back(origin);
}

void Graph::set_history(NodeId id, const Node &from) {
  assert(alive(id));
  nodes_[id.index].origins = from.origins;
  nodes_[id.index].doc = from.doc;
  nodes_[id.index].metadata = from.metadata;
}

void Graph::set_subgraph(NodeId id, std::string_view attribute, SubGraph graph, std::vector<ValueId> captures) {
  unlink(id);
  nodes_[id.index].captures = std::move(captures);
  link(id);
  set_attribute(id, attribute, std::move(graph));
}

void Graph::set_output(std::size_t index, ValueId id) {
  assert(alive(id));
  outputs_.at(index).value = id;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  assert(alive(from) && alive(to) && from != to);
  for (const Use use : std::exchange(values_[from.index].uses, {})) {
    Node &reader = nodes_[use.node.index];
    (use.index < reader.inputs.size() ? reader.inputs[use.index] : reader.captures[use.index - reader.inputs.size()]) =
        to;
    values_[to.index].uses.push_back(use);
  }
  for (GraphOutput &out : outputs_)
    if (out.value == from) out.value = to;
}

ValueId Graph::detach_output(NodeId id, std::size_t index, Type type) {
  const ValueId fresh = add_value(std::move(type));
  ValueId &slot = nodes_[id.index].outputs.at(index);
  values_[slot.index].producer = {};
  values_[slot.index].output = 0;
  slot = fresh;
  values_[fresh.index].producer = id;
  values_[fresh.index].output = static_cast<std::uint32_t>(index);
  return fresh;
}

void Graph::remove(NodeId id) {
  assert(alive(id));
  assert(
      std::ranges::all_of(nodes_[id.index].outputs, [&](ValueId out) { return !out.valid() || use_count(out) == 0; }));
  unlink(id);
  for (const ValueId out : nodes_[id.index].outputs)
    if (out.valid()) value_alive_[out.index] = 0;
  nodes_[id.index] = {};
  node_alive_[id.index] = 0;
  std::erase(order_, id);
}

void Graph::remove(ValueId id) {
  assert(alive(id) && use_count(id) == 0 && !values_[id.index].producer.valid());
  std::erase(inputs_, id);
  std::erase(captures_, id);
  values_[id.index] = {};
  value_alive_[id.index] = 0;
}

bool Graph::remove_dead() {
  bool changed = false;
  const auto order = nodes();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const auto &outs = nodes_[id->index].outputs;
    if (std::ranges::any_of(outs, [&](ValueId out) { return out.valid() && use_count(out) > 0; })) continue;
    remove(*id);
    changed = true;
  }
  for (const ValueId id : values()) {
    const Value &candidate = values_[id.index];
    const bool loose =
        !candidate.producer.valid() && !is_input(id) && std::ranges::find(captures_, id) == captures_.end();
    if (loose && use_count(id) == 0) {
      changed |= candidate.data.has_value();
      remove(id);
    }
  }
  return changed;
}

Status Graph::sort() {
  // Depth-first from each node in the present order, so that an order that is already topological stays as it is.
  enum : char { fresh, open, done };
  std::vector<char> state(nodes_.size(), fresh);
  std::vector<NodeId> sorted;
  struct Frame {
    NodeId id;
    std::size_t operand = 0;
  };
  for (const NodeId root : nodes()) {
    std::vector<Frame> stack;
    if (state[root.index] == fresh) stack.push_back({root});
    while (!stack.empty()) {
      Frame &top = stack.back();
      const Node &current = nodes_[top.id.index];
      state[top.id.index] = open;
      if (top.operand == current.inputs.size() + current.captures.size()) {
        state[top.id.index] = done;
        sorted.push_back(top.id);
        stack.pop_back();
        continue;
      }
      const std::size_t i = top.operand++;
      const ValueId operand =
          i < current.inputs.size() ? current.inputs[i] : current.captures[i - current.inputs.size()];
      if (!operand.valid()) continue;
      const NodeId source = values_[operand.index].producer;
      if (!source.valid() || state[source.index] == done) continue;
      if (state[source.index] == open)
        return bad_input(fmt::format("the graph has a cycle through node {} ({})", nodes_[source.index].label(),
                                     nodes_[source.index].op));
      stack.push_back({source});
    }
  }
  order_ = std::move(sorted);
  return {};
}

void Graph::compact() {
  std::vector<ValueId> value_map(values_.size());
  std::vector<NodeId> node_map(nodes_.size());
  std::vector<Value> kept_values;
  std::vector<Node> kept_nodes;
  for (const ValueId id : values()) {
    value_map[id.index] = {static_cast<std::uint32_t>(kept_values.size())};
    kept_values.push_back(std::move(values_[id.index]));
  }
  order_ = nodes();
  for (const NodeId id : order_) {
    node_map[id.index] = {static_cast<std::uint32_t>(kept_nodes.size())};
    kept_nodes.push_back(std::move(nodes_[id.index]));
  }
  const auto renumber = [&](ValueId &id) {
    if (id.valid()) id = value_map[id.index];
  };
  for (Node &kept : kept_nodes)
    for (auto *list : {&kept.inputs, &kept.captures, &kept.outputs}) std::ranges::for_each(*list, renumber);
  for (Value &kept : kept_values) {
    if (kept.producer.valid()) kept.producer = node_map[kept.producer.index];
    for (Use &use : kept.uses) use.node = node_map[use.node.index];
  }
  for (NodeId &id : order_) id = node_map[id.index];
  std::ranges::for_each(inputs_, renumber);
  std::ranges::for_each(captures_, renumber);
  for (GraphOutput &out : outputs_) renumber(out.value);
  values_ = std::move(kept_values);
  nodes_ = std::move(kept_nodes);
  value_alive_.assign(values_.size(), 1);
  node_alive_.assign(nodes_.size(), 1);
}

} // namespace edgec
