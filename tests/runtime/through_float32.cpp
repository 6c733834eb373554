// Operators on float16 and bfloat16: the fast form beside the reference, and where it is a conversion alone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec {
namespace {

Tensor normal(Random &random, DType dtype, const Dims &dims) {
  std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
  for (double &x : values) x = random.normal();
  return from_doubles(dtype, dims, values);
}

Tensor result(const Graph &graph, const Tensor &x, bool reference, std::string *kernels = nullptr) {
  PlanOptions options;
  options.isa = detect_isa();
  options.reference = reference;
  Runner runner(graph, all_ops(), options);
  const Type type = Type::of(x);
  if (kernels != nullptr)
    for (const StepInfo &step : (*runner.plan(std::span(&type, 1)))->steps())
      *kernels += step.op + ": " + step.kernel + "\n";
  const auto found = runner.run_tensors(std::span(&x, 1));
  EXPECT_TRUE(found) << found.error().message;
  return found->front();
}

/// The graph with its placeholder constants w and b filled in.
Graph graph_of(const std::string &type, const std::string &body, DType dtype, const Dims &weight, const Dims &bias) {
  Graph graph = parse_graph(fmt::format("<opset_import: [\"\" : 18]> g ({0}[2,8,9,7] x) => ({0}[a,b,c,d] y) "
                                        "<float[1] w = {{0}}, float[1] b = {{0}}> {{ {1} }}",
                                        type, body))
                    .value();
  Random random(7);
  for (const auto &[name, dims] : {std::pair{"w", weight}, {"b", bias}})
    for (const ValueId id : graph.values())
      if (graph.value(id).name == name && graph.constant(id) != nullptr)
        graph.replace_uses(id, graph.add_constant(normal(random, dtype, dims)));
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

struct Case {
  const char *body;
  Dims weight, bias;
  bool fast = true;
};

const Case cases[] = {
    {"y = Conv<pads = [1, 1, 1, 1]>(x, w, b)", {16, 8, 3, 3}, {16}},
    {"y = Conv<group = 8>(x, w, b)", {8, 1, 3, 3}, {8}},
    {"c = Conv(x, w, b) y = Relu(c)", {4, 8, 1, 1}, {4}},
    {"y = MatMul(x, w)", {7, 5}, {1}},
    {"y = Add(x, b)", {1}, {8, 1, 1}},
    {"y = Mul(x, x)", {1}, {1}},
    {"y = Sigmoid(x)", {1}, {1}},
    {"y = MaxPool<kernel_shape = [2, 2]>(x)", {1}, {1}},
    {"y = GlobalAveragePool(x)", {1}, {1}},
    {"y = Softmax<axis = 3>(x)", {1}, {1}},
    {"y = LayerNormalization(x, w, b)", {7}, {7}, false},
    {"y = ReduceMean(x)", {1}, {1}, false},
    {"y = Transpose<perm = [0, 2, 3, 1]>(x)", {1}, {1}, false},
};

TEST(ThroughFloat32, FastFormsGiveWhatReferencesGiveButForARounding) {
  for (const auto &[dtype, type, bits] : {std::tuple{DType::float16, "float16", 11}, {DType::bfloat16, "bfloat16", 8}})
    for (const Case &one : cases) {
      SCOPED_TRACE(fmt::format("{} {}", type, one.body));
      const Graph graph = graph_of(type, one.body, dtype, one.weight, one.bias);
      Random random(2);
      const Tensor x = normal(random, dtype, {2, 8, 9, 7});
      std::string kernels;
      const Tensor fast = result(graph, x, false, &kernels), reference = result(graph, x, true);
      EXPECT_TRUE(!one.fast || kernels.find("through float32") != std::string::npos) << kernels;
      ASSERT_EQ(fast.dtype, dtype);
      ASSERT_EQ(fast.dims, reference.dims);
      const auto a = to_doubles(fast), b = to_doubles(reference);
      double largest = 0;
      for (const double value : b) largest = std::max(largest, std::abs(value));
      for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], std::ldexp(largest, 1 - bits)) << i;
    }
}

TEST(ThroughFloat32, WhatIsBeyondFloat16IsInfinite) {
  const Graph graph = graph_of("float16", "y = Mul(x, x)", DType::float16, {1}, {1});
  const Tensor x = from_doubles(DType::float16, {2, 8, 9, 7}, std::vector<double>(2 * 8 * 9 * 7, 300));
  for (const double value : to_doubles(result(graph, x, false))) ASSERT_EQ(value, INFINITY);
}

} // namespace
} // namespace edgec
