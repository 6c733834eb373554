// edgec's own gradient operators on numbers that can be followed by hand; tests/autodiff has the property.
#include "tests/ops/run.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;

Result<std::vector<Tensor>> run_own(std::string op, Attributes attributes, const std::vector<Tensor> &inputs,
                                    std::size_t outputs = 1) {
  const OpDef *def = all_ops().find("edgec", op);
  if (!def) return unsupported("no operator " + op);
  Node node{.op = std::move(op), .domain = "edgec", .outputs = std::vector<ValueId>(outputs), .attributes = attributes};
  std::vector<Type> types;
  std::vector<const Tensor *> operands;
  for (const Tensor &input : inputs) types.push_back(Type::of(input)), operands.push_back(&input);
  std::vector<const Type *> type_pointers;
  for (const Type &type : types) type_pointers.push_back(&type);
  EDGEC_ASSIGN(const auto inferred,
               def->infer({.node = node, .opset = 1, .inputs = type_pointers, .constants = operands}));
  std::vector<const Type *> wanted;
  for (const Type &type : inferred) wanted.push_back(&type);
  EDGEC_ASSIGN(
      auto results,
      evaluate(*def,
               {.node = node, .opset = 1, .inputs = operands, .input_types = type_pointers, .output_types = wanted}));
  std::vector<Tensor> tensors;
  for (auto &result : results) tensors.push_back(*std::move(result.tensor));
  return tensors;
}

TEST(GradientOperators, ShareOutWhatTheOutputsGive) {
  const Tensor x = floats({1, 1, 2, 3}, {1, 5, 2, 4, 3, 6}), dy = floats({1, 1, 1, 2}, {10, 100});
  EXPECT_EQ(show(run_own("MaxPoolGradient", {attr("kernel_shape", Ints{2, 2})}, {dy, x, floats({1, 1, 1, 2}, {5, 6})})),
            "[1,1,2,3] 0 10 0 0 0 100");
  EXPECT_EQ(
      show(run_own("AveragePoolGradient", {attr("kernel_shape", Ints{2, 2}), attr("input_shape", Ints{1, 1, 2, 3})},
                   {floats({1, 1, 1, 2}, {4, 8})})),
      "[1,1,2,3] 1 3 2 1 3 2");
  EXPECT_EQ(
      show(run_own("AveragePoolGradient", {attr("global", std::int64_t{1}), attr("input_shape", Ints{1, 1, 2, 2})},
                   {floats({1, 1, 1, 1}, {8})})),
      "[1,1,2,2] 2 2 2 2");
  EXPECT_EQ(show(run_own("ClipGradient", {attr("low", -1.0F), attr("high", 1.0F)},
                         {floats({4}, {1, 2, 3, 4}), floats({4}, {-2, -0.5, 0.5, 1})})),
            "[4] 0 2 3 0");
  EXPECT_EQ(show(run_own("GatherGradient", {attr("axis", std::int64_t{1}), attr("input_shape", Ints{1, 3})},
                         {floats({1, 4}, {1, 2, 3, 4}), ints({0, 2, 0, -1})})),
            "[1,3] 4 0 6");
}

/// dw[o, i, k] is the sum of dy[o, p] x[i, p + k], db[o] that of dy[o, p].
TEST(GradientOperators, ConvWeightGradientCorrelatesInputAndGradient) {
  EXPECT_EQ(show(run_own("ConvWeightGradient", {attr("kernel_shape", Ints{2})},
                         {floats({1, 1, 3}, {1, 2, 3}), floats({1, 1, 2}, {10, 100})}, 2)),
            "[1,1,2] 210 320 | [1] 110");
}

TEST(GradientOperators, RefuseWhatDoesNotFit) {
  EXPECT_THAT(show(run_own("GatherGradient", {attr("input_shape", Ints{3})}, {floats({2}, {1, 2}), ints({0, 3})})),
              testing::HasSubstr("index 3 of 3 elements"));
  EXPECT_THAT(show(run_own("ConvWeightGradient", {attr("kernel_shape", Ints{2})},
                           {floats({1, 1, 3}, {1, 2, 3}), floats({1, 2}, {1, 2})}, 2)),
              testing::HasSubstr("different ranks"));
  const Tensor x = floats({1, 1, 2, 3}, {1, 5, 2, 4, 3, 6}), wide = floats({1, 1, 1, 4}, {1, 2, 3, 4}),
               fits = floats({1, 1, 1, 2}, {1, 2});
  const Attribute kernel = attr("kernel_shape", Ints{2, 2});
  const auto expected = testing::HasSubstr("expected [1,1,1,2]");
  EXPECT_THAT(show(run_own("MaxPoolGradient", {kernel}, {wide, x, wide})), expected);
  EXPECT_THAT(show(run_own("MaxPoolGradient", {kernel}, {fits, x, wide})), testing::HasSubstr("differ in shape"));
  EXPECT_THAT(show(run_own("AveragePoolGradient", {kernel, attr("input_shape", Ints{1, 1, 2, 3})}, {wide})), expected);
  EXPECT_THAT(show(run_own("ConvWeightGradient", {kernel}, {x, wide}, 2)), expected);
  for (const Ints &shape : {Ints{-1, 3}, Ints{std::int64_t{1} << 40, 1 << 30}}) {
    EXPECT_THAT(show(run_own("GatherGradient", {attr("input_shape", shape)}, {floats({1}, {1}), ints({0})})),
                testing::HasSubstr("out of range"));
    EXPECT_THAT(show(run_own("AveragePoolGradient", {kernel, attr("input_shape", shape)}, {fits})),
                testing::HasSubstr("out of range"));
  }
}

} // namespace
} // namespace edgec::test
