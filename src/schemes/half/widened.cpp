#include "schemes/half/widened.h"

#include <algorithm>
#include <array>

#include "ir/node_view.h"
#include "passes/bodies.h"

namespace edgec {
namespace {

constexpr DType wide = DType::float32;

class Widener {
public:
  Widener(Graph &graph, const OpRegistry &ops, const std::set<DType> &types)
      : graph_(graph), ops_(ops), types_(types) {}

  Status run_body() {
    for (const ValueId id : graph_.values()) widen_value(id);
    for (const NodeId id : graph_.nodes()) widen_attributes(id);
    for (const NodeId id : graph_.nodes()) drop_cast(id);
    const auto edited = edit_bodies(graph_, ops_, 0, [&](Graph &body) -> Result<bool> {
      EDGEC_CHECK(Widener(body, ops_, types_).run_body());
      return true;
    });
    return edited ? Status() : edited.error();
  }

  Status run() {
    const std::vector<ValueId> inputs = graph_.inputs();
    std::vector<DType> given, wanted;
    for (const ValueId input : inputs) given.push_back(tensor_type(input));
    for (const GraphOutput &output : graph_.outputs()) wanted.push_back(tensor_type(output.value));
    EDGEC_CHECK(run_body());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (types_.contains(given[i])) keep_input(inputs[i], given[i]);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (types_.contains(wanted[i])) graph_.set_output(i, cast(graph_.outputs()[i].value, wanted[i], {}));
    EDGEC_CHECK(graph_.sort());
    return infer_types(graph_, ops_);
  }

private:
  Graph &graph_;
  const OpRegistry &ops_;
  const std::set<DType> &types_;

  [[nodiscard]] DType tensor_type(ValueId id) const {
    const Type &type = graph_.value(id).type;
    return type.is_tensor() ? type.dtype : DType::undefined;
  }

  [[nodiscard]] Type widened(Type type) const {
    if (types_.contains(type.dtype)) type.dtype = wide;
    if (type.element) type.element = std::make_shared<const Type>(widened(*type.element));
    return type;
  }

  [[nodiscard]] static Tensor widened(const Tensor &data) { return from_doubles(wide, data.dims, to_doubles(data)); }

  void widen_value(ValueId id) {
    const Tensor *data = graph_.constant(id);
    if (data != nullptr && types_.contains(data->dtype)) return graph_.set_data(id, widened(*data));
    if (data == nullptr) graph_.set_type(id, widened(graph_.value(id).type));
  }

  /// Element types that attributes name, and tensors that give results their type.
  void widen_attributes(NodeId id) {
    constexpr std::array<std::string_view, 4> names{"to", "dtype", "output_datatype", "output_dtype"};
    const std::vector<Attribute> attributes = graph_.node(id).attributes;
    for (const Attribute &attribute : attributes) {
      const auto *number = std::get_if<std::int64_t>(&attribute.value);
      if (number != nullptr && std::ranges::find(names, attribute.name) != names.end() &&
          types_.contains(static_cast<DType>(*number)))
        graph_.set_attribute(id, attribute.name, static_cast<std::int64_t>(wide));
      if (const auto *data = std::get_if<Tensor>(&attribute.value); data != nullptr && types_.contains(data->dtype))
        graph_.set_attribute(id, attribute.name, widened(*data));
      if (const auto *type = std::get_if<Type>(&attribute.value); type != nullptr)
        graph_.set_attribute(id, attribute.name, widened(*type));
    }
  }

  /// A Cast between what were two types.
  void drop_cast(NodeId id) {
    const Node &node = graph_.node(id);
    if (!node.is("Cast") || graph_.is_output(node.outputs[0])) return;
    const ValueId from = node.inputs[0], to = node.outputs[0];
    if (tensor_type(from) != wide || tensor_type(to) != wide) return;
    graph_.replace_uses(to, from);
    graph_.remove(id);
  }

  ValueId cast(ValueId from, DType to, NodeId before) {
    Type type = graph_.value(from).type;
    type.dtype = to;
    return graph_.add_op({.op = "Cast", .inputs = {from}, .attributes = {{"to", static_cast<std::int64_t>(to)}}},
                         std::move(type), before);
  }

  void keep_input(ValueId input, DType type) {
    const std::vector<Use> uses = graph_.value(input).uses;
    Type kept = graph_.value(input).type;
    kept.dtype = type;
    graph_.set_type(input, std::move(kept));
    if (uses.empty()) return;
    const ValueId reals = cast(input, wide, graph_.nodes().front());
    for (const Use &use : uses) {
      const std::size_t operands = graph_.node(use.node).inputs.size();
      if (use.index < operands)
        graph_.set_input(use.node, use.index, reals);
      else
        graph_.set_capture(use.node, use.index - operands, reals);
    }
  }
};

/// The type of a weight, also where it is stored in another than it is read in.
DType stored_as(const Graph &graph, ValueId weight) {
  const Node *producer = graph.producer(weight);
  const bool cast = producer != nullptr && producer->is("Cast") && graph.constant(producer->inputs[0]) != nullptr;
  return graph.value(cast ? producer->inputs[0] : weight).type.dtype;
}

} // namespace

std::set<DType> other_floats(const Graph &graph, const OpRegistry &ops) {
  std::set<DType> found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (const auto info = weights_of(graph, node, ops)) {
      const DType dtype = stored_as(graph, node.input(info->weight));
      if (dtype == DType::float16 || dtype == DType::bfloat16 || dtype == DType::float64) found.insert(dtype);
    }
    for (const Attribute &attribute : node.attributes)
      if (const auto *body = std::get_if<SubGraph>(&attribute.value)) found.merge(other_floats(**body, ops));
  }
  return found;
}

Status widen(Graph &graph, const OpRegistry &ops, const std::set<DType> &types) {
  if (types.empty()) return {};
  return Widener(graph, ops, types).run();
}

} // namespace edgec
