#include "tests/formats_flat/models.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "support/random.h"

namespace edgec::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

AssertionResult differ(const std::string &what) { return AssertionFailure() << what << " differs"; }

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

bool same_quant(const std::optional<Quant> &a, const std::optional<Quant> &b) {
  return a.has_value() == b.has_value() &&
         (!a || (a->axis == b->axis && a->block == b->block && a->zero_points == b->zero_points &&
                 std::ranges::equal(a->scales, b->scales, same_bits)));
}

bool same_type(const Type &a, const Type &b) {
  if (a.kind != b.kind || a.dtype != b.dtype || a.shape != b.shape || !same_quant(a.quant, b.quant)) return false;
  if (!a.element || !b.element) return !a.element && !b.element;
  return same_type(*a.element, *b.element);
}

AssertionResult same_graph(const Graph &a, const Graph &b);

AssertionResult same_attribute(const Attribute &a, const Attribute &b) {
  if (a.name != b.name || a.value.index() != b.value.index()) return differ("attribute " + a.name);
  const auto same_items = [](const auto &x, const auto &y, auto same) { return std::ranges::equal(x, y, same); };
  const auto same_sub_graph = [](const SubGraph &x, const SubGraph &y) {
    return static_cast<bool>(same_graph(*x, *y));
  };
  const bool same = std::visit(
      [&]<class T>(const T &x) {
        const T &y = std::get<T>(b.value);
        if constexpr (std::is_same_v<T, float>)
          return same_bits(x, y);
        else if constexpr (std::is_same_v<T, Tensor>)
          return identical(x, y);
        else if constexpr (std::is_same_v<T, Type>)
          return same_type(x, y);
        else if constexpr (std::is_same_v<T, SubGraph>)
          return same_sub_graph(x, y);
        else if constexpr (std::is_same_v<T, std::vector<float>>)
          return same_items(x, y, same_bits);
        else if constexpr (std::is_same_v<T, std::vector<Tensor>>)
          return same_items(x, y, identical);
        else if constexpr (std::is_same_v<T, std::vector<Type>>)
          return same_items(x, y, same_type);
        else if constexpr (std::is_same_v<T, std::vector<SubGraph>>)
          return same_items(x, y, same_sub_graph);
        else
          return x == y;
      },
      a.value);
  return same ? AssertionSuccess() : differ("attribute " + a.name);
}

AssertionResult same_value(const Value &a, const Value &b) {
  const std::string who = "value " + a.name;
  if (a.name != b.name) return differ(who + ": name");
  if (!same_type(a.type, b.type)) return differ(who + ": type");
  if (a.data.has_value() != b.data.has_value() || (a.data && !identical(*a.data, *b.data)))
    return differ(who + ": data");
  if (a.metadata != b.metadata || a.doc != b.doc) return differ(who + ": metadata");
  return AssertionSuccess();
}

AssertionResult same_node(const Node &a, const Node &b) {
  const std::string who = "node " + a.name;
  if (a.op != b.op || a.domain != b.domain || a.name != b.name || a.overload != b.overload) return differ(who);
  if (a.origins != b.origins || a.doc != b.doc || a.metadata != b.metadata)
    return differ(who + ": origins, doc or metadata");
  if (a.attributes.size() != b.attributes.size()) return differ(who + ": number of attributes");
  for (std::size_t i = 0; i < a.attributes.size(); ++i)
    if (const auto same = same_attribute(a.attributes[i], b.attributes[i]); !same) return same;
  return AssertionSuccess();
}

AssertionResult same_graph(const Graph &a, const Graph &b) {
  if (a.name != b.name || a.doc != b.doc || a.opsets != b.opsets || a.metadata != b.metadata) return differ("graph");
  if (a.node_count() != b.node_count() || a.values().size() != b.values().size())
    return differ("number of nodes or values");
  std::map<ValueId, ValueId> partner;
  const auto match = [&](const std::vector<ValueId> &x, const std::vector<ValueId> &y) -> AssertionResult {
    if (x.size() != y.size()) return differ("number of operands");
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (x[i].valid() != y[i].valid()) return differ("an omitted operand");
      if (!x[i].valid()) continue;
      if (partner.try_emplace(x[i], y[i]).first->second != y[i]) return differ("wiring");
      if (const auto same = same_value(a.value(x[i]), b.value(y[i])); !same) return same;
    }
    return AssertionSuccess();
  };
  if (const auto same = match(a.inputs(), b.inputs()); !same) return same;
  if (const auto same = match(a.captures(), b.captures()); !same) return same;
  const auto nodes_a = a.nodes();
  const auto nodes_b = b.nodes();
  for (std::size_t i = 0; i < nodes_a.size(); ++i) {
    const Node &x = a.node(nodes_a[i]);
    const Node &y = b.node(nodes_b[i]);
    if (const auto same = same_node(x, y); !same) return same;
    for (const auto list : {&Node::inputs, &Node::captures, &Node::outputs})
      if (const auto same = match(x.*list, y.*list); !same)
        return AssertionFailure() << x.name << ": " << same.message();
  }
  std::vector<ValueId> outs_a, outs_b;
  for (const GraphOutput &out : a.outputs()) outs_a.push_back(out.value);
  for (const GraphOutput &out : b.outputs()) outs_b.push_back(out.value);
  if (const auto same = match(outs_a, outs_b); !same) return same;
  return std::ranges::equal(a.outputs(), b.outputs(), {}, &GraphOutput::name, &GraphOutput::name)
             ? AssertionSuccess()
             : differ("an output's name");
}

std::vector<std::byte> noise(Random &random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte &byte : bytes) byte = static_cast<std::byte>(random.bits());
  return bytes;
}

/// then_branch of an If: a sub-graph that reads two outer values and holds a sub-graph itself.
SubGraph nested_graph() {
  Graph inner;
  inner.name = "inner";
  inner.add_output(inner.add_capture("deep", Type::tensor(DType::float32)), "deep_out");
  Graph outer;
  outer.name = "then";
  outer.doc = "what happens if";
  const ValueId x = outer.add_capture("x", Type::tensor(DType::float32, Dims{2}));
  const ValueId cond = outer.add_capture("cond", Type::tensor(DType::boolean, Dims{}));
  Node node{.op = "If",
            .name = "nested",
            .inputs = {cond},
            .captures = {x},
            .attributes = {{"then_branch", std::make_shared<const Graph>(inner)}}};
  outer.add_output(outer.add_op(node, Type::tensor(DType::float32, Dims{2})), "out");
  outer.opsets[""] = 21;
  return std::make_shared<const Graph>(outer);
}

Node every_attribute() {
  const Tensor weights = Tensor::of<float>({2}, {1.5F, -0.0F});
  Node node{.op = "Everything", .domain = "org.example"};
  node.overload = "v2";
  node.doc = "documented";
  node.metadata = {{"k", "v"}, {"k", ""}};
  node.attributes = {
      {"int", std::int64_t{-5}},
      {"float", -0.0F},
      {"nan", std::numeric_limits<float>::quiet_NaN()},
      {"string", std::string("a\0b\xff", 4)},
      {"empty", std::string()},
      {"tensor", weights},
      {"graph", nested_graph()},
      {"type", Type{Type::Kind::sequence, DType::undefined, std::nullopt, std::nullopt,
                    std::make_shared<const Type>(Type::tensor(DType::float16, Dims{1}))}},
      {"ints", std::vector<std::int64_t>{INT64_MIN, 0, INT64_MAX}},
      {"no_ints", std::vector<std::int64_t>{}},
      {"floats", std::vector<float>{0.0F, -0.0F, 1e-40F}},
      {"strings", std::vector<std::string>{"", "x"}},
      {"tensors", std::vector<Tensor>{weights, Tensor::scalar<std::int64_t>(7)}},
      {"graphs", std::vector<SubGraph>{nested_graph(), nested_graph()}},
      {"types", std::vector<Type>{Type::tensor(DType::int8),
                                  {Type::Kind::unknown, DType::undefined, std::nullopt, std::nullopt, nullptr}}},
      {"opaque", OpaqueAttribute{std::string("\x0a\x00\x01", 3)}},
  };
  return node;
}

} // namespace

AssertionResult same_model(const Model &a, const Model &b) {
  if (a.ir_version != b.ir_version || a.producer_name != b.producer_name || a.producer_version != b.producer_version ||
      a.domain != b.domain || a.doc != b.doc || a.model_version != b.model_version || a.metadata != b.metadata)
    return differ("model");
  return same_graph(a.graph, b.graph);
}

Model rich_model() {
  Random random(5);
  Model model;
  model.ir_version = 10;
  model.producer_name = "maker";
  model.producer_version = "1.2";
  model.domain = "org.example";
  model.doc = "a model\nof everything";
  model.model_version = -3;
  model.metadata = {{"sha", "00"}, {"empty", ""}};
  Graph &graph = model.graph;
  graph.name = "main";
  graph.doc = "graph";
  graph.metadata = {{"g", "h"}};
  graph.opsets = {{"", 21}, {"org.example", 3}};
  // The second input is made first: files number inputs in their own order.
  const Shape shape{Dim::named("N"), Dim::known(3), Dim::unknown(), Dim::named("W")};
  const ValueId x = graph.add_input("x", Type::tensor(DType::float32, shape));
  const ValueId cond = graph.add_input("cond", Type::tensor(DType::boolean, Dims{}));
  graph.set_metadata(x, {{"unit", "pixel"}}, "the picture");
  Node node = every_attribute();
  node.name = "all";
  node.origins = {"first", "second"};
  node.inputs = {x, ValueId{}, cond};
  for (int dtype = 1; dtype < dtype_count; ++dtype) { // odd sizes, so that sub-byte types end within a byte
    const auto type = static_cast<DType>(dtype);
    const Dims dims{3, static_cast<std::int64_t>(dtype)};
    Tensor data = type == DType::string ? Tensor::of_strings({2}, {"", std::string("z\0", 2)})
                                        : Tensor::of_bytes(type, dims, noise(random, byte_size(type, 3 * dtype)));
    node.inputs.push_back(graph.add_constant(std::move(data), "c" + std::to_string(dtype)));
  }
  node.inputs.push_back(graph.add_constant(Tensor::of<float>({0, 3}, {}), "nothing"));
  const Quant rows{{0.5F, 1e-9F}, {0, -3}, 0, 0};
  node.inputs.push_back(graph.add_constant(Tensor::of<std::int8_t>({2, 2}, {1, 2, 3, 4}), "rows", rows));
  const Quant blocks{{1, 2, 3, 4}, {0, 0, 0, 0}, 1, 2};
  node.inputs.push_back(graph.add_constant(Tensor::of<std::int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}), "blocks", blocks));
  node.captures = {x, cond, x, cond, cond, x}; // three sub-graphs capture two values each
  Type out = Type::tensor(DType::uint8, Shape{Dim::named("N")});
  out.quant = Quant::per_tensor(0.02F, 128);
  node.outputs = {graph.add_value(out, "y"), ValueId{},
                  graph.add_value({Type::Kind::map, DType::int64, std::nullopt, std::nullopt,
                                   std::make_shared<const Type>(Type::tensor(DType::string, Dims{}))},
                                  "table")};
  const std::vector<ValueId> outputs = node.outputs;
  graph.add_node(node);
  graph.add_output(outputs[0], "result");
  graph.add_output(outputs[0], "result_again");
  graph.add_output(x, "x_itself");
  return model;
}

Model small_network() {
  Random random(9);
  Model model;
  model.ir_version = 8;
  Graph &graph = model.graph;
  graph.name = "net";
  graph.opsets[""] = 13;
  ValueId at = graph.add_input("image", Type::tensor(DType::float32, Dims{1, 16, 8, 8}));
  const auto layer = [&](const std::string &op, std::vector<ValueId> inputs) {
    Node node{.op = op, .name = op + "_" + std::to_string(graph.node_count())};
    node.origins = {node.name};
    node.inputs = std::move(inputs);
    at = graph.add_op(node, Type::tensor(DType::float32, Dims{1, 16, 8, 8}));
    graph.set_name(at, node.name + "_out");
  };
  for (int i = 0; i < 3; ++i) {
    std::vector<std::int8_t> codes(16 * 16 * 9 * 2);
    for (auto &code : codes)
      code = random.uniform() < 0.5 ? std::int8_t{0} : static_cast<std::int8_t>(random.normal() * 40);
    std::vector<float> shared(16 * 16 * 9);
    for (float &value : shared) value = 0.25F * static_cast<float>(random.below(16));
    const ValueId weight =
        graph.add_constant(Tensor::of({32, 16, 3, 3}, codes), "w" + std::to_string(i),
                           Quant{std::vector<float>(32, 0.01F), std::vector<std::int32_t>(32), 0, 0});
    layer("Conv", {at, weight});
    layer("Conv", {at, graph.add_constant(Tensor::of({16, 16, 3, 3}, shared), "s" + std::to_string(i))});
    layer("Relu", {at});
  }
  std::vector<float> real(2048);
  for (float &value : real) value = static_cast<float>(random.uniform(0.5, 1.0));
  layer("Conv", {at, graph.add_constant(Tensor::of({16, 128}, real), "real")});
  graph.add_output(at, "scores");
  return model;
}

Model coded_network() {
  Random random(11);
  Model model;
  model.ir_version = 10;
  Graph &graph = model.graph;
  graph.opsets[""] = 21;
  const Type image = Type::tensor(DType::float32, Dims{1, 32, 8, 8});
  const ValueId input = graph.add_input("image", image);
  std::vector<std::int8_t> codes(256 * 32 * 9);
  double scale = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (i % 288 == 0) scale = random.below(2) == 0 ? 0.4 : 6.0; // what a row is like shows only within it
    codes[i] = static_cast<std::int8_t>(random.normal() * scale);
  }
  const std::vector<float> one{0.0123F};
  Node real{.op = "DequantizeLinear",
            .inputs = {graph.add_constant(Tensor::of({256, 32, 3, 3}, codes), "codes", Quant{one, {0}, -1, 0}),
                       graph.add_constant(Tensor::of<float>({}, one), "step")}};
  const ValueId weight = graph.add_op(real, Type::tensor(DType::float32, Dims{256, 32, 3, 3}));
  std::vector<float> halves(256), scales(256);
  for (std::size_t i = 0; i < 256; ++i) {
    halves[i] = static_cast<float>(static_cast<double>(random.below(2048)) * 0x1p-10 - 1);
    scales[i] = static_cast<float>(0x1p-8 * static_cast<double>(1 + random.below(3)));
  }
  Node conv{.op = "Conv", .inputs = {input, weight, graph.add_constant(Tensor::of({256}, halves), "bias")}};
  const ValueId large = graph.add_op(conv, Type::tensor(DType::float32, Dims{1, 256, 8, 8}));
  std::vector<std::byte> nibbles(256 * 9 / 2);
  const auto nibble = [&] { return std::array<int, 10>{0, 0, 0, 0, 0, 0, 1, 15, 2, 14}[random.below(10)]; };
  for (std::byte &byte : nibbles) {
    const int first = nibble();
    byte = static_cast<std::byte>(first + 16 * nibble());
  }
  Node depthwise{.op = "Conv",
                 .inputs = {large, graph.add_constant(Tensor::of_bytes(DType::int4, {256, 1, 3, 3}, nibbles), "nibbles",
                                                      Quant{scales, std::vector<std::int32_t>(256), 0, 0})},
                 .attributes = {{"group", std::int64_t{256}}}};
  graph.add_output(graph.add_op(depthwise, Type::tensor(DType::float32, Dims{1, 256, 8, 8})), "scores");
  return model;
}

} // namespace edgec::testing
