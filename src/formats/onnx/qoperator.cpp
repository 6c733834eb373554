#include "formats/onnx/qoperator.h"

#include <algorithm>
#include <array>

#include "formats/onnx/spelling.h"

namespace edgec {
namespace {

constexpr std::string_view contrib = "com.microsoft";

/// What the operands of a QOperator are, in order. x, w, y: scale and zero point follow the tensor, or, of y, stand
/// alone. `list`: y first, then any number of x.
enum class Signature { weighted, gemm, unary, binary, list };

struct Form {
  std::string_view plain, coded, domain;
  Signature signature;
  std::string_view attributes; ///< those it shares with the plain operator, separated by blanks; it has no others
};

constexpr std::string_view window = "auto_pad ceil_mode count_include_pad kernel_shape pads strides";
constexpr Form forms[] = {
    {"Conv", "QLinearConv", "", Signature::weighted, "auto_pad dilations group kernel_shape pads strides"},
    {"MatMul", "QLinearMatMul", "", Signature::weighted, ""},
    {"Gemm", "QGemm", contrib, Signature::gemm, "alpha transA transB"},
    {"Add", "QLinearAdd", contrib, Signature::binary, ""},
    {"Mul", "QLinearMul", contrib, Signature::binary, ""},
    {"Concat", "QLinearConcat", contrib, Signature::list, "axis"},
    {"GlobalAveragePool", "QLinearGlobalAveragePool", contrib, Signature::unary, ""},
    {"AveragePool", "QLinearAveragePool", contrib, Signature::unary, window},
    {"LeakyRelu", "QLinearLeakyRelu", contrib, Signature::unary, "alpha"},
    {"Sigmoid", "QLinearSigmoid", contrib, Signature::unary, ""},
    {"Softmax", "QLinearSoftmax", contrib, Signature::unary, "axis"},
};

/// Attributes that the QOperator lacks, with the value at which it means the same.
bool is_neutral(const Attribute &attribute) {
  if (attribute.name == "beta") return std::get_if<float>(&attribute.value) && std::get<float>(attribute.value) == 1;
  if (attribute.name == "channels_last")
    return std::get_if<std::int64_t>(&attribute.value) && std::get<std::int64_t>(attribute.value) == 0;
  if (attribute.name == "opset")
    return std::get_if<std::int64_t>(&attribute.value) && std::get<std::int64_t>(attribute.value) >= 13;
  if (attribute.name != "dilations") return false;
  const auto *values = std::get_if<std::vector<std::int64_t>>(&attribute.value);
  return values && std::ranges::all_of(*values, [](auto d) { return d == 1; });
}

bool shares(const Form &form, std::string_view name) {
  const auto at = form.attributes.find(name);
  if (name.empty() || at == std::string_view::npos) return false;
  const auto end = at + name.size();
  return (at == 0 || form.attributes[at - 1] == ' ') && (end == form.attributes.size() || form.attributes[end] == ' ');
}

/// The attributes both forms know; nothing where the other form would mean something else.
std::optional<std::vector<Attribute>> shared_attributes(const Form &form, const Node &node) {
  std::vector<Attribute> kept;
  for (const Attribute &attribute : node.attributes) {
    if (shares(form, attribute.name))
      kept.push_back(attribute);
    else if (!is_neutral(attribute))
      return std::nullopt;
  }
  return kept;
}

} // namespace

namespace proto {
namespace {

bool is_code(const Speller &speller, ValueId id) {
  const Quant *quant = speller.quant(id);
  return quant && bits(speller.graph.value(id).type.dtype) == 8 && quant->block == 0;
}

/// A tensor, its scale and its zero point; QLinearConv takes one zero for all channels, QGemm does not.
void add_tensor(Speller &speller, ValueId id, bool one_zero, std::vector<ValueId> &operands) {
  const auto &zeros = speller.quant(id)->zero_points;
  const bool none = std::ranges::all_of(zeros, [](auto zero) { return zero == 0; });
  operands.push_back(id);
  operands.push_back(speller.scale(id));
  operands.push_back(none && one_zero ? speller.zero(speller.graph.value(id).type.dtype) : speller.zero_point(id));
}

bool is_plain_bias(const Speller &speller, ValueId id) {
  return speller.quant(id) && speller.graph.value(id).type.dtype == DType::int32;
}

std::optional<std::vector<ValueId>> coded_operands(Speller &speller, const Form &form, const Node &node) {
  const ValueId y = node.outputs[0];
  const bool to_codes = is_code(speller, y) && speller.quant(y)->is_per_tensor();
  const std::size_t data = form.signature == Signature::list    ? node.inputs.size()
                           : form.signature == Signature::unary ? 1
                                                                : 2;
  const bool product = form.signature == Signature::weighted || form.signature == Signature::gemm;
  if (node.inputs.size() < data || node.inputs.size() > (product ? 3 : data)) return std::nullopt;
  for (std::size_t i = 0; i < data; ++i) {
    if (!is_code(speller, node.inputs[i])) return std::nullopt;
    if (!(product && i == 1) && !speller.quant(node.inputs[i])->is_per_tensor()) return std::nullopt;
  }
  const ValueId bias = product ? node.input(2) : ValueId{};
  if (bias.valid() && !is_plain_bias(speller, bias)) return std::nullopt;
  if (!to_codes && !(form.signature == Signature::gemm && !speller.quant(y))) return std::nullopt;
  std::vector<ValueId> operands;
  if (form.signature == Signature::list) operands = {speller.scale(y), speller.zero_point(y)};
  for (std::size_t i = 0; i < data; ++i) add_tensor(speller, node.inputs[i], form.coded == "QLinearConv", operands);
  if (form.signature == Signature::gemm && (bias.valid() || to_codes)) operands.push_back(bias);
  if (to_codes && form.signature != Signature::list) {
    operands.push_back(speller.scale(y));
    operands.push_back(speller.zero_point(y));
  }
  if (form.signature == Signature::weighted && bias.valid()) operands.push_back(bias);
  return operands;
}

} // namespace

bool spell_qoperator(Speller &speller, NodeId id) {
  const Node node = speller.graph.node(id);
  const auto *form = std::ranges::find_if(forms, [&](const Form &f) { return node.is(f.plain); });
  if (form == std::end(forms) || node.outputs.size() != 1) return false;
  auto attributes = shared_attributes(*form, node);
  if (!attributes) return false;
  auto operands = coded_operands(speller, *form, node);
  if (!operands) return false;
  Node made{.op = std::string(form->coded),
            .domain = std::string(form->domain),
            .inputs = std::move(*operands),
            .attributes = std::move(*attributes)};
  if (form->coded == "QLinearSoftmax") made.attributes.push_back({"opset", speller.graph.opset()});
  if (!form->domain.empty()) speller.graph.opsets.emplace(form->domain, 1);
  speller.replace(id, std::move(made));
  return true;
}

} // namespace proto

namespace {

/// A tensor of a QOperator with its scale and zero point.
struct Coded {
  ValueId tensor, scale, zero_point;
};

struct Operands {
  std::vector<Coded> data;
  ValueId bias, y_scale, y_zero_point;
};

/// Takes a QOperator's operands apart; nothing where some are missing.
std::optional<Operands> take_apart(const Form &form, const Node &node) {
  Operands found;
  const bool product = form.signature == Signature::weighted || form.signature == Signature::gemm;
  std::size_t at = form.signature == Signature::list ? 2 : 0;
  const std::size_t end = form.signature == Signature::list    ? node.inputs.size()
                          : form.signature == Signature::unary ? 3
                                                               : 6;
  if (node.inputs.size() < end || end < 3 || (end - at) % 3 != 0) return std::nullopt;
  for (; at < end; at += 3) found.data.push_back({node.inputs[at], node.inputs[at + 1], node.inputs[at + 2]});
  if (form.signature == Signature::gemm) found.bias = node.input(at++);
  if (form.signature == Signature::list) at = 0;
  found.y_scale = node.input(at);
  found.y_zero_point = node.input(at + 1);
  if (product && form.signature == Signature::weighted) found.bias = node.input(at + 2);
  return found;
}

class Unfolder {
public:
  explicit Unfolder(Graph &graph) : graph_(graph) {}
  bool unfold(NodeId id, const Form &form);

private:
  Graph &graph_;

  [[nodiscard]] bool known(const Coded &coded) const {
    return coded.tensor.valid() && graph_.constant(coded.scale) &&
           (!coded.zero_point.valid() || graph_.constant(coded.zero_point));
  }
  ValueId dequantize(const Coded &coded, int axis, NodeId before);
  ValueId dequantize_bias(const Operands &operands, float alpha, NodeId before);
};

/// `axis`: that of the scales, where there are several.
ValueId Unfolder::dequantize(const Coded &coded, int axis, NodeId before) {
  Node node{.op = "DequantizeLinear", .inputs = {coded.tensor, coded.scale}};
  const Tensor scale = *graph_.constant(coded.scale);
  const std::optional<Tensor> zero =
      coded.zero_point.valid() ? std::optional(*graph_.constant(coded.zero_point)) : std::nullopt;
  const bool spread = zero && zero->size() != scale.size() && zero->size() == 1; // one zero point for all channels
  if (spread) {
    const std::vector<std::int64_t> zeros(static_cast<std::size_t>(scale.size()), to_int64s(*zero)[0]);
    node.inputs.push_back(graph_.add_constant(from_int64s(zero->dtype, scale.dims, zeros)));
  } else if (zero) {
    node.inputs.push_back(coded.zero_point);
  }
  if (scale.size() > 1 && axis != 1) node.attributes.push_back({"axis", std::int64_t{axis}});
  return graph_.add_op(std::move(node), Type::tensor(DType::float32, graph_.value(coded.tensor).type.shape), before);
}

/// The bias of a product counts in steps of alpha * x's scale * w's.
ValueId Unfolder::dequantize_bias(const Operands &operands, float alpha, NodeId before) {
  const float x = to_floats(*graph_.constant(operands.data[0].scale))[0];
  std::vector<float> scales = to_floats(*graph_.constant(operands.data[1].scale));
  for (float &scale : scales) scale = alpha * (x * scale);
  const bool one = scales.size() == 1;
  const Dims dims = one ? Dims{} : Dims{static_cast<std::int64_t>(scales.size())};
  const ValueId scale = graph_.add_constant(Tensor::of(dims, std::move(scales)));
  return dequantize({operands.bias, scale, {}}, 0, before);
}

bool Unfolder::unfold(NodeId id, const Form &form) {
  const Node node = graph_.node(id);
  const auto operands = take_apart(form, node);
  const auto attributes = shared_attributes(form, node);
  if (!operands || !attributes || !std::ranges::all_of(operands->data, [&](const Coded &c) { return known(c); }))
    return false;
  const Coded y{node.outputs[0], operands->y_scale, operands->y_zero_point};
  const bool to_float = !y.scale.valid();
  if (to_float ? form.signature != Signature::gemm : !known(y)) return false;
  const bool transposed = node.get_int("transB", 0) != 0;
  const int weight_axis = form.signature == Signature::weighted ? (node.is("QLinearConv") ? 0 : 1) : transposed ? 0 : 1;
  Node plain;
  plain.op = form.plain;
  plain.name = node.name;
  plain.origins = node.origins;
  plain.doc = node.doc;
  plain.metadata = node.metadata;
  plain.attributes = *attributes;
  for (std::size_t i = 0; i < operands->data.size(); ++i)
    plain.inputs.push_back(dequantize(operands->data[i], i == 1 ? weight_axis : 1, id));
  if (operands->bias.valid()) plain.inputs.push_back(dequantize_bias(*operands, node.get_float("alpha", 1), id));
  graph_.detach_output(id, 0, graph_.value(y.tensor).type);
  if (to_float) {
    plain.outputs = {y.tensor};
    graph_.add_node(std::move(plain), id);
  } else {
    Node quantize{
        .op = "QuantizeLinear",
        .inputs = {graph_.add_op(std::move(plain), Type::tensor(DType::float32, graph_.value(y.tensor).type.shape), id),
                   y.scale}};
    if (y.zero_point.valid()) quantize.inputs.push_back(y.zero_point);
    quantize.outputs = {y.tensor};
    graph_.add_node(std::move(quantize), id);
  }
  graph_.remove(id);
  for (const ValueId input : node.inputs)
    if (graph_.alive(input) && graph_.constant(input) && graph_.use_count(input) == 0) graph_.remove(input);
  return true;
}

/// onnxruntime's operator set is imported for as long as something uses it; sub-graphs may.
void drop_contrib(Graph &graph) {
  for (const NodeId id : graph.nodes())
    if (graph.node(id).domain == contrib || !graph.node(id).captures.empty()) return;
  graph.opsets.erase(std::string(contrib));
}

} // namespace

bool unfold_qoperators(Graph &graph) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto *form =
        std::ranges::find_if(forms, [&](const Form &f) { return node.op == f.coded && node.domain == f.domain; });
    if (form != std::end(forms)) changed |= Unfolder(graph).unfold(id, *form);
  }
  if (changed) drop_contrib(graph);
  return changed;
}

} // namespace edgec
