// Computes nodes whose operands are all constant, nodes that read only the shape of a value whose shape is known, and
// nodes whose result has no element:
//
//     s = Shape(x)  c = Mul(two, three)      becomes      <int64[2] s = {1, 4}, float c = {6}>
//
// A node stays where it
//  - is random, opaque, or holds sub-graphs, or its result is not a tensor of known size;
//  - gives more bytes than the constants that go with it, by more than PassContext::fold_growth_limit: codebooks
//    (Gather of a palette by indices) and ConstantOfShape stay small files;
//  - is DequantizeLinear: its operand is how a weight is stored, and the quantized form of the file depends on it.
#include <algorithm>
#include <fmt/format.h>

#include "ir/evaluate.h"
#include "passes/pass.h"
#include "passes/rewriting/computed.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fold-constants";

std::optional<std::size_t> bytes_of(const Type &type) {
  const auto dims = type.concrete();
  const auto count = dims ? element_count(*dims) : std::nullopt;
  if (!count || bits(type.dtype) == 0) return std::nullopt;
  return byte_size(type.dtype, *count);
}

/// Its one result is a tensor without elements, whatever its operands are.
bool is_empty(const Graph &graph, const Node &node) {
  if (node.outputs.size() != 1) return false;
  const Type &type = graph.value(node.outputs[0]).type;
  const auto dims = type.concrete();
  return type.is_tensor() && bits(type.dtype) > 0 && dims && element_count(*dims) == 0;
}

/// What may be computed, and whose operands are all there.
const OpDef *foldable(const Graph &graph, const Node &node, const OpRegistry &ops) {
  const OpDef *op = computable(node, ops);
  if (!op) return nullptr;
  if (is_empty(graph, node)) return op;
  const auto known = [&](ValueId id) {
    return !id.valid() || graph.constant(id) || (op->shape_only && graph.value(id).type.concrete());
  };
  return std::ranges::all_of(node.inputs, known) ? op : nullptr;
}

/// Bytes that the node's results have beyond the constants that nothing else reads. Nothing: they are not known.
std::optional<std::int64_t> growth(const Graph &graph, const Node &node) {
  std::int64_t bytes = 0;
  for (const ValueId id : node.outputs) {
    if (!id.valid()) continue;
    const auto size = bytes_of(graph.value(id).type);
    if (!size) return std::nullopt;
    bytes += static_cast<std::int64_t>(*size);
  }
  for (const ValueId id : node.inputs)
    if (const Tensor *data = graph.constant(id); data && graph.sole_user(id).valid())
      bytes -= static_cast<std::int64_t>(data->data.size());
  return bytes;
}

Result<std::vector<RuntimeValue>> compute(const Graph &graph, const Node &node, const OpDef &op) {
  if (is_empty(graph, node)) {
    const Type &type = graph.value(node.outputs[0]).type;
    return std::vector<RuntimeValue>{Tensor::of_bytes(type.dtype, *type.concrete(), {})};
  }
  std::vector<Tensor> shapes; // of operands of which only the shape is read
  shapes.reserve(node.inputs.size());
  std::vector<Type> types(node.inputs.size());
  std::vector<const Tensor *> inputs(node.inputs.size());
  std::vector<const Type *> input_types(node.inputs.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (!id.valid()) continue;
    types[i] = graph.value(id).type;
    input_types[i] = &types[i];
    inputs[i] = graph.constant(id);
    if (inputs[i]) continue;
    types[i].quant.reset();
    inputs[i] = &shapes.emplace_back(Tensor{types[i].dtype, *types[i].concrete(), {}, nullptr});
  }
  return evaluate_node(op, node, graph.opset(node.domain), inputs, input_types, types_of(graph, node.outputs));
}

/// Replaces the node by its results; false where these are not all tensors as expected.
bool replace(Graph &graph, NodeId id, const std::vector<RuntimeValue> &results) {
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].valid()) continue;
    if (i >= results.size() || !results[i].tensor || results[i].tensor->dtype != graph.value(outputs[i]).type.dtype)
      return false;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].valid()) replace_by_constant(graph, outputs[i], *results[i].tensor);
  graph.remove(id);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = foldable(graph, node, context.ops);
    if (!op) continue;
    const std::string label = node.label();
    const auto more = growth(graph, node);
    if (!more) continue;
    if (*more > static_cast<std::int64_t>(context.fold_growth_limit)) {
      context.skip(pass, label, fmt::format("its result has {} bytes more than its operands", *more));
      continue;
    }
    const auto results = compute(graph, node, *op);
    if (!results) {
      context.skip(pass, label, results.error().message);
    } else if (replace(graph, id, *results)) {
      context.say(pass, label, "computed");
      changed = true;
    }
  }
  if (changed) EDGEC_CHECK(infer_types(graph, context.ops)); // what reads a new constant may have a known shape now
  return changed;
}

} // namespace

extern const PassDef fold_constants;
const PassDef fold_constants{"fold-constants", "Compute what depends on constants and known shapes only", run};

} // namespace edgec::passes
