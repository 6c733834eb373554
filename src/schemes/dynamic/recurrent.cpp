#include "schemes/dynamic/recurrent.h"

#include <algorithm>

#include "ir/evaluate.h"
#include "passes/bodies.h"

namespace edgec {
namespace {

/// A weight [directions, rows, columns] of an LSTM as codes.
struct RecurrentCodes {
  Tensor codes;  ///< int8 [directions, columns, rows]
  Tensor scales; ///< float32 [directions, rows]
  Tensor zeros;  ///< int8, all 0
  std::string name;
};

/// What of codes is moved about.
enum class Part { codes, scales };

/// The codes, or the scale of each of them, of what gives a constant's reals, as floats; nothing where it is another
/// kind of codes.
std::optional<Tensor> part_of(const Graph &graph, ValueId held, Part part) {
  const Tensor *codes = graph.constant(held);
  const auto quant = codes != nullptr ? graph.value(held).type.quant : std::nullopt;
  if (!quant || codes->dtype != DType::int8 || quant->block != 0 ||
      std::ranges::any_of(quant->zero_points, [](std::int32_t zero) { return zero != 0; }))
    return std::nullopt;
  if (part == Part::codes) return from_doubles(DType::float32, codes->dims, to_doubles(*codes));
  const std::vector<std::int8_t> ones(static_cast<std::size_t>(codes->size()), 1);
  return dequantize(Tensor::of(codes->dims, ones), *quant);
}

/// The same of a value that is such reals, or these moved about: exporters put the gates in another order.
std::optional<Tensor> moved_part(const Graph &graph, ValueId value, Part part, const OpRegistry &ops) {
  if (const Tensor *constant = graph.constant(value)) // where elements go, not what they are
    return is_float(constant->dtype) ? std::nullopt : std::optional(*constant);
  const Node *producer = graph.producer(value);
  if (producer == nullptr) return std::nullopt;
  if (producer->is("DequantizeLinear")) return part_of(graph, producer->input(0), part);
  const OpDef *op = ops.find(*producer);
  if (op == nullptr || !op->moves_data || op->reference == nullptr) return std::nullopt;
  std::vector<std::optional<Tensor>> operands;
  std::vector<const Tensor *> given;
  for (const ValueId operand : producer->inputs) {
    operands.push_back(operand.valid() ? moved_part(graph, operand, part, ops) : std::nullopt);
    if (operand.valid() && !operands.back()) return std::nullopt;
  }
  for (const auto &operand : operands) given.push_back(operand ? &*operand : nullptr);
  auto results = evaluate_node(*op, *producer, graph.opset(), given);
  if (!results) return std::nullopt;
  return std::move((*results)[graph.value(value).output].tensor);
}

/// What operand `index` of a node reads where that is int8 codes with a scale for each row.
std::optional<RecurrentCodes> recurrent_codes(const Graph &graph, const Node &node, std::size_t index,
                                              const OpRegistry &ops) {
  const auto codes = moved_part(graph, node.input(index), Part::codes, ops),
             scales = moved_part(graph, node.input(index), Part::scales, ops);
  if (!codes || !scales || codes->rank() != 3) return std::nullopt;
  const auto count = static_cast<std::size_t>(codes->dims[0]), rows = static_cast<std::size_t>(codes->dims[1]),
             columns = static_cast<std::size_t>(codes->dims[2]);
  const auto from = codes->as<float>(), each = scales->as<float>();
  std::vector<std::int8_t> turned(from.size());
  std::vector<float> steps(count * rows);
  for (std::size_t row = 0; row < steps.size(); ++row) {
    const auto same = each.subspan(row * columns, columns);
    if (columns == 0 || std::ranges::count(same, same[0]) != std::ssize(same)) return std::nullopt;
    steps[row] = same[0];
    for (std::size_t k = 0; k < columns; ++k)
      turned[(row / rows * columns + k) * rows + row % rows] = static_cast<std::int8_t>(from[row * columns + k]);
  }
  const Dims lines{codes->dims[0], codes->dims[1]};
  return RecurrentCodes{Tensor::of({codes->dims[0], codes->dims[2], codes->dims[1]}, std::move(turned)),
                        Tensor::of(lines, std::move(steps)), Tensor::of(lines, std::vector<std::int8_t>(count * rows)),
                        graph.value(node.input(index)).name};
}

std::string obstacle(const Graph &graph, const Node &node, const Job &job) {
  if (!job.scope.allows(node)) return "left out as asked";
  const Type &data = graph.value(node.input(0)).type;
  if (!data.is_tensor() || data.dtype != DType::float32) return "its data is not float32";
  return node.get_int("layout", 0) != 0 ? "its batch comes first" : std::string();
}

void quantize(Graph &graph, NodeId id, const RecurrentCodes &w, const RecurrentCodes &r) {
  const auto constant = [&](const Tensor &tensor, const RecurrentCodes &of, const char *suffix) {
    return graph.add_constant(tensor, of.name.empty() ? of.name : of.name + suffix);
  };
  graph.set_input(id, 1, constant(w.codes, w, "_turned"));
  graph.set_input(id, 2, constant(r.codes, r, "_turned"));
  std::size_t next = 8; // behind the operands of an LSTM
  for (const RecurrentCodes *codes : {&w, &r}) {
    graph.set_input(id, next++, constant(codes->scales, *codes, "_scale"));
    graph.set_input(id, next++, constant(codes->zeros, *codes, "_zero_point"));
  }
  graph.set_attribute(id, "hidden_size", r.codes.dims[1]);
  graph.remove_attribute(id, "layout");
  graph.set_op(id, "DynamicQuantizeLSTM", "com.microsoft");
}

} // namespace

Result<bool> quantize_lstms(Graph &graph, const Job &job, std::string_view pass) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("LSTM")) continue;
    const auto w = recurrent_codes(graph, node, 1, job.ops), r = recurrent_codes(graph, node, 2, job.ops);
    if (const std::string why = obstacle(graph, node, job); !why.empty() || !w || !r) {
      job.skip(pass, node.label(), why.empty() ? "its weights are not int8 codes with a scale for each row" : why);
      continue;
    }
    quantize(graph, id, *w, *r);
    changed = true;
  }
  EDGEC_ASSIGN(const bool bodies, edit_bodies(graph, job.ops, 0, [&](Graph &body) -> Result<bool> {
                 return quantize_lstms(body, job, pass);
               }));
  if (changed || bodies) graph.opsets.try_emplace("com.microsoft", 1);
  if (changed) graph.remove_dead();
  return changed || bodies;
}

} // namespace edgec
