#include "formats/onnx/spelling.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "formats/onnx/bodies.h"

namespace edgec::proto {
namespace {

constexpr std::string_view quantize_op = "QuantizeLinear", dequantize_op = "DequantizeLinear";

bool is_border(const Node &node) { return node.is(quantize_op) || node.is(dequantize_op); }

bool all_zero(const Quant &quant) {
  return std::ranges::all_of(quant.zero_points, [](auto z) { return z == 0; });
}

template <class Visit>
void for_each_subgraph(const Node &node, Visit visit) {
  for (const Attribute &attribute : node.attributes) {
    if (const auto *one = std::get_if<SubGraph>(&attribute.value)) visit(std::span(one, 1));
    if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) visit(std::span(*many));
  }
}

std::int64_t opset_for(const Type &type) {
  const int width = bits(type.dtype);
  if (width < 4) return 25;
  if (width < 8 || width == 16 || type.quant->block > 0) return 21;
  return type.quant->is_per_tensor() ? 10 : 13;
}

} // namespace

std::int64_t opset_for_quantization(const Graph &graph) {
  std::int64_t needed = 0;
  for (const ValueId id : graph.values())
    if (graph.value(id).type.quant) needed = std::max(needed, opset_for(graph.value(id).type));
  for (const NodeId id : graph.nodes())
    for_each_subgraph(graph.node(id), [&](std::span<const SubGraph> graphs) {
      for (const SubGraph &inner : graphs) needed = std::max(needed, opset_for_quantization(*inner));
    });
  return needed;
}

Speller::Speller(Graph &spelled, const OnnxWriteOptions &options) : graph(spelled), options_(options) {
  remember_parameters();
}

const Quant *Speller::quant(ValueId id) const {
  if (!id.valid()) return nullptr;
  const auto &found = graph.value(id).type.quant;
  return found ? &*found : nullptr;
}

/// Scales, zero points and reals that explicit nodes bring serve others, too.
void Speller::remember_parameters() {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!is_border(node)) continue;
    if (node.is(dequantize_op) && dequantizes_exactly(node)) reals_.emplace(node.inputs[0], node.outputs[0]);
    for (std::size_t i = 1; i < std::min<std::size_t>(node.inputs.size(), 3); ++i) {
      const Tensor *data = graph.constant(node.inputs[i]);
      if (!data) continue;
      const ByteView bytes = data->data.bytes();
      parameters_.emplace(std::tuple{data->dtype, data->dims, std::vector<std::byte>(bytes.begin(), bytes.end())},
                          node.inputs[i]);
    }
  }
}

/// Whether an explicit DequantizeLinear does what the type of its input says.
bool Speller::dequantizes_exactly(const Node &node) const {
  const Quant *q = quant(node.input(0));
  const Tensor *s = graph.constant(node.input(1)), *zero = graph.constant(node.input(2));
  if (!q || q->block > 0 || !s || s->dtype != DType::float32 || (node.input(2).valid() && !zero)) return false;
  if (to_floats(*s) != q->scales || (!q->is_per_tensor() && node.get_int("axis", 1) != q->axis)) return false;
  if (!zero) return all_zero(*q);
  const auto zeros = to_int64s(*zero);
  return std::ranges::equal(zeros, q->zero_points);
}

ValueId Speller::parameter(Tensor data) {
  const ByteView bytes = data.data.bytes();
  std::tuple key{data.dtype, data.dims, std::vector<std::byte>(bytes.begin(), bytes.end())};
  const auto found = parameters_.find(key);
  if (found != parameters_.end()) return found->second;
  const ValueId made = graph.add_constant(std::move(data));
  parameters_.emplace(std::move(key), made);
  return made;
}

/// Blocked scales have the tensor's dims, with the axis counted in blocks.
Dims Speller::parameter_dims(ValueId of) const {
  const Quant &q = *quant(of);
  if (q.is_per_tensor()) return {};
  if (q.block == 0) return {static_cast<std::int64_t>(q.scales.size())};
  Dims dims = graph.value(of).type.concrete().value_or(Dims{});
  auto &blocked = dims.at(static_cast<std::size_t>(q.axis));
  blocked = (blocked + q.block - 1) / q.block;
  return dims;
}

ValueId Speller::scale(ValueId of) { return parameter(Tensor::of(parameter_dims(of), quant(of)->scales)); }

ValueId Speller::zero(DType dtype) { return parameter(from_int64s(dtype, {}, std::array<std::int64_t, 1>{0})); }

ValueId Speller::zero_point(ValueId of) {
  const auto &zeros = quant(of)->zero_points;
  const std::vector<std::int64_t> wide(zeros.begin(), zeros.end());
  return parameter(from_int64s(graph.value(of).type.dtype, parameter_dims(of), wide));
}

/// Whether a node only moves or compares codes of one scale, in an opset whose schema takes them.
bool Speller::runs_on_codes(const Node &node) const {
  const OpDef *op = options_.ops ? options_.ops->find(node) : nullptr;
  if (!op || op->codes_since == 0 || graph.opset() < op->codes_since) return false;
  const Value *first = nullptr;
  const auto agrees = [&](ValueId id) {
    if (!id.valid()) return true;
    const Value &value = graph.value(id);
    if (!first) first = &value;
    return value.type.quant && bits(value.type.dtype) == 8 && value.type.dtype == first->type.dtype &&
           value.type.quant == first->type.quant;
  };
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (op->data_operands.contains(i) ? !agrees(node.inputs[i]) : quant(node.inputs[i]) != nullptr) return false;
  }
  return std::ranges::all_of(node.outputs, agrees);
}

Node Speller::border(std::string_view op, ValueId quantized, ValueId input, bool keep_zero_point) {
  const Quant q = *quant(quantized); // a copy: constants are added below
  Node node{.op = std::string(op), .inputs = {input, scale(quantized)}};
  if (keep_zero_point || !all_zero(q)) node.inputs.push_back(zero_point(quantized));
  if (!q.is_per_tensor() && q.axis != 1) node.attributes.push_back({"axis", std::int64_t{q.axis}}); // 1 is the default
  if (q.block > 0) node.attributes.push_back({"block_size", q.block});
  return node;
}

/// `reader` decides whether zero points that are zero are written: onnxruntime 1.31 makes integer kernels of what reads
/// the pair only if they are there, except of convolutions' weights and of biases.
ValueId Speller::dequantized(ValueId id, const Node &reader) {
  if (const auto found = reals_.find(id); found != reals_.end()) return found->second;
  const bool convolution = reader.is("Conv") || reader.is("ConvTranspose");
  const bool omit = graph.constant(id) && (convolution || graph.value(id).type.dtype == DType::int32);
  Node node = border(dequantize_op, id, id, !omit);
  const ValueId real = graph.add_op(std::move(node), Type::tensor(DType::float32, graph.value(id).type.shape));
  reals_.emplace(id, real);
  return real;
}

void Speller::quantize_output(NodeId id, std::size_t index) {
  const ValueId codes = graph.node(id).outputs[index];
  const ValueId real = graph.detach_output(id, index, Type::tensor(DType::float32, graph.value(codes).type.shape));
  Node node = border(quantize_op, codes, real, true);
  node.outputs = {codes};
  graph.add_node(std::move(node));
}

void Speller::replace(NodeId id, Node made) {
  const Node old = graph.node(id);
  made.name = old.name;
  made.origins = old.origins;
  made.doc = old.doc;
  made.metadata = old.metadata;
  for (std::size_t i = 0; i < old.outputs.size(); ++i) made.outputs.push_back(old.outputs[i]);
  for (std::size_t i = 0; i < old.outputs.size(); ++i)
    if (old.outputs[i].valid()) graph.detach_output(id, i, graph.value(old.outputs[i]).type);
  graph.remove(id);
  graph.add_node(std::move(made));
}

Status Speller::run() {
  for (const NodeId id : graph.nodes()) {
    EDGEC_CHECK(change_bodies(graph, id, [&](Graph &body) { return spell(body, options_); }));
    const Node node = graph.node(id);
    const auto quantized = [&](ValueId value) { return quant(value) != nullptr; };
    if (is_border(node) ||
        (std::ranges::none_of(node.inputs, quantized) && std::ranges::none_of(node.outputs, quantized)))
      continue;
    if (runs_on_codes(node)) continue;
    if (options_.spelling == OnnxSpelling::qoperator && spell_qoperator(*this, id)) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (quantized(node.inputs[i])) graph.set_input(id, i, dequantized(node.inputs[i], node));
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      if (quantized(node.outputs[i])) quantize_output(id, i);
  }
  for (const ValueId id : graph.values()) {
    Type type = graph.value(id).type;
    type.quant.reset();
    graph.set_type(id, std::move(type));
  }
  return graph.sort();
}

Status spell(Graph &graph, const OnnxWriteOptions &options) {
  const std::int64_t needed = opset_for_quantization(graph);
  if (needed == 0) return {};
  if (graph.opset() < needed)
    return unsupported(fmt::format("its quantized tensors need opset {}, the model has {}: give --opset {}", needed,
                                   graph.opset(), needed));
  return Speller(graph, options).run();
}

} // namespace edgec::proto
