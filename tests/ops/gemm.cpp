#include <gmock/gmock.h>

#include "tests/ops/evaluate.h"

namespace edgec {
namespace {

using test::evaluate;
using test::node_of;
using testing::ElementsAre;

TEST(Gemm, TransposesAndAddsBroadcastBias) {
  const Node node =
      node_of("Gemm", {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 2.0F}, {"beta", 0.5F}});
  const auto y = evaluate(node, {{Tensor::of<float>({2, 1}, {1, 2})},
                                 {Tensor::of<float>({3, 2}, {1, 0, 0, 1, 1, 1})},
                                 {Tensor::of<float>({3}, {2, 4, 6})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_EQ(y->dims, (Dims{1, 3}));
  EXPECT_THAT(y->as<float>(), ElementsAre(3, 6, 9));
}

TEST(Gemm, QuantizedWithFloatOutput) {
  const auto y =
      evaluate(node_of("Gemm", {}), {{Tensor::of<std::uint8_t>({1, 2}, {3, 4}), Quant::per_tensor(0.5F, 2)},
                                     {Tensor::of<std::int8_t>({2, 2}, {1, 2, 3, 4}), Quant{{1, 2}, {0, 0}, 1}},
                                     {Tensor::of<std::int32_t>({2}, {100, 0})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<float>(), ElementsAre(53.5F, 10));
}

TEST(MatMul, BroadcastsLeadingAxesAndVectors) {
  const auto y = evaluate(node_of("MatMul", {}),
                          {{Tensor::of<float>({2, 1, 2}, {1, 2, 3, 4})}, {Tensor::of<float>({2}, {10, 1})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_EQ(y->dims, (Dims{2, 1}));
  EXPECT_THAT(y->as<float>(), ElementsAre(12, 34));
}

TEST(MatMul, IntegersWrapAround) {
  const auto big = Tensor::of<std::int32_t>({1, 1}, {1 << 30});
  const auto y =
      evaluate(node_of("MatMul", {}), {{big}, {Tensor::of<std::int32_t>({1, 1}, {4})}}, Type::tensor(DType::int32));
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<std::int32_t>(), ElementsAre(0));
}

} // namespace
} // namespace edgec
