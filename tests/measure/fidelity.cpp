#include "measure/fidelity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "measure/logits.h"

namespace edgec {
namespace {

Noise noise_of(std::vector<double> reference, std::vector<double> test) {
  Noise noise;
  noise.add(reference, test);
  return noise;
}

TEST(Noise, IsTheRatioOfSquaredSumsInDecibels) {
  const Noise noise = noise_of({3, -4}, {3, -4.5});
  EXPECT_DOUBLE_EQ(noise.signal, 25);
  EXPECT_DOUBLE_EQ(noise.noise, 0.25);
  EXPECT_DOUBLE_EQ(noise.max_error, 0.5);
  EXPECT_DOUBLE_EQ(noise.max_reference, 4);
  EXPECT_DOUBLE_EQ(*noise.sqnr_db(), 20);
}

TEST(Noise, OfEqualNumbersHasNoRatio) { EXPECT_FALSE(noise_of({1, 2}, {1, 2}).sqnr_db()); }

TEST(Noise, TakesANumberThatIsNotFiniteOnOneSideAsAnUnboundedError) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(noise_of({1}, {infinity}).max_error, infinity);
  EXPECT_EQ(noise_of({infinity}, {-infinity}).max_error, infinity);
  EXPECT_EQ(noise_of({infinity}, {infinity}).max_error, 0);
}

TEST(RealValues, AreCodesTimesScale) {
  const Tensor codes = Tensor::of<std::uint8_t>({2}, {0, 12});
  Type type = Type::of(codes);
  type.quant = Quant::per_tensor(0.5F, 10);
  EXPECT_THAT(real_values(codes, type), testing::ElementsAre(-5, 1));
  EXPECT_THAT(real_values(codes, Type::of(codes)), testing::ElementsAre(0, 12));
}

class Logits : public testing::Test {
protected:
  Graph graph_;
  ValueId input_ = graph_.add_input("x", Type::tensor(DType::float32, Dims{1, 10}));

  ValueId apply(const char *op, ValueId value) {
    Node node;
    node.op = op;
    node.inputs = {value};
    return graph_.add_op(std::move(node), Type::tensor(DType::float32));
  }
};

TEST_F(Logits, AreWhatTheFinalSoftmaxReads) {
  const ValueId scores = apply("Relu", input_);
  graph_.add_output(apply("Flatten", apply("Softmax", scores)), "y");
  EXPECT_EQ(find_logits(graph_), scores);
}

TEST_F(Logits, AreTheOutputWhereNoSoftmaxEndsTheNetwork) {
  const ValueId last = apply("Relu", apply("Softmax", input_));
  graph_.add_output(last, "y");
  EXPECT_EQ(find_logits(graph_), last);
}

TEST_F(Logits, AreAbsentWithoutOutputs) { EXPECT_FALSE(find_logits(graph_).valid()); }

} // namespace
} // namespace edgec
