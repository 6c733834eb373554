// saturating_ops(): the same network on exact integers and on those of AVX2.
#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "tests/ops/evaluate.h"

namespace edgec {
namespace {

using test::node_of;
using Ints = std::vector<std::int64_t>;

Tensor evaluated(const OpRegistry &ops, const Node &node, const std::vector<test::Operand> &operands) {
  std::vector<Type> types;
  std::vector<const Tensor *> tensors;
  std::vector<const Type *> pointers;
  for (const auto &operand : operands) types.push_back(operand.type());
  for (std::size_t i = 0; i < operands.size(); ++i)
    tensors.push_back(&operands[i].tensor), pointers.push_back(&types[i]);
  const Type output = Type::tensor(DType::float32);
  const Type *const outputs[] = {&output};
  auto results = ops.find(node)->reference(
      {.node = node, .opset = 17, .inputs = tensors, .input_types = pointers, .output_types = outputs});
  EXPECT_TRUE(results) << results.error().message;
  return *results.value()[0].tensor;
}

test::Operand codes(Dims dims, std::vector<std::uint8_t> values) {
  return {Tensor::of(std::move(dims), std::move(values)), Quant::per_tensor(1, 0)};
}
test::Operand weights(Dims dims, std::vector<std::int8_t> values) {
  return {Tensor::of(std::move(dims), std::move(values)), Quant::per_tensor(1, 0)};
}

TEST(SaturatingOps, SaturateProductsOfUnsignedWithSignedCodes) {
  constexpr float exact = 2 * 255 * 127, cut = 32767;
  const auto check = [&](const Node &node, const std::vector<test::Operand> &operands, const Dims &dims) {
    const Tensor plain = evaluated(all_ops(), node, operands), saturated = evaluated(saturating_ops(), node, operands);
    EXPECT_EQ(saturated.dims, dims) << node.op;
    EXPECT_EQ(plain.dims, dims) << node.op;
    for (const float y : plain.as<float>()) EXPECT_EQ(y, exact) << node.op;
    for (const float y : saturated.as<float>()) EXPECT_EQ(y, cut) << node.op;
  };
  check(node_of("MatMul", {}), {codes({3, 2}, {255, 255, 255, 255, 255, 255}), weights({2, 1}, {127, 127})}, {3, 1});
  check(node_of("MatMul", {}), {codes({2}, {255, 255}), weights({2, 2}, {127, 127, 127, 127})}, {2});
  check(node_of("Gemm", {{"transB", std::int64_t{1}}}), {codes({1, 2}, {255, 255}), weights({1, 2}, {127, 127})},
        {1, 1});
  check(node_of("Conv", {}), {codes({1, 2, 1, 2}, {255, 255, 255, 255}), weights({1, 2, 1, 1}, {127, 127})},
        {1, 1, 1, 2});
}

TEST(SaturatingOps, LeaveWhatIsExactThere) {
  // Depthwise, uint8 weights, int8 data, floats: the operators' own definitions.
  const Node depthwise = node_of("Conv", {{"group", std::int64_t{2}}});
  const std::vector<test::Operand> operands{codes({1, 2, 2}, {255, 255, 255, 255}),
                                            weights({2, 1, 2}, {127, 127, 127, 127})};
  EXPECT_EQ(evaluated(saturating_ops(), depthwise, operands).as<float>()[0], 2 * 255 * 127);
  EXPECT_EQ(
      evaluated(saturating_ops(), node_of("MatMul", {}), {weights({1, 2}, {127, 127}), weights({2, 1}, {127, 127})})
          .as<float>()[0],
      2 * 127 * 127);
  EXPECT_EQ(evaluated(saturating_ops(), node_of("MatMul", {}), {codes({1, 2}, {255, 255}), codes({2, 1}, {255, 255})})
                .as<float>()[0],
            2 * 255 * 255);
  EXPECT_EQ(all_ops().all().size(), saturating_ops().all().size());
}

} // namespace
} // namespace edgec
