// Values that are computed again rather than kept, and products of bfloat16: what they leave of gradients.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "train/narrow_products.h"
#include "train/objective.h"
#include "train/recompute.h"

namespace edgec {
namespace {

Tensor random_tensor(const Dims &dims, double scale, Random &random) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(scale * random.normal());
  return Tensor::of(dims, std::move(values));
}

struct Network {
  Graph graph;
  std::vector<ValueId> parameters;
};

/// Residual blocks with a gate, over [8, 3, 16, 16]: values that are read far behind where they are made.
Network blocks(int count, const char *activation = "Relu") {
  Network made;
  Random random(7);
  made.graph.opsets[""] = 17;
  Builder b(made.graph, all_ops());
  const auto weight = [&](const Dims &dims, double scale) {
    return made.parameters.emplace_back(b.constant(random_tensor(dims, scale, random)));
  };
  const std::vector<Attribute> pads{{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  ValueId x = made.graph.add_input("x", Type::tensor(DType::float32, Dims{8, 3, 16, 16}));
  x = b.op("Conv", {x, weight({16, 3, 3, 3}, 0.2), weight({16}, 0.1)}, pads);
  for (int i = 0; i < count; ++i) {
    const ValueId inner = b.op(activation, {b.op("Conv", {x, weight({16, 16, 3, 3}, 0.08), weight({16}, 0.1)}, pads)});
    const ValueId gate = b.op("Sigmoid", {b.op("GlobalAveragePool", {inner})});
    x = b.op(activation, {b.add(x, b.mul(b.op("Conv", {inner, weight({16, 16, 3, 3}, 0.08)}, pads), gate))});
  }
  x = b.op("MatMul", {b.op("Flatten", {b.op("GlobalAveragePool", {x})}), weight({16, 10}, 0.3)});
  made.graph.add_output(x, "y");
  EXPECT_TRUE(b.status()) << b.status().error().message;
  return made;
}

struct Step {
  Objective objective;
  std::vector<ValueId> fetches;
  std::vector<RuntimeValue> feeds;
};

Step step_of(const Network &network) {
  auto objective = make_objective(network.graph, all_ops(), network.parameters, Loss::squared_error, {{1.0}});
  EXPECT_TRUE(objective) << objective.error().message;
  Step step{*std::move(objective), {}, {}};
  step.fetches = {step.objective.loss};
  step.fetches.insert(step.fetches.end(), step.objective.gradients.begin(), step.objective.gradients.end());
  Random random(3);
  const Graph &graph = step.objective.graph;
  for (const ValueId id : graph.inputs()) {
    const auto parameter = std::ranges::find(step.objective.parameters, id) - step.objective.parameters.begin();
    if (static_cast<std::size_t>(parameter) < network.parameters.size())
      step.feeds.emplace_back(*network.graph.constant(network.parameters[static_cast<std::size_t>(parameter)]));
    else
      step.feeds.emplace_back(random_tensor(*graph.value(id).type.concrete(), 1, random));
  }
  return step;
}

struct Found {
  std::vector<Tensor> values;
  std::size_t arena = 0;
};

Found run(const Step &step, Isa isa) {
  PlanOptions options;
  options.isa = isa;
  options.fetches = step.fetches;
  std::vector<Type> types;
  for (const ValueId id : step.objective.graph.inputs()) types.push_back(step.objective.graph.value(id).type);
  const auto plan = Plan::compile(step.objective.graph, all_ops(), types, options);
  EXPECT_TRUE(plan) << plan.error().message;
  if (!plan) return {};
  const auto results = Session(*plan).run(step.feeds);
  EXPECT_TRUE(results) << results.error().message;
  Found found{{}, (*plan)->arena_bytes()};
  for (std::size_t i = 0; results && i < results->size(); ++i) found.values.push_back(*(*results)[i].tensor);
  return found;
}

TEST(Recompute, LeavesEveryNumberAsItWas) {
  const Network network = blocks(6);
  const Step kept = step_of(network);
  for (const Isa isa : {Isa::scalar, detect_isa()}) {
    const Found expected = run(kept, isa);
    for (const std::size_t segments : {2U, 3U, 5U, 16U}) {
      Step cut = kept;
      recompute(cut.objective.graph, cut.objective.loss, segments);
      const Found found = run(cut, isa);
      ASSERT_EQ(found.values.size(), expected.values.size());
      for (std::size_t i = 0; i < found.values.size(); ++i)
        EXPECT_TRUE(identical(found.values[i], expected.values[i])) << segments << " segments, result " << i;
      EXPECT_LT(found.arena, expected.arena) << segments << " segments";
    }
  }
}

/// Twelve blocks of one size: about the square root of them is kept, and one run's values.
TEST(Recompute, TakesAboutTheSquareRoot) {
  const Step kept = step_of(blocks(12));
  Step cut = kept;
  const std::size_t all = live_bytes(kept.objective.graph, kept.fetches);
  EXPECT_EQ(fit_into(cut.objective.graph, cut.objective.loss, cut.fetches, all), 1U);
  EXPECT_EQ(cut.objective.graph.node_count(), kept.objective.graph.node_count());
  const std::size_t segments = fit_into(cut.objective.graph, cut.objective.loss, cut.fetches, 0);
  EXPECT_THAT(segments, testing::AllOf(testing::Ge(3U), testing::Le(8U)));
  EXPECT_LT(static_cast<double>(live_bytes(cut.objective.graph, cut.fetches)), 0.5 * static_cast<double>(all));
  EXPECT_LT(cut.objective.graph.node_count(), 1.5 * static_cast<double>(kept.objective.graph.node_count()));
}

TEST(Recompute, StopsAtTheFewestSegmentsThatFit) {
  const Step kept = step_of(blocks(12));
  const std::size_t all = live_bytes(kept.objective.graph, kept.fetches);
  Step cut = kept;
  EXPECT_EQ(fit_into(cut.objective.graph, cut.objective.loss, cut.fetches, all - 1), 2U);
}

/// Without corners: where a sum near 0 changes its sign, Relu's gradient is another.
TEST(NarrowProducts, KeepGradientsWithinTheRounding) {
  if (!has_bfloat16(detect_isa())) GTEST_SKIP() << "no instructions on bfloat16";
  const Step exact = step_of(blocks(3, "Tanh"));
  Step narrow = exact;
  narrow_products(narrow.objective.graph, all_ops());
  const Found expected = run(exact, detect_isa()), found = run(narrow, detect_isa());
  ASSERT_EQ(found.values.size(), expected.values.size());
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    const auto a = found.values[i].as<float>(), b = expected.values[i].as<float>();
    double apart = 0, power = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
      apart += std::pow(double{a[k]} - double{b[k]}, 2);
      power += std::pow(double{b[k]}, 2);
    }
    EXPECT_GT(apart, 0) << "result " << i;
    EXPECT_LT(std::sqrt(apart / power), 0.01) << "result " << i; // a rounding is 2^-9, and there are some on the way
  }
}

TEST(NarrowProducts, LeaveDepthwiseAndSmallOnes) {
  Graph graph;
  graph.opsets[""] = 17;
  Builder b(graph, all_ops());
  const auto input = [&](const char *name, const Dims &dims) {
    return graph.add_input(name, Type::tensor(DType::float32, dims));
  };
  b.op("Conv", {input("x", {1, 8, 9, 9}), input("w", {8, 1, 3, 3})}, {{"group", std::int64_t{8}}});
  b.op("MatMul", {input("a", {4, 5}), input("b", {5, 6})});
  b.op("MatMul", {input("c", {64, 64}), input("d", {64, 64})});
  ASSERT_TRUE(b.status());
  narrow_products(graph, all_ops());
  std::vector<std::string> domains;
  for (const NodeId id : graph.nodes()) domains.push_back(graph.node(id).domain);
  EXPECT_THAT(domains, testing::ElementsAre("", "", "edgec.bfloat16"));
}

} // namespace
} // namespace edgec
