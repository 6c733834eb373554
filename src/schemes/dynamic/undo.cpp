#include "schemes/dynamic/undo.h"

#include <algorithm>
#include <vector>

#include "ir/evaluate.h"
#include "passes/bodies.h"

namespace edgec {
namespace {

/// The nodes of one product, from codes to reals.
struct DynamicProduct {
  NodeId product, last;
  ValueId data;
  Tensor weight; ///< reals
};

/// The operand of a product with `other`; none: the node is no such product.
ValueId factor_beside(const Node *node, ValueId other) {
  if (node == nullptr || !node->is("Mul")) return {};
  if (node->inputs[0] == other) return node->inputs[1];
  return node->inputs[1] == other ? node->inputs[0] : ValueId{};
}

/// The only reader of a value, if it is of this type.
NodeId sole_reader(const Graph &graph, ValueId value, std::string_view op) {
  const NodeId reader = graph.sole_user(value);
  return reader.valid() && graph.node(reader).is(op) ? reader : NodeId{};
}

/// Codes of one scale and zero point, or of one for each index of `axis`, as reals.
std::optional<Tensor> reals(const Tensor &codes, const Tensor &scales, const Tensor *zeros, int axis) {
  const std::int64_t size = codes.dims[static_cast<std::size_t>(axis)];
  const std::int64_t steps = std::max(scales.size(), zeros != nullptr ? zeros->size() : 1);
  const auto fits = [&](std::int64_t count) { return count == 1 || count == steps; };
  if ((steps != 1 && steps != size) || !fits(scales.size()) || (zeros != nullptr && !fits(zeros->size())))
    return std::nullopt;
  Quant quant{to_floats(scales), {}, steps == 1 ? -1 : axis, 0};
  quant.scales.resize(static_cast<std::size_t>(steps), quant.scales[0]);
  for (const std::int64_t zero : zeros != nullptr ? to_int64s(*zeros) : std::vector<std::int64_t>{0})
    quant.zero_points.push_back(static_cast<std::int32_t>(zero));
  quant.zero_points.resize(static_cast<std::size_t>(steps), quant.zero_points[0]);
  return dequantize(codes, quant);
}

/// Whether scales that are multiplied with the results of a convolution are those of its channels.
bool scales_channels(const Tensor &scales, bool conv) {
  if (scales.size() == 1) return true;
  if (!conv) return scales.dims.back() == scales.size();
  return scales.rank() >= 3 && scales.dims[static_cast<std::size_t>(scales.rank()) - 3] == scales.size();
}

std::optional<DynamicProduct> as_dynamic_product(const Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  const bool conv = node.is("ConvInteger");
  if (!conv && !node.is("MatMulInteger")) return std::nullopt;
  const Node *quantize = graph.producer(node.input(0));
  const Tensor *codes = graph.constant(node.input(1)), *zeros = graph.constant(node.input(3));
  if (quantize == nullptr || !quantize->is("DynamicQuantizeLinear") || quantize->outputs.size() != 3 ||
      quantize->outputs[0] != node.input(0) || node.input(2) != quantize->outputs[2] || codes == nullptr ||
      codes->rank() < 2 || (node.input(3).valid() && zeros == nullptr))
    return std::nullopt;
  const NodeId cast = sole_reader(graph, node.outputs[0], "Cast");
  if (!cast.valid() || graph.node(cast).get_int("to", 0) != static_cast<std::int64_t>(DType::float32))
    return std::nullopt;
  const NodeId last = sole_reader(graph, graph.node(cast).outputs[0], "Mul");
  if (!last.valid()) return std::nullopt;
  const ValueId unit = factor_beside(&graph.node(last), graph.node(cast).outputs[0]);
  const Tensor *scales = graph.constant(factor_beside(graph.producer(unit), quantize->outputs[1]));
  if (scales == nullptr || !scales_channels(*scales, conv)) return std::nullopt;
  auto weight = reals(*codes, *scales, zeros, conv ? 0 : codes->rank() - 1);
  if (!weight) return std::nullopt;
  return DynamicProduct{id, last, quantize->inputs[0], *std::move(weight)};
}

void undo(Graph &graph, const DynamicProduct &found) {
  const Node &product = graph.node(found.product);
  const ValueId old = graph.node(found.last).outputs[0];
  Node plain{.op = product.is("ConvInteger") ? "Conv" : "MatMul", .name = product.name};
  const std::string name = graph.value(product.inputs[1]).name;
  plain.attributes = product.attributes;
  plain.origins = product.origins;
  plain.inputs = {found.data, graph.add_constant(found.weight, name)};
  const ValueId made = graph.add_op(std::move(plain), Type(graph.value(old).type), found.last);
  graph.set_name(made, graph.value(old).name);
  graph.replace_uses(old, made);
  graph.remove(found.last);
}

bool is_dynamic_lstm(const Node &node) { return node.domain == "com.microsoft" && node.op == "DynamicQuantizeLSTM"; }

/// Codes [directions, columns, rows] with scales for directions or rows as reals [directions, rows, columns].
std::optional<Tensor> recurrent_reals(const Graph &graph, const Node &node, std::size_t operand, std::size_t scale) {
  const Tensor *codes = graph.constant(node.input(operand)), *scales = graph.constant(node.input(scale)),
               *zeros = graph.constant(node.input(scale + 1));
  if (codes == nullptr || scales == nullptr || zeros == nullptr || codes->rank() != 3) return std::nullopt;
  const std::int64_t count = codes->dims[0], columns = codes->dims[1], rows = codes->dims[2];
  if (scales->size() != zeros->size() || (scales->size() != count && scales->size() != count * rows))
    return std::nullopt;
  const auto all = to_doubles(*codes), steps = to_doubles(*scales), zero = to_doubles(*zeros);
  std::vector<double> found(all.size());
  for (std::int64_t d = 0; d < count; ++d)
    for (std::int64_t k = 0; k < columns; ++k)
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto at = static_cast<std::size_t>(scales->size() == count ? d : d * rows + row);
        found[static_cast<std::size_t>((d * rows + row) * columns + k)] =
            (all[static_cast<std::size_t>((d * columns + k) * rows + row)] - zero[at]) * steps[at];
      }
  return from_doubles(DType::float32, {count, rows, columns}, found);
}

bool undo_lstm(Graph &graph, NodeId id) {
  constexpr std::size_t plain_operands = 8;
  const Node &node = graph.node(id);
  auto w = recurrent_reals(graph, node, 1, 8), r = recurrent_reals(graph, node, 2, 10);
  if (!w || !r) return false;
  const std::string names[] = {graph.value(node.inputs[1]).name, graph.value(node.inputs[2]).name};
  graph.drop_input(id, plain_operands);
  graph.set_input(id, 1, graph.add_constant(*std::move(w), names[0]));
  graph.set_input(id, 2, graph.add_constant(*std::move(r), names[1]));
  graph.set_op(id, "LSTM");
  return true;
}

} // namespace

std::size_t count_dynamic(const Graph &graph) {
  std::size_t found = 0;
  for (const NodeId id : graph.nodes()) {
    found += is_dynamic_lstm(graph.node(id)) || as_dynamic_product(graph, id) ? 1 : 0;
    for (const Attribute &attribute : graph.node(id).attributes)
      if (const auto *body = std::get_if<SubGraph>(&attribute.value)) found += count_dynamic(**body);
  }
  return found;
}

Result<std::size_t> undo_dynamic(Graph &graph, const OpRegistry &ops) {
  std::size_t undone = 0;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id)) continue;
    if (is_dynamic_lstm(graph.node(id))) {
      undone += undo_lstm(graph, id) ? 1 : 0;
    } else if (const auto product = as_dynamic_product(graph, id)) {
      undo(graph, *product);
      ++undone;
    }
  }
  EDGEC_CHECK(edit_bodies(graph, ops, 0, [&](Graph &body) -> Result<bool> {
    EDGEC_ASSIGN(const std::size_t inside, undo_dynamic(body, ops));
    undone += inside;
    return inside > 0;
  }));
  if (undone > 0) graph.remove_dead();
  return undone;
}

} // namespace edgec
