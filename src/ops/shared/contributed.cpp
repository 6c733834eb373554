// Operators of onnxruntime's own domain, com.microsoft, as its tools emit them when they quantize and fuse: what each
// is in ONNX's operators. Definitions: onnxruntime docs/ContribOperators.md.
#include <cmath>

#include <fmt/format.h>

#include "ir/opdef.h"
#include "ops/registry.h"

namespace edgec {
namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<Attribute>;

/// The body of one node in the making. An omitted operand is none, and operators take that.
class Body {
public:
  Body(const Node &one, const Opsets &opsets, std::span<const Type *const> inputs) : node(one), types_(inputs) {
    graph.opsets = opsets;
    graph.opsets.try_emplace("", 18);
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      inputs_.push_back(node.inputs[i].valid() ? graph.add_input(fmt::format("in{}", i),
                                                                 i < inputs.size() && inputs[i] ? *inputs[i] : unknown)
                                               : ValueId{});
  }

  const Node &node;
  Graph graph;

  [[nodiscard]] ValueId in(std::size_t i) const { return i < inputs_.size() ? inputs_[i] : ValueId{}; }
  [[nodiscard]] std::optional<int> rank(std::size_t i) const {
    return i < types_.size() && types_[i] ? types_[i]->rank() : std::nullopt;
  }
  [[nodiscard]] std::size_t count() const { return inputs_.size(); }

  ValueId op(std::string type, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return ops(std::move(type), std::move(inputs), std::move(attributes), 1)[0];
  }
  std::vector<ValueId> ops(std::string type, std::vector<ValueId> inputs, Attributes attributes, std::size_t outputs) {
    Node made{.op = std::move(type), .inputs = std::move(inputs), .attributes = std::move(attributes)};
    for (std::size_t i = 0; i < outputs; ++i) made.outputs.push_back(graph.add_value(unknown));
    const auto values = made.outputs;
    graph.add_node(std::move(made));
    return values;
  }
  ValueId number(float value) { return graph.add_constant(Tensor::scalar(value)); }
  ValueId ints(Ints values) {
    const auto size = static_cast<std::int64_t>(values.size());
    return graph.add_constant(Tensor::of({size}, std::move(values)));
  }
  ValueId cast(ValueId x, DType to) { return op("Cast", {x}, {{"to", static_cast<std::int64_t>(to)}}); }
  /// x + y where y is given.
  ValueId plus(ValueId x, ValueId y) { return y.valid() ? op("Add", {x, y}) : x; }
  /// Outputs in order; what is not wanted is left out, what is wanted beyond them refused by finish().
  void out(ValueId value) {
    const std::size_t i = done_++;
    if (i < node.outputs.size() && node.outputs[i].valid()) graph.add_output(value, fmt::format("out{}", i));
  }
  Result<Graph> finish() {
    for (std::size_t i = done_; i < node.outputs.size(); ++i)
      if (node.outputs[i].valid()) return unsupported(fmt::format("output {} of {} is not supported", i, node.op));
    return std::move(graph);
  }

  /// Attributes of these names, taken over.
  [[nodiscard]] Attributes take(std::initializer_list<std::string_view> names) const {
    Attributes found;
    for (const std::string_view name : names)
      if (const Attribute *attribute = node.attribute(name)) found.push_back(*attribute);
    return found;
  }

private:
  static inline const Type unknown{Type::Kind::unknown, DType::undefined, {}, {}, nullptr};
  std::span<const Type *const> types_;
  std::vector<ValueId> inputs_;
  std::size_t done_ = 0;
};

// ---- quantized operators: codes to reals, the float operator, reals to codes

/// Operands i, i + 1, i + 2 are codes, scale, zero point.
ValueId reals(Body &b, std::size_t i, Attributes attributes = {}) {
  return b.op("DequantizeLinear", {b.in(i), b.in(i + 1), b.in(i + 2)}, std::move(attributes));
}
void codes(Body &b, ValueId x, std::size_t scale) { b.out(b.op("QuantizeLinear", {x, b.in(scale), b.in(scale + 1)})); }

template <const char *type>
Status binary(Body &b) {
  codes(b, b.op(type, {reals(b, 0), reals(b, 3)}), 6);
  return {};
}
constexpr char add[] = "Add", mul[] = "Mul";

template <const char *type>
Status unary(Body &b) {
  codes(b, b.op(type, {reals(b, 0)}, b.take({"alpha", "axis", "axes", "keepdims"})), 3);
  return {};
}
constexpr char leaky_relu[] = "LeakyRelu", sigmoid[] = "Sigmoid", softmax[] = "Softmax", reduce_mean[] = "ReduceMean";

template <const char *type>
Status pool(Body &b) {
  if (b.node.get_int("channels_last", 0) != 0) return unsupported("channels_last is not supported");
  const ValueId x = b.op(type, {reals(b, 0)},
                         b.take({"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"}));
  codes(b, x, 3);
  return {};
}
constexpr char average_pool[] = "AveragePool", global_average_pool[] = "GlobalAveragePool";

Status concat(Body &b) { // scale and zero point of the result come first
  std::vector<ValueId> parts;
  for (std::size_t i = 2; i + 1 < b.count(); i += 3) parts.push_back(reals(b, i));
  b.out(b.op("QuantizeLinear", {b.op("Concat", parts, b.take({"axis"})), b.in(0), b.in(1)}));
  return {};
}

Status gemm(Body &b) { // the bias is int32 in units of both scales
  const std::int64_t axis = b.node.get_int("transB", 0) != 0 ? 0 : 1;
  const ValueId product = b.op("Gemm", {reals(b, 0), reals(b, 3, {{"axis", axis}})}, b.take({"transA", "transB"}));
  const ValueId unit = b.op("Mul", {b.in(1), b.in(4)});
  ValueId y = b.in(6).valid() ? b.op("Add", {product, b.op("Mul", {b.cast(b.in(6), DType::float32), unit})}) : product;
  if (const float alpha = b.node.get_float("alpha", 1); alpha != 1) y = b.op("Mul", {y, b.number(alpha)});
  if (!b.in(7).valid())
    b.out(y); // without a scale the result stays float
  else
    codes(b, y, 7);
  return {};
}

template <const char *type>
Status same_as_onnx(Body &b) {
  b.out(b.op(type, {b.in(0), b.in(1), b.in(2)}, b.take({"axis", "block_size", "output_dtype", "saturate"})));
  return {};
}
constexpr char quantize_linear[] = "QuantizeLinear", dequantize_linear[] = "DequantizeLinear";

/// Integer product of codes a and b with zero points, in reals.
ValueId integer_product(Body &b, ValueId x, ValueId w, ValueId x_zero, ValueId w_zero, ValueId x_scale,
                        ValueId w_scale) {
  return b.op("Mul",
              {b.cast(b.op("MatMulInteger", {x, w, x_zero, w_zero}), DType::float32), b.op("Mul", {x_scale, w_scale})});
}

Status dynamic_matmul(Body &b) { // A, B, scale and zero point of B, bias
  const auto x = b.ops("DynamicQuantizeLinear", {b.in(0)}, {}, 3);
  b.out(b.plus(integer_product(b, x[0], b.in(1), x[2], b.in(3), x[1], b.in(2)), b.in(4)));
  return {};
}

Status integer_matmul(Body &b) { // A, B, scales, zero points, bias
  b.out(b.plus(integer_product(b, b.in(0), b.in(1), b.in(4), b.in(5), b.in(2), b.in(3)), b.in(6)));
  return {};
}

// ---- fused float operators

ValueId gelu_of(Body &b, ValueId x, bool tanh) {
  if (tanh) {
    const ValueId cubic = b.op("Mul", {b.op("Mul", {x, x}), b.op("Mul", {x, b.number(0.044715F)})});
    const ValueId t = b.op("Tanh", {b.op("Mul", {b.op("Add", {x, cubic}), b.number(0.7978845608028654F)})});
    return b.op("Mul", {b.op("Mul", {x, b.number(0.5F)}), b.op("Add", {t, b.number(1)})});
  }
  const ValueId e = b.op("Erf", {b.op("Mul", {x, b.number(0.70710678118654752F)})});
  return b.op("Mul", {b.op("Mul", {x, b.number(0.5F)}), b.op("Add", {e, b.number(1)})});
}

Status gelu(Body &b) { // Gelu, and BiasGelu with a second operand
  b.out(gelu_of(b, b.plus(b.in(0), b.in(1)), false));
  return {};
}
Status fast_gelu(Body &b) {
  b.out(gelu_of(b, b.plus(b.in(0), b.in(1)), true));
  return {};
}
Status quick_gelu(Body &b) {
  b.out(b.op("Mul", {b.in(0), b.op("Sigmoid", {b.op("Mul", {b.in(0), b.number(b.node.get_float("alpha", 1.702F))})})}));
  return {};
}

/// The last two axes exchanged.
Result<ValueId> transposed(Body &b, std::size_t i, std::string_view flag) {
  if (b.node.get_int(flag, 0) == 0) return b.in(i);
  const auto rank = b.rank(i);
  if (!rank || *rank < 2) return unsupported(fmt::format("{} of an operand of unknown rank", flag));
  Ints order;
  for (int k = 0; k < *rank; ++k) order.push_back(k);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return b.op("Transpose", {b.in(i)}, {{"perm", order}});
}

Status fused_matmul(Body &b) {
  if (b.node.get_int("transBatchA", 0) != 0 || b.node.get_int("transBatchB", 0) != 0)
    return unsupported("transBatchA and transBatchB are not supported");
  EDGEC_ASSIGN(const ValueId x, transposed(b, 0, "transA"));
  EDGEC_ASSIGN(const ValueId w, transposed(b, 1, "transB"));
  const ValueId y = b.op("MatMul", {x, w});
  const float alpha = b.node.get_float("alpha", 1);
  b.out(alpha == 1 ? y : b.op("Mul", {y, b.number(alpha)}));
  return {};
}

/// The attribute `activation` and its parameters.
Result<ValueId> activated(Body &b, ValueId x) {
  const std::string kind = b.node.get_string("activation", "");
  if (kind.empty()) return x;
  std::vector<float> p;
  if (const auto *given = b.node.get<std::vector<float>>("activation_params")) p = *given;
  p.resize(2, 0);
  if (const Attribute *alpha = b.node.attribute("activation_alpha");
      alpha && std::holds_alternative<float>(alpha->value))
    p[0] = std::get<float>(alpha->value);
  if (kind == "Clip") return b.op("Clip", {x, b.number(p[0]), b.number(p[1])});
  if (kind == "LeakyRelu") return b.op(kind, {x}, {{"alpha", p[0]}});
  if (kind == "HardSigmoid") return b.op(kind, {x}, {{"alpha", p[0]}, {"beta", p[1]}});
  if (kind == "Relu" || kind == "Sigmoid" || kind == "Tanh") return b.op(kind, {x});
  return unsupported(fmt::format("activation {} is not supported", kind));
}

Status fused_conv(Body &b) { // X, W, bias, a summand
  const ValueId y = b.op("Conv", {b.in(0), b.in(1), b.in(2)},
                         b.take({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}));
  EDGEC_ASSIGN(const ValueId result, activated(b, b.plus(y, b.in(3))));
  b.out(result);
  return {};
}

Status fused_gemm(Body &b) {
  const ValueId y = b.op("Gemm", {b.in(0), b.in(1), b.in(2)}, b.take({"alpha", "beta", "transA", "transB"}));
  EDGEC_ASSIGN(const ValueId result, activated(b, y));
  b.out(result);
  return {};
}

Attributes last_axis(const Body &b, float epsilon) {
  return {{"axis", std::int64_t{-1}}, {"epsilon", b.node.get_float("epsilon", epsilon)}};
}

Status skip_layer_norm(Body &b) { // input, skip, gamma, beta, bias; the sum is the fourth output
  const ValueId sum = b.plus(b.op("Add", {b.in(0), b.in(1)}), b.in(4));
  const auto y = b.ops("LayerNormalization", {sum, b.in(2), b.in(3)}, last_axis(b, 1e-12F), 3);
  for (const ValueId value : {y[0], y[1], y[2], sum}) b.out(value);
  return {};
}

/// x / sqrt(mean(x^2) + epsilon) * scale.
ValueId rms_norm(Body &b, ValueId x, ValueId scale, float epsilon) {
  return b.op("RMSNormalization", {x, scale}, last_axis(b, epsilon));
}

Status simplified_layer_norm(Body &b) {
  if (b.node.get_int("axis", -1) != -1) return unsupported("another axis than the last is not supported");
  b.out(rms_norm(b, b.in(0), b.in(1), 1e-5F));
  return {};
}

Status skip_simplified_layer_norm(Body &b) { // input, skip, gamma, bias
  const ValueId sum = b.plus(b.op("Add", {b.in(0), b.in(1)}), b.in(3));
  b.out(rms_norm(b, sum, b.in(2), 1e-12F));
  if (b.node.outputs.size() > 3 && !b.node.outputs[1].valid() && !b.node.outputs[2].valid()) {
    b.out({});
    b.out({});
    b.out(sum);
  }
  return {};
}

Status embed_layer_norm(Body &b) { // ids, segments, three tables, gamma, beta, mask, positions
  const ValueId words = b.op("Gather", {b.in(2), b.in(0)});
  ValueId positions = b.in(8);
  if (!positions.valid()) {
    const ValueId length =
        b.op("Gather", {b.op("Shape", {b.in(0)}), b.graph.add_constant(Tensor::scalar<std::int64_t>(1))});
    const ValueId zero = b.graph.add_constant(Tensor::scalar<std::int64_t>(0)),
                  one = b.graph.add_constant(Tensor::scalar<std::int64_t>(1));
    positions = b.op("Range", {zero, length, one});
  }
  ValueId sum = b.op("Add", {words, b.op("Gather", {b.in(3), positions})});
  if (b.in(1).valid()) sum = b.op("Add", {sum, b.op("Gather", {b.in(4), b.in(1)})});
  b.out(b.op("LayerNormalization", {sum, b.in(5), b.in(6)}, last_axis(b, 1e-12F)));
  const ValueId last = b.ints({1});
  if (b.in(7).valid())
    b.out(b.op("ReduceSum", {b.in(7), last}, {{"keepdims", std::int64_t{0}}})); // how long each row is
  else
    b.out(b.op("ConstantOfShape", {b.op("Slice", {b.op("Shape", {b.in(0)}), b.ints({0}), b.ints({1})})},
               {{"value", from_int64s(DType::int32, {1}, Ints{0})}}));
  b.out(sum);
  return {};
}

/// What is added to the scores for a mask [batch, keys] of 0 and 1, or [batch, queries, keys].
Result<ValueId> added_mask(Body &b, std::size_t i) {
  if (!b.in(i).valid()) return ValueId{};
  const auto rank = b.rank(i);
  if (!rank || (*rank != 2 && *rank != 3))
    return unsupported("a mask of lengths, or of unknown rank, is not supported");
  const float low = b.node.get_float("mask_filter_value", -10000);
  const ValueId hidden = b.op("Sub", {b.number(1), b.cast(b.in(i), DType::float32)});
  return b.op("Unsqueeze", {b.op("Mul", {hidden, b.number(low)}), *rank == 2 ? b.ints({1, 2}) : b.ints({1})});
}

/// Q, K and V side by side in one tensor [batch, length, 3 * size] to the attended values.
Status attend(Body &b, ValueId qkv, std::size_t mask) {
  const std::int64_t heads = b.node.get_int("num_heads", 0);
  if (const auto sizes = b.node.get_ints("qkv_hidden_sizes");
      !sizes.empty() && (sizes.size() != 3 || sizes[0] != sizes[1] || sizes[0] != sizes[2]))
    return unsupported("Q, K and V of different sizes are not supported");
  Attributes split{{"axis", std::int64_t{2}}};
  if (b.graph.opset() >= 18) split.push_back({"num_outputs", std::int64_t{3}});
  const auto parts = b.ops("Split", {qkv}, std::move(split), 3);
  EDGEC_ASSIGN(const ValueId added, added_mask(b, mask));
  Attributes attributes{
      {"q_num_heads", heads}, {"kv_num_heads", heads}, {"is_causal", b.node.get_int("unidirectional", 0)}};
  if (const float scale = b.node.get_float("scale", 0); scale != 0) attributes.push_back({"scale", scale});
  b.out(b.op("Attention", {parts[0], parts[1], parts[2], added}, std::move(attributes)));
  return {};
}

Status attention(Body &b) { // input, weights, bias, mask, past, bias of the scores
  if (b.in(4).valid() || b.in(5).valid()) return unsupported("a past or a bias of the scores is not supported");
  return attend(b, b.plus(b.op("MatMul", {b.in(0), b.in(1)}), b.in(2)), 3);
}

Status quantized_attention(Body &b) { // input, weights, bias, their scales, mask, their zero points, past
  if (b.in(8).valid()) return unsupported("a past is not supported");
  const ValueId x = b.op("DequantizeLinear", {b.in(0), b.in(3), b.in(6)}),
                w = b.op("DequantizeLinear", {b.in(1), b.in(4), b.in(7)}, {{"axis", std::int64_t{1}}});
  return attend(b, b.plus(b.op("MatMul", {x, w}), b.in(2)), 5);
}

// ---- MatMulNBits: B [N, blocks, bytes] holds 4- or 8-bit codes of blocks along K

Status matmul_bits(Body &b) {
  const std::int64_t n = b.node.get_int("N", 0), k = b.node.get_int("K", 0), bits = b.node.get_int("bits", 4),
                     block = b.node.get_int("block_size", 0);
  if ((bits != 4 && bits != 8) || n < 1 || k < 1 || block < 16 || block > 65536 || k > (1 << 30))
    return unsupported(fmt::format("{} bits in blocks of {}", bits, block));
  if (b.in(4).valid()) return unsupported("reordered groups (g_idx) are not supported");
  const std::int64_t blocks = (k + block - 1) / block;
  const auto unpacked = [&](ValueId x, std::int64_t count) { // [N, bytes] to [N, count] floats
    if (bits == 8) return b.cast(b.op("Reshape", {x, b.ints({n, count})}), DType::float32);
    const ValueId bytes = b.op("Reshape", {x, b.ints({n, -1, 1})});
    const auto constant = [&](int value) { return b.graph.add_constant(from_int64s(DType::uint8, {}, Ints{value})); };
    // x / 16 is the high half; x - 16 * (x / 16) the low one.
    const ValueId high = b.op("Div", {bytes, constant(16)}),
                  low = b.op("Sub", {bytes, b.op("Mul", {high, constant(16)})});
    const ValueId both = b.op("Reshape", {b.op("Concat", {low, high}, {{"axis", std::int64_t{2}}}), b.ints({n, -1})});
    return b.cast(b.op("Slice", {both, b.ints({0}), b.ints({count}), b.ints({1})}), DType::float32);
  };
  const ValueId codes = b.op("Reshape", {unpacked(b.in(1), blocks * block), b.ints({n, blocks, block})});
  ValueId zeros = b.number(static_cast<float>(1 << (bits - 1)));
  if (b.in(3).valid()) zeros = b.op("Reshape", {unpacked(b.in(3), blocks), b.ints({n, blocks, 1})});
  const ValueId w = b.op("Mul", {b.op("Sub", {codes, zeros}), b.op("Reshape", {b.in(2), b.ints({n, blocks, 1})})});
  const ValueId rows =
      b.op("Slice", {b.op("Reshape", {w, b.ints({n, blocks * block})}), b.ints({0}), b.ints({k}), b.ints({1})});
  b.out(b.plus(b.op("MatMul", {b.in(0), b.op("Transpose", {rows}, {{"perm", Ints{1, 0}}})}), b.in(5)));
  return {};
}

struct Contributed {
  std::string_view name;
  Status (*build)(Body &);
  std::string_view domain = "com.microsoft";
};

constexpr Contributed contributed[] = {
    {"Attention", attention},
    {"BiasGelu", gelu},
    {"DequantizeLinear", same_as_onnx<dequantize_linear>},
    {"DynamicQuantizeMatMul", dynamic_matmul},
    {"EmbedLayerNormalization", embed_layer_norm},
    {"FastGelu", fast_gelu},
    {"FusedConv", fused_conv},
    {"FusedGemm", fused_gemm},
    {"FusedMatMul", fused_matmul},
    {"Gelu", gelu},
    {"MatMulIntegerToFloat", integer_matmul},
    {"MatMulNBits", matmul_bits},
    {"QAttention", quantized_attention},
    {"QGemm", gemm},
    {"QLinearAdd", binary<add>},
    {"QLinearAveragePool", pool<average_pool>},
    {"QLinearConcat", concat},
    {"QLinearGlobalAveragePool", pool<global_average_pool>},
    {"QLinearLeakyRelu", unary<leaky_relu>},
    {"QLinearMul", binary<mul>},
    {"QLinearReduceMean", unary<reduce_mean>},
    {"QLinearSigmoid", unary<sigmoid>},
    {"QLinearSoftmax", unary<softmax>},
    {"QuantizeLinear", same_as_onnx<quantize_linear>},
    {"QuickGelu", quick_gelu},
    {"SimplifiedLayerNormalization", simplified_layer_norm, ""}, // stands in ONNX's own domain
    {"SkipLayerNormalization", skip_layer_norm},
    {"SkipSimplifiedLayerNormalization", skip_simplified_layer_norm},
};

FunctionBody other_bodies = nullptr;

Result<Graph> function_body(const Node &node, const Opsets &opsets, std::span<const Type *const> inputs) {
  for (const Contributed &candidate : contributed) {
    if (candidate.name != node.op || candidate.domain != node.domain) continue;
    Body body(node, opsets, inputs);
    EDGEC_CHECK(candidate.build(body));
    return body.finish();
  }
  if (other_bodies) return other_bodies(node, opsets, inputs);
  return unsupported(fmt::format("{} is not defined by other operators", node.op));
}

} // namespace

void install_function_bodies(FunctionBody others) {
  other_bodies = others;
  all_ops().set_function_bodies(function_body);
}

} // namespace edgec
