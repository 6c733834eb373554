// DynamicQuantizeLinear and MatMulInteger: fast kernels give what the definitions give, bit for bit.
#include <gtest/gtest.h>

#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "tests/kernels/problems.h"

namespace edgec {
namespace {

using test::pick;

Tensor random_codes(Random &random, DType dtype, const Dims &dims) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(*element_count(dims)));
  const IntegerRange range = integer_range(dtype);
  for (std::int64_t &value : values) value = pick(random, range.low, range.high);
  return from_int64s(dtype, dims, values);
}

std::vector<Tensor> run(const Graph &graph, const std::vector<Tensor> &feeds, bool reference, int threads) {
  PlanOptions options{.isa = apply_isa_limit(detect_isa()), .threads = threads, .reference = reference};
  return Runner(graph, all_ops(), options).run_tensors(feeds).value();
}

void expect_same(Graph graph, const std::vector<Tensor> &feeds) {
  ASSERT_TRUE(infer_types(graph, all_ops()));
  const auto expected = run(graph, feeds, true, 1);
  for (const int threads : {1, 2}) {
    const auto found = run(graph, feeds, false, threads);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_TRUE(identical(found[i], expected[i])) << "output " << i << ", " << threads << " threads";
  }
}

TEST(Dynamic, ProductsOfCodes) {
  Random random(1);
  for (int trial = 0; trial < 400; ++trial) {
    SCOPED_TRACE(trial);
    const std::int64_t k = pick(random, 1, 40);
    Dims a{pick(random, 1, 20), k}, b{k, pick(random, 1, 90)};
    for (std::int64_t depth = pick(random, 0, 2); depth > 0; --depth) {
      const std::int64_t size = pick(random, 1, 3);
      a.insert(a.begin(), size);
      if (b.size() + 1 == a.size() && random.below(3) > 0) b.insert(b.begin(), random.below(2) == 0 ? size : 1);
    }
    const DType types[] = {DType::uint8, DType::int8};
    const DType left = types[random.below(2)], right = types[random.below(2)];
    Graph graph;
    graph.opsets[""] = 13;
    std::vector<Tensor> feeds;
    const auto input = [&](Tensor tensor) {
      const ValueId id = graph.add_input("in" + std::to_string(feeds.size()), Type::of(tensor));
      feeds.push_back(std::move(tensor));
      return id;
    };
    Node node{.op = "MatMulInteger", .inputs = {input(random_codes(random, left, a)), {}}};
    const Tensor weight = random_codes(random, right, b);
    node.inputs[1] = random.below(2) == 0 ? input(weight) : graph.add_constant(weight);
    if (random.below(4) > 0) node.inputs.push_back(input(random_codes(random, left, {})));
    if (node.inputs.size() == 3 && random.below(2) == 0)
      node.inputs.push_back(graph.add_constant(random_codes(random, right, {})));
    graph.add_output(graph.add_op(std::move(node), Type::tensor(DType::int32)), "y");
    expect_same(std::move(graph), feeds);
  }
}

TEST(Dynamic, CodesOfReals) {
  Random random(2);
  for (int trial = 0; trial < 200; ++trial) {
    SCOPED_TRACE(trial);
    const std::vector<Dims> shapes{{}, {pick(random, 1, 300)}, {2, pick(random, 1, 9), 16}, {1, 3, 7, 5}, {0}};
    const Dims dims = shapes[random.below(shapes.size())];
    const double middle = static_cast<double>(pick(random, -2, 2)),
                 spread = random.below(8) == 0 ? 0 : random.uniform(0.01, 30);
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
    for (float &value : values) value = static_cast<float>(middle + spread * random.normal());
    Graph graph;
    graph.opsets[""] = 13;
    Node node{.op = "DynamicQuantizeLinear", .inputs = {graph.add_input("x", Type::tensor(DType::float32, dims))}};
    for (int i = 0; i < 3; ++i) node.outputs.push_back(graph.add_value(Type()));
    const std::vector<ValueId> outputs = node.outputs;
    graph.add_node(std::move(node));
    for (std::size_t i = 0; i < 3; ++i) graph.add_output(outputs[i], "y" + std::to_string(i));
    expect_same(std::move(graph), {Tensor::of(dims, std::move(values))});
  }
}

} // namespace
} // namespace edgec
