#include "ir/verify.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <tuple>

namespace edgec {
namespace {

constexpr int max_depth = 32;

class Verifier {
public:
  Verifier(const Graph &graph, int depth) : graph_(graph), depth_(depth), uses_(graph.value_bound()) {}

  Status run() {
    EDGEC_CHECK(interface());
    for (const NodeId id : graph_.nodes()) EDGEC_CHECK(node(id).in("node " + graph_.node(id).label()));
    if (graph_.nodes().size() != graph_.node_count())
      return internal_error("a node is missing from the order of nodes");
    for (const ValueId id : graph_.values()) EDGEC_CHECK(value(id).in(describe(id)));
    return {};
  }

private:
  const Graph &graph_;
  int depth_;
  std::vector<std::vector<Use>> uses_; // as the nodes say
  std::set<NodeId> done_;              // nodes so far, in order

  [[nodiscard]] std::string describe(ValueId id) const {
    return fmt::format("value {} `{}`", id.index, graph_.value(id).name);
  }

  Status interface() const {
    std::set<std::string> names;
    for (const ValueId id : graph_.inputs()) {
      if (!graph_.alive(id)) return internal_error("a graph input was removed");
      if (!names.insert(graph_.value(id).name).second)
        return internal_error(fmt::format("two graph inputs are named `{}`", graph_.value(id).name));
    }
    for (const ValueId id : graph_.captures())
      if (!graph_.alive(id)) return internal_error("a capture was removed");
    for (const GraphOutput &out : graph_.outputs())
      if (!graph_.alive(out.value))
        return internal_error(fmt::format("the value of graph output `{}` was removed", out.name));
    return {};
  }

  Status node(NodeId id) {
    const Node &node = graph_.node(id);
    std::uint32_t index = 0;
    for (const auto *list : {&node.inputs, &node.captures})
      for (const ValueId operand : *list) {
        const Use use{id, index++};
        if (!operand.valid()) continue;
        if (!graph_.alive(operand)) return internal_error(fmt::format("operand {} was removed", use.index));
        const NodeId producer = graph_.value(operand).producer;
        if (producer.valid() && !done_.contains(producer))
          return internal_error(fmt::format("it reads {} before the node that computes it", describe(operand)));
        uses_[operand.index].push_back(use);
      }
    for (std::uint32_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId out = node.outputs[i];
      if (!out.valid()) continue;
      if (!graph_.alive(out)) return internal_error(fmt::format("output {} was removed", i));
      if (graph_.value(out).producer != id || graph_.value(out).output != i)
        return internal_error(fmt::format("output {} says that it comes from elsewhere", i));
    }
    if (!done_.insert(id).second) return internal_error("it stands twice in the order of nodes");
    return subgraphs(node);
  }

  Status subgraphs(const Node &node) const {
    std::size_t captured = 0;
    const auto check = [&](const SubGraph &inner) -> Status {
      if (!inner) return internal_error("a sub-graph is null");
      if (depth_ >= max_depth) return internal_error(fmt::format("sub-graphs nest deeper than {}", max_depth));
      captured += inner->captures().size();
      return Verifier(*inner, depth_ + 1).run();
    };
    for (const Attribute &attribute : node.attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value)) EDGEC_CHECK(check(*one).in(attribute.name));
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value))
        for (const SubGraph &inner : *many) EDGEC_CHECK(check(inner).in(attribute.name));
    }
    if (captured == node.captures.size()) return {};
    return internal_error(fmt::format("it has {} captures, its sub-graphs {}", node.captures.size(), captured));
  }

  Status value(ValueId id) const {
    const Value &value = graph_.value(id);
    const auto listed = [&](const std::vector<ValueId> &list) { return std::ranges::count(list, id); };
    const auto sources =
        listed(graph_.inputs()) + listed(graph_.captures()) + (value.data ? 1 : 0) + (value.producer.valid() ? 1 : 0);
    if (sources > 1) return internal_error(fmt::format("it has {} sources", sources));
    if (sources == 0 && graph_.use_count(id) > 0) return internal_error("it is read, but nothing computes it");
    if (value.producer.valid()) {
      if (!graph_.alive(value.producer)) return internal_error("its producer was removed");
      const auto &outputs = graph_.node(value.producer).outputs;
      if (value.output >= outputs.size() || outputs[value.output] != id)
        return internal_error("its producer does not list it");
    }
    auto found = value.uses;
    auto wanted = uses_[id.index];
    const auto key = [](const Use &use) { return std::tuple(use.node, use.index); };
    std::ranges::sort(found, {}, key);
    std::ranges::sort(wanted, {}, key);
    if (found != wanted)
      return internal_error(fmt::format("it lists {} uses, nodes read it {} times", found.size(), wanted.size()));
    return type(value);
  }

  static Status type(const Value &value) {
    if (value.data) {
      const Tensor &data = *value.data;
      if (value.type.dtype != data.dtype || value.type.concrete() != data.dims)
        return internal_error(
            fmt::format("its data is {}, its type {}", to_string(Type::of(data)), to_string(value.type)));
      const auto bytes = data.strings ? 0 : byte_size(data.dtype, data.size());
      if (data.data.size() != bytes)
        return internal_error(fmt::format("its data has {} bytes, not {}", data.data.size(), bytes));
    }
    if (!value.type.quant) return {};
    const Quant &quant = *value.type.quant;
    if (!is_integer(value.type.dtype)) return internal_error("a quantized type that is not an integer");
    if (quant.scales.empty() || quant.scales.size() != quant.zero_points.size())
      return internal_error(fmt::format("{} scales and {} zero points", quant.scales.size(), quant.zero_points.size()));
    if (quant.is_per_tensor())
      return quant.scales.size() == 1 ? Status() : internal_error("several scales without an axis");
    const auto dims = value.type.concrete();
    if (!dims) return {};
    if (static_cast<std::size_t>(quant.axis) >= dims->size())
      return internal_error("the quantization axis is out of range");
    return scale_count(quant, *dims);
  }

  static Status scale_count(const Quant &quant, const Dims &dims) {
    const auto axis = static_cast<std::size_t>(quant.axis);
    std::int64_t wanted = dims[axis];
    if (quant.block > 0) {
      wanted = 1;
      for (std::size_t i = 0; i < dims.size(); ++i)
        wanted *= i == axis ? (dims[i] + quant.block - 1) / quant.block : dims[i];
    }
    if (static_cast<std::int64_t>(quant.scales.size()) == wanted) return {};
    return internal_error(fmt::format("{} scales where {} are wanted", quant.scales.size(), wanted));
  }
};

} // namespace

Status verify(const Graph &graph) { return Verifier(graph, 0).run(); }

} // namespace edgec
