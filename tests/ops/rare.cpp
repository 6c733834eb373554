// Hand-checked values of operators that move by index, normalize, select, recur, or run sub-graphs.
#include <gtest/gtest.h>

#include <map>

#include "tests/ops/run.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;
const Tensor counting = floats({2, 3}, {0, 1, 2, 3, 4, 5});
const auto yes = std::int64_t{1};

Tensor bools(Ints values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return from_int64s(DType::boolean, {count}, values);
}

TEST(Ops, Scattering) {
  check({
      {"ScatterElements",
       16,
       {attr("axis", yes)},
       {counting, ints({1, 2}, {2, -3}), floats({1, 2}, {9, 8})},
       "[2,3] 8 1 9 3 4 5"},
      {"ScatterElements",
       16,
       {attr("reduction", std::string("add"))},
       {floats({2}, {1, 1}), ints({2}, {0, 0}), floats({2}, {2, 3})},
       "[2] 6 1"},
      {"ScatterElements",
       16,
       {},
       {floats({2}, {1, 1}), ints({1}, {2}), floats({1}, {2})},
       "index 2 is outside an axis of size 2"},
      {"ScatterND", 16, {}, {counting, ints({1, 1}, {1}), floats({1, 3}, {7, 8, 9})}, "[2,3] 0 1 2 7 8 9"},
      {"DepthToSpace",
       13,
       {attr("blocksize", std::int64_t{2})},
       {floats({1, 4, 1, 1}, {1, 2, 3, 4})},
       "[1,1,2,2] 1 2 3 4"},
      {"SpaceToDepth",
       13,
       {attr("blocksize", std::int64_t{2})},
       {floats({1, 1, 2, 2}, {1, 2, 3, 4})},
       "[1,4,1,1] 1 2 3 4"},
      {"ReverseSequence", 10, {}, {floats({3, 2}, {0, 1, 2, 3, 4, 5}), ints({3, 2})}, "[3,2] 4 3 2 1 0 5"},
      {"CenterCropPad", 18, {attr("axes", Ints{1})}, {counting, ints({1})}, "[2,1] 1 4"},
  });
}

TEST(Ops, RowsAreAddedFourByFourInFloat) {
  const auto rows = attr("axes", Ints{0});
  const auto columns = [](std::vector<float> x) { // two equal columns
    std::vector<float> both;
    for (const float value : x) both.insert(both.end(), 2, value);
    return floats({static_cast<std::int64_t>(x.size()), 2}, std::move(both));
  };
  check({
      {"ReduceSum", 11, {rows}, {columns({1e8F, 4, 4, -1e8F})}, "[1,2] 0 0"},
      {"ReduceMean", 13, {rows}, {columns({1e8F, 0, 0, 0, 4, 4, 0, -1e8F})}, "[1,2] 1 1"},
      {"ReduceSum", 11, {rows}, {columns({1e8F, 0, 0, 0, 4, 4, 0, 0, -1e8F})}, "[1,2] 8 8"},
      {"ReduceSum", 11, {attr("axes", Ints{1})}, {floats({1, 4}, {1e8F, 4, 4, -1e8F})}, "[1,1] 8"},
  });
}

TEST(Ops, Normalizations) {
  const auto none = attr("epsilon", 0.0F);
  check({
      {"LayerNormalization",
       17,
       {none},
       {floats({1, 2}, {1, 3}), floats({2}, {1, 2}), floats({2}, {0, 10})},
       "[1,2] -1 12 | [1,1] 2 | [1,1] 1",
       3},
      {"RMSNormalization", 23, {none}, {floats({1, 2}, {3, -3}), floats({2}, {1, 2})}, "[1,2] 1 -2"},
      {"InstanceNormalization",
       6,
       {none},
       {floats({1, 1, 2}, {1, 3}), floats({1}, {2}), floats({1}, {1})},
       "[1,1,2] -1 3"},
      {"GroupNormalization",
       21,
       {none, attr("num_groups", yes)},
       {floats({1, 2, 1}, {1, 3}), floats({2}, {1, 2}), floats({2}, {0, 0})},
       "[1,2,1] -1 2"},
      {"GroupNormalization",
       21,
       {attr("num_groups", std::int64_t{3})},
       {floats({1, 2, 1}, {1, 3}), floats({2}, {1, 2}), floats({2}, {0, 0})},
       "2 channels do not divide into 3 groups"},
      {"LpNormalization", 1, {}, {floats({2}, {3, 4})}, "[2] 0.6 0.8"},
      {"LRN",
       13,
       {attr("size", yes), attr("alpha", 1.0F), attr("beta", 1.0F), attr("bias", 1.0F)},
       {floats({1, 2}, {1, 2})},
       "[1,2] 0.5 0.4"},
      {"MeanVarianceNormalization", 13, {attr("axes", Ints{1})}, {floats({1, 2}, {1, 3})}, "[1,2] -1 1"},
  });
}

TEST(Ops, Selecting) {
  check({
      {"TopK", 11, {}, {floats({4}, {1, 3, 3, 2}), ints({2})}, "[2] 3 3 | [2] 1 2", 2},
      {"TopK",
       11,
       {attr("largest", std::int64_t{0})},
       {floats({4}, {1, 3, 3, 2}), ints({5})},
       "node it (TopK): k is 5 on an axis of size 4",
       2},
      {"NonZero", 13, {}, {floats({2, 2}, {1, 0, 0, 4})}, "[2,2] 0 1 0 1"},
      {"Compress", 11, {attr("axis", yes)}, {counting, bools({0, 1, 1})}, "[2,2] 1 2 4 5"},
      {"Unique", 11, {}, {floats({4}, {2, 1, 1, 3})}, "[3] 1 2 3 | [3] 1 0 3 | [4] 1 0 0 2 | [3] 2 1 1", 4},
      {"CumSum",
       14,
       {attr("exclusive", yes), attr("reverse", yes)},
       {floats({3}, {1, 2, 3}), ints({}, {0})},
       "[3] 5 3 0"},
      {"Trilu", 14, {attr("upper", std::int64_t{0})}, {counting, ints({}, {-1})}, "[2,3] 0 0 0 3 0 0"},
  });
}

TEST(Ops, Recurrence) {
  check({
      // One unit: h' = relu(x + h + bias), over 0, 5 and over 5, 0.
      {"RNN",
       14,
       {attr("activations", std::vector<std::string>{"Relu", "Relu"}), attr("direction", std::string("bidirectional"))},
       {floats({2, 1, 1}, {0, 5}), floats({2, 1, 1}, {1, 1}), floats({2, 1, 1}, {1, 1}), floats({2, 2}, {1, 0, 0, 1})},
       "[2,2,1,1] 1 7 7 6 | [2,1,1] 7 7",
       2},
      // All gates 1/2 (weights 0): c' = c / 2 + 0 = 2, h' = tanh(2) / 2.
      {"LSTM",
       14,
       {},
       {floats({1, 1, 1}, {3}), floats({1, 4, 1}, {0, 0, 0, 0}), floats({1, 4, 1}, {0, 0, 0, 0}), std::nullopt,
        std::nullopt, std::nullopt, floats({1, 1, 1}, {4})},
       "[1,1,1,1] 0.482014 | [1,1,1] 0.482014 | [1,1,1] 2",
       3},
      // z = 1/2, candidate 0: h' = h / 2.
      {"GRU",
       14,
       {},
       {floats({1, 1, 1}, {3}), floats({1, 3, 1}, {0, 0, 0}), floats({1, 3, 1}, {0, 0, 0}), std::nullopt, std::nullopt,
        floats({1, 1, 1}, {4})},
       "[1,1,1,1] 2 | [1,1,1] 2",
       2},
      {"LSTM",
       14,
       {},
       {floats({1, 1, 1}, {3}), floats({1, 4, 1}, {0, 0, 0, 0}), floats({1, 3, 1}, {0, 0, 0})},
       "operand 2 has 3 elements, expected 4",
       3},
  });
}

/// Runs a sub-graph node by node.
Result<std::vector<RuntimeValue>> interpret(const Graph &graph, std::span<const RuntimeValue> feeds,
                                            const SubGraphRunner &self) {
  std::map<std::uint32_t, RuntimeValue> held;
  std::size_t next = 0;
  for (const auto &list : {graph.inputs(), graph.captures()})
    for (const ValueId id : list) held[id.index] = feeds[next++];
  const auto read = [&](ValueId id) {
    return !id.valid() ? RuntimeValue() : graph.constant(id) ? RuntimeValue(*graph.constant(id)) : held[id.index];
  };
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    std::vector<RuntimeValue> values, captures;
    std::vector<const Tensor *> inputs;
    for (const ValueId v : node.inputs) values.push_back(read(v));
    for (const ValueId v : node.captures) captures.push_back(read(v));
    for (const RuntimeValue &value : values) inputs.push_back(value.tensor ? &*value.tensor : nullptr);
    const std::vector<const Type *> types(inputs.size(), nullptr), wanted(node.outputs.size(), nullptr);
    EDGEC_ASSIGN(auto results, evaluate(*all_ops().find(node), {.node = node,
                                                                .opset = 16,
                                                                .inputs = inputs,
                                                                .input_types = types,
                                                                .output_types = wanted,
                                                                .run_subgraph = &self,
                                                                .captures = captures,
                                                                .values = values}));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) held[node.outputs[i].index] = results[i];
  }
  std::vector<RuntimeValue> outputs;
  for (const GraphOutput &output : graph.outputs()) outputs.push_back(read(output.value));
  return outputs;
}

TEST(Ops, LoopRunsItsBodyAndStacksScans) {
  // body(i, go, sum) = (i < 3, sum + step, sum): `step` is captured.
  auto body = std::make_shared<Graph>();
  const ValueId i = body->add_input("i", Type::tensor(DType::int64, Dims{})),
                go = body->add_input("go", Type::tensor(DType::boolean, Dims{}));
  const ValueId sum = body->add_input("sum", Type::tensor(DType::float32, Dims{1})),
                step = body->add_capture("step", {});
  const ValueId more = body->add_op({.op = "Less", .inputs = {i, body->add_constant(ints({}, {3}))}}, {});
  const ValueId next = body->add_op({.op = "Add", .inputs = {sum, step}}, {});
  (void)go;
  body->add_output(more, "more");
  body->add_output(next, "next");
  body->add_output(sum, "scan");
  Graph graph;
  graph.opsets[""] = 16;
  Node loop;
  loop.op = "Loop";
  loop.name = "loop";
  loop.inputs = {ValueId{}, ValueId{}, graph.add_constant(floats({1}, {0}))};
  loop.captures = {graph.add_constant(floats({1}, {2}))};
  loop.attributes = {attr("body", SubGraph(body))};
  loop.outputs = {graph.add_value({}), graph.add_value({})};
  const auto outputs = loop.outputs;
  graph.add_node(std::move(loop));
  graph.add_output(outputs[0], "last");
  graph.add_output(outputs[1], "all");
  const Status inferred = infer_types(graph, all_ops());
  ASSERT_TRUE(inferred) << inferred.error().message;
  EXPECT_EQ(to_string(graph.value(outputs[0]).type), "float[1]");
  EXPECT_EQ(to_string(graph.value(outputs[1]).type), "float[?,1]");
  SubGraphRunner runner;
  runner = [&](const Graph &inner, std::span<const RuntimeValue> feeds) { return interpret(inner, feeds, runner); };
  const auto results = interpret(graph, {}, runner);
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ(show(*(*results)[0].tensor), "[1] 8");
  EXPECT_EQ(show(*(*results)[1].tensor), "[4,1] 0 2 4 6");
}

TEST(Ops, IfTakesABranchThatMayContradictTheOther) {
  const auto branch = [](Tensor wrong) {
    auto graph = std::make_shared<Graph>();
    const ValueId x = graph->add_capture("x", {});
    graph->add_output(graph->add_op({.op = "Add", .inputs = {x, graph->add_constant(std::move(wrong))}}, {}), "y");
    return SubGraph(graph);
  };
  Graph graph;
  graph.opsets[""] = 16;
  const ValueId condition = graph.add_input("c", Type::tensor(DType::boolean, Dims{})),
                x = graph.add_input("x", Type::tensor(DType::float32, Dims{2}));
  Node node{.op = "If", .name = "if", .inputs = {condition}, .captures = {x, x}, .outputs = {graph.add_value({})}};
  node.attributes = {attr("then_branch", branch(floats({2}, {1, 1}))),
                     attr("else_branch", branch(floats({3}, {1, 1, 1})))};
  const ValueId y = node.outputs[0];
  graph.add_node(std::move(node));
  graph.add_output(y, "y");
  ASSERT_TRUE(infer_types(graph, all_ops()));
  SubGraphRunner runner;
  runner = [&](const Graph &inner, std::span<const RuntimeValue> feeds) { return interpret(inner, feeds, runner); };
  const std::vector<RuntimeValue> feeds{from_int64s(DType::boolean, {}, Ints{1}), floats({2}, {1, 2})},
      others{from_int64s(DType::boolean, {}, Ints{0}), floats({2}, {1, 2})};
  const auto taken = interpret(graph, feeds, runner);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(show(*(*taken)[0].tensor), "[2] 2 3");
  EXPECT_FALSE(interpret(graph, others, runner));
}

} // namespace
} // namespace edgec::test
