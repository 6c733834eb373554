// Dynamic quantization: activations become codes by the range that they have when the network runs.
//
//   y = Gemm(x, w, b)   becomes   xq, sx, zx = DynamicQuantizeLinear(x)
//   w codes of scales sw          y = Cast(MatMulInteger(xq, w, zx)) * (sx * sw) + b
//
// In these words onnxruntime finds its own operator for all of it. Only products of matrices gain by it: a Conv reads
// the reals of its weights. LSTMs do, too, in an operator of onnxruntime's own (--target ort; dynamic/recurrent.h).
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "schemes/dynamic/recurrent.h"
#include "schemes/int8/options.h"
#include "schemes/int8/target.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "dynamic-activations";

/// A product of a float matrix with constant codes.
struct Product {
  NodeId node;
  Tensor codes;  ///< int8 [K, N]
  Tensor scales; ///< float32, one, or one per column
};

Tensor transposed(const Tensor &matrix) {
  const auto rows = static_cast<std::size_t>(matrix.dims[0]), columns = static_cast<std::size_t>(matrix.dims[1]);
  const auto codes = matrix.as<std::int8_t>();
  std::vector<std::int8_t> turned(codes.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) turned[j * rows + i] = codes[i * columns + j];
  return Tensor::of({matrix.dims[1], matrix.dims[0]}, std::move(turned));
}

bool is_float(const Graph &graph, ValueId id) {
  return id.valid() && graph.value(id).type.is_tensor() && graph.value(id).type.dtype == DType::float32;
}

/// The node as a product, if it is one of codes that MatMulInteger takes; else nothing, with the reason said.
std::optional<Product> as_product(const Graph &graph, NodeId id, const Job &job) {
  const Node &node = graph.node(id);
  if (!node.is("MatMul") && !node.is("Gemm")) return std::nullopt;
  const Node *dequantize = graph.producer(node.input(1));
  if (dequantize == nullptr || !dequantize->is("DequantizeLinear")) return std::nullopt;
  const auto left = [&](std::string_view why) -> std::optional<Product> {
    job.skip(name, node.label(), std::string(why));
    return std::nullopt;
  };
  const Tensor *codes = graph.constant(dequantize->input(0)), *scales = graph.constant(dequantize->input(1));
  if (!codes || !scales || graph.constant(node.input(0))) return std::nullopt;
  if (!job.scope.allows(node)) return left("left out as asked");
  if (!is_float(graph, node.input(0)) || !is_float(graph, node.outputs[0])) return left("its data is not float32");
  if (codes->dtype != DType::int8 || codes->rank() != 2) return left("its weight is not a matrix of int8 codes");
  if (const Tensor *zeros = graph.constant(dequantize->input(2)); dequantize->input(2).valid())
    if (!zeros || std::ranges::any_of(to_int64s(*zeros), [](std::int64_t zero) { return zero != 0; }))
      return left("its weight's codes have zero points");
  if (node.get_int("transA", 0) != 0) return left("its data is transposed");
  const bool turned = node.get_int("transB", 0) != 0;
  const std::int64_t axis = dequantize->get_int("axis", 1);
  if (scales->size() != 1 && ((axis + 2) % 2 != (turned ? 0 : 1) || dequantize->get_int("block_size", 0) != 0))
    return left("its weight has no scale per column");
  std::vector<float> values(scales->as<float>().begin(), scales->as<float>().end());
  for (float &value : values) value *= node.get_float("alpha", 1);
  const Dims dims = values.size() == 1 ? Dims{} : Dims{static_cast<std::int64_t>(values.size())};
  return Product{id, turned ? transposed(*codes) : *codes, Tensor::of(dims, std::move(values))};
}

class Rewriter {
public:
  explicit Rewriter(Graph &graph) : graph_(graph) {}

  void rewrite(const Product &product) {
    const NodeId id = product.node;
    const Node node = graph_.node(id); // a copy: the graph changes
    const Codes data = codes_of(node.inputs[0], id);
    const ValueId result = node.outputs[0];
    const Type reals = graph_.value(result).type, sums = Type{Type::Kind::tensor, DType::int32, reals.shape};
    const ValueId codes = graph_.add_constant(product.codes, graph_.value(node.inputs[1]).name);
    const ValueId sum = add("MatMulInteger", {data.codes, codes, data.zero}, sums, id);
    const ValueId real = add("Cast", {sum}, reals, id, {{"to", static_cast<std::int64_t>(DType::float32)}});
    const ValueId scales = graph_.add_constant(product.scales);
    const ValueId unit = add("Mul", {data.scale, scales}, Type::of(product.scales), id);
    ValueId found = add("Mul", {real, unit}, reals, id);
    if (node.input(2).valid()) found = add("Add", {found, scaled_bias(node, id)}, reals, id);
    graph_.add_origins(graph_.value(found).producer, node.origins);
    graph_.replace_uses(result, found);
    graph_.remove(id);
  }

private:
  Graph &graph_;
  struct Codes {
    ValueId codes, scale, zero;
  };
  std::map<ValueId, Codes> codes_; ///< of values that products read

  ValueId add(std::string op, std::vector<ValueId> inputs, Type type, NodeId before,
              std::vector<Attribute> attributes = {}) {
    Node node{.op = std::move(op), .inputs = std::move(inputs), .attributes = std::move(attributes)};
    return graph_.add_op(std::move(node), std::move(type), before);
  }

  /// Made once, before the first product that reads them.
  Codes codes_of(ValueId value, NodeId before) {
    const auto [found, fresh] = codes_.try_emplace(value);
    if (!fresh) return found->second;
    Type codes = graph_.value(value).type;
    codes.dtype = DType::uint8;
    Node node{.op = "DynamicQuantizeLinear", .inputs = {value}};
    const Type scale = Type::tensor(DType::float32, Dims{}), zero = Type::tensor(DType::uint8, Dims{});
    found->second = {graph_.add_value(codes), graph_.add_value(scale), graph_.add_value(zero)};
    node.outputs = {found->second.codes, found->second.scale, found->second.zero};
    graph_.add_node(std::move(node), before);
    return found->second;
  }

  ValueId scaled_bias(const Node &node, NodeId before) {
    const float beta = node.get_float("beta", 1);
    const ValueId bias = node.input(2);
    if (beta == 1) return bias;
    return add("Mul", {bias, graph_.add_constant(Tensor::scalar(beta))}, graph_.value(bias).type, before);
  }
};

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  Rewriter rewriter(graph);
  SchemeOutcome outcome;
  for (const NodeId id : graph.nodes()) {
    const auto product = as_product(graph, id, job);
    if (!product) continue;
    rewriter.rewrite(*product);
    outcome.changed = true;
  }
  EDGEC_CHECK(graph.sort());
  graph.remove_dead();
  if (const Target *target = find_target(job.options<Int8Options>().target); target && target->recurrent_codes) {
    EDGEC_ASSIGN(const bool recurrent, quantize_lstms(graph, job, name));
    outcome.changed |= recurrent;
  }
  return outcome;
}

bool wanted(const Settings &settings) { return settings.get<Int8Options>().mode == "dynamic"; }

std::int64_t least_opset(const Settings &, bool) { return 11; }

} // namespace

extern const SchemeDef dynamic_activations;
const SchemeDef dynamic_activations{.name = name,
                                    .flag = "--int8 dynamic",
                                    .summary = "Products of matrices on codes whose ranges are found as they run",
                                    .phase = Phase::numbers,
                                    .place = 88,
                                    .wanted = wanted,
                                    .least_opset = least_opset,
                                    .run = run};

} // namespace edgec::schemes
