#include "passes/rewriting/rewrite.h"

namespace edgec::passes {

bool can_replace(const Graph &graph, ValueId from, ValueId to) {
  if (from == to || !from.valid() || !to.valid()) return false;
  const Type &was = graph.value(from).type, &is = graph.value(to).type;
  if (was.kind != is.kind || was.dtype != is.dtype || was.quant != is.quant) return false;
  return !graph.is_output(from) || (graph.producer(to) && !graph.is_output(to));
}

void replace_by_constant(Graph &graph, ValueId from, const Tensor &data) {
  const std::string name = graph.value(from).name;
  const auto quant = graph.value(from).type.quant;
  for (std::size_t i = 0; i < graph.outputs().size(); ++i)
    if (graph.outputs()[i].value == from) graph.set_output(i, graph.add_constant(data, graph.outputs()[i].name, quant));
  if (graph.use_count(from) > 0) graph.replace_uses(from, graph.add_constant(data, name, quant));
}

void absorb(Graph &graph, NodeId kept, NodeId gone) {
  const ValueId from = graph.node(gone).outputs.front(), to = graph.node(kept).outputs.front();
  const Value taken = graph.value(from);
  graph.add_origins(kept, std::vector(graph.node(gone).origins));
  graph.replace_uses(from, to);
  graph.remove(gone);
  graph.set_type(to, taken.type);
  if (!taken.name.empty()) graph.set_name(to, taken.name);
}

std::optional<std::vector<double>> reals(const Graph &graph, ValueId id) {
  const Tensor *data = graph.constant(id);
  if (!data || graph.value(id).type.is_quantized() || (!is_float(data->dtype) && !is_integer(data->dtype)))
    return std::nullopt;
  return to_doubles(*data);
}

std::optional<std::vector<std::int64_t>> integers(const Graph &graph, ValueId id) {
  const Tensor *data = graph.constant(id);
  if (!data || graph.value(id).type.is_quantized() || !is_integer(data->dtype)) return std::nullopt;
  return to_int64s(*data);
}

std::optional<double> scalar(const Graph &graph, ValueId id) {
  const auto values = reals(graph, id);
  return values && values->size() == 1 ? std::optional(values->front()) : std::nullopt;
}

bool is_wide_float(const Type *type) {
  return type && type->is_tensor() && !type->is_quantized() &&
         (type->dtype == DType::float32 || type->dtype == DType::float64);
}

} // namespace edgec::passes
