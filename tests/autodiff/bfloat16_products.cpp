// Products of operands rounded to bfloat16: the definition, and kernels beside it.
#include <gmock/gmock.h>

#include <cmath>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/half.h"
#include "support/random.h"

namespace edgec {
namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<Attribute>;

Attribute attr(std::string name, AttributeValue value) { return {std::move(name), std::move(value)}; }

struct Product {
  std::string op;
  Attributes attributes;
  std::vector<Dims> operands;
  std::size_t outputs = 1;
};

std::vector<Product> products() {
  const Ints pads{1, 1, 1, 1}, two{2, 2}, kernel{3, 3};
  return {{"Conv", {attr("pads", pads)}, {{2, 16, 9, 9}, {24, 16, 3, 3}, {24}}},
          {"Conv", {attr("pads", pads), attr("strides", two)}, {{8, 3, 16, 16}, {5, 3, 3, 3}}},
          {"Conv", {attr("dilations", two)}, {{1, 7, 9, 11}, {6, 7, 3, 3}}},
          {"Conv", {attr("pads", Ints{2, 0})}, {{2, 10, 30}, {8, 10, 3}, {8}}},
          {"ConvTranspose", {attr("pads", pads)}, {{2, 24, 9, 9}, {24, 16, 3, 3}}},
          {"ConvTranspose",
           {attr("pads", pads), attr("strides", two), attr("output_padding", Ints{1, 1})},
           {{2, 16, 8, 8}, {16, 3, 3, 3}}},
          {"ConvWeightGradient", {attr("kernel_shape", kernel), attr("pads", pads)}, {{8, 16, 9, 9}, {8, 24, 9, 9}}, 2},
          {"ConvWeightGradient",
           {attr("kernel_shape", kernel), attr("pads", pads), attr("strides", two)},
           {{2, 5, 8, 8}, {2, 6, 4, 4}}},
          {"MatMul", {}, {{3, 40, 64}, {64, 48}}},
          {"MatMul", {}, {{3, 40, 64}, {3, 64, 48}}},
          {"MatMul", {}, {{96, 33}, {33, 65}}}};
}

Tensor random_tensor(const Dims &dims, Random &random) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(random.normal());
  return Tensor::of(dims, std::move(values));
}

Tensor rounded(const Tensor &x) {
  std::vector<float> values(x.as<float>().begin(), x.as<float>().end());
  for (float &value : values) value = bfloat16_to_float(float_to_bfloat16(value));
  return Tensor::of(x.dims, std::move(values));
}

std::vector<Tensor> run(const Product &product, std::string_view domain, const std::vector<Tensor> &operands,
                        bool reference) {
  Graph graph;
  graph.opsets = {{"", 20}, {"edgec", 1}, {"edgec.bfloat16", 1}};
  Builder b(graph, all_ops());
  std::vector<ValueId> inputs;
  std::vector<Type> types;
  for (const Tensor &x : operands) {
    types.push_back(Type::of(x));
    inputs.push_back(graph.add_input(fmt::format("x{}", inputs.size()), types.back()));
  }
  PlanOptions options;
  options.reference = reference;
  options.isa = apply_isa_limit(Isa::amx);
  options.fetches = b.outputs(product.outputs, domain, product.op, inputs, product.attributes);
  EXPECT_TRUE(b.status()) << b.status().error().message;
  const auto plan = Plan::compile(graph, all_ops(), types, options);
  EXPECT_TRUE(plan) << plan.error().message;
  if (!plan) return {};
  std::string kernels;
  for (const StepInfo &step : (*plan)->steps()) kernels += step.kernel + " ";
  if (!reference) {
    EXPECT_THAT(kernels, testing::AnyOf(testing::HasSubstr("bf16"), testing::HasSubstr("amx")));
  }
  const auto results = Session(*plan).run(std::vector<RuntimeValue>(operands.begin(), operands.end()));
  EXPECT_TRUE(results) << results.error().message;
  std::vector<Tensor> found;
  for (std::size_t i = 0; results && i < results->size(); ++i) found.push_back(*(*results)[i].tensor);
  return found;
}

std::vector<Tensor> operands_of(const Product &product, std::uint64_t seed) {
  Random random(seed);
  std::vector<Tensor> found;
  for (const Dims &dims : product.operands) found.push_back(random_tensor(dims, random));
  return found;
}

/// A bias is added as it is.
TEST(Bfloat16Products, AreThoseOfRoundedOperands) {
  std::uint64_t seed = 1;
  for (const Product &product : products()) {
    const auto operands = operands_of(product, seed++);
    std::vector<Tensor> by_hand = operands;
    by_hand[0] = rounded(operands[0]), by_hand[1] = rounded(operands[1]);
    const auto found = run(product, "edgec.bfloat16", operands, true);
    const auto expected = run(product, product.op == "ConvWeightGradient" ? "edgec" : "", by_hand, true);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(identical(found[i], expected[i])) << product.op;
  }
}

TEST(Bfloat16Products, KernelsGiveWhatTheDefinitionGives) {
  if (!has_bfloat16(apply_isa_limit(Isa::amx))) GTEST_SKIP() << "no instructions on bfloat16";
  std::uint64_t seed = 1;
  for (const Product &product : products()) {
    const auto operands = operands_of(product, seed++);
    const auto found = run(product, "edgec.bfloat16", operands, false),
               expected = run(product, "edgec.bfloat16", operands, true);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].dims, expected[i].dims);
      const auto a = found[i].as<float>(), b = expected[i].as<float>();
      float largest = 0;
      for (const float x : b) largest = std::max(largest, std::abs(x));
      for (std::size_t k = 0; k < a.size(); ++k)
        ASSERT_NEAR(a[k], b[k], 1e-5 * largest) << product.op << " " << seed << ", element " << k << " of result " << i;
    }
  }
}

} // namespace
} // namespace edgec
