// Hand-checked values of the operators that convolutional networks are made of.
#include <gtest/gtest.h>

#include "tests/ops/run.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;

const Tensor counting = floats({2, 3}, {0, 1, 2, 3, 4, 5});

TEST(Ops, Elementwise) {
  check({
      {"Relu", 14, {}, {floats({3}, {-1, 0, 2})}, "[3] 0 0 2"},
      {"LeakyRelu", 16, {attr("alpha", 0.5F)}, {floats({2}, {-2, 2})}, "[2] -1 2"},
      {"Sigmoid", 13, {}, {floats({2}, {0, 100})}, "[2] 0.5 1"},
      {"Clip", 6, {attr("min", 0.0F), attr("max", 6.0F)}, {floats({3}, {-1, 3, 9})}, "[3] 0 3 6"},
      {"Clip", 13, {}, {floats({3}, {-1, 3, 9}), std::nullopt, floats({}, {6})}, "[3] -1 3 6"},
      {"Neg", 13, {}, {ints({INT64_MIN, 5})}, "[2] -9.22337e+18 -5"},
      {"Round", 11, {}, {floats({4}, {0.5F, 1.5F, -2.5F, 2.6F})}, "[4] 0 2 -2 3"},
      {"Add", 14, {}, {counting, floats({3}, {10, 20, 30})}, "[2,3] 10 21 32 13 24 35"},
      {"Sub", 14, {}, {floats({2, 1}, {1, 2}), floats({2}, {10, 20})}, "[2,2] -9 -19 -8 -18"},
      {"Mul", 14, {}, {counting, floats({2, 2}, {1, 1, 1, 1})}, "node it (Mul): operands of shapes undefined[2,3] and undefined[2,2] do not broadcast"},
      {"Div", 14, {}, {ints({7, -7, 5}), ints({2, 2, 0})}, "[3] 3 -3 0"},
      {"Mod", 13, {}, {ints({7, -7, 5}), ints({3, 3, -3})}, "[3] 1 2 -1"},
      {"Pow", 15, {}, {floats({2}, {2, 3}), ints({2}, {3, 2})}, "[2] 8 9"},
      {"Max", 13, {}, {floats({2}, {1, 5}), floats({1}, {3})}, "[2] 3 5"},
      {"Sum", 13, {}, {floats({2}, {1, 5}), floats({1}, {3}), floats({}, {1})}, "[2] 5 9"},
      {"Mean", 13, {}, {floats({2}, {1, 5}), floats({1}, {3})}, "[2] 2 4"},
      {"PRelu", 16, {}, {floats({2, 1, 1}, {-4, 4}), floats({2, 1, 1}, {0.5F, 0.5F})}, "[2,1,1] -2 4"},
  });
}

TEST(Ops, MovingElements) {
  check({
      {"Concat", 13, {attr("axis", std::int64_t{1})}, {counting, floats({2, 1}, {7, 8})}, "[2,4] 0 1 2 7 3 4 5 8"},
      {"Concat", 13, {attr("axis", std::int64_t{2})}, {counting}, "node it (Concat): axis 2 is outside -2 .. 1"},
      {"Reshape", 14, {}, {counting, ints({3, -1})}, "[3,2] 0 1 2 3 4 5"},
      {"Reshape", 14, {}, {counting, ints({0, 3, 1})}, "[2,3,1] 0 1 2 3 4 5"},
      {"Reshape", 14, {}, {counting, ints({4, -1})}, "node it (Reshape): 6 elements do not divide by 4"},
      {"Reshape", 14, {attr("allowzero", std::int64_t{1})}, {floats({0, 3}, {}), ints({3, 0})}, "[3,0]"},
      {"Flatten", 13, {}, {floats({2, 1, 2}, {1, 2, 3, 4})}, "[2,2] 1 2 3 4"},
      {"Flatten", 13, {attr("axis", std::int64_t{0})}, {counting}, "[1,6] 0 1 2 3 4 5"},
      {"Squeeze", 11, {attr("axes", Ints{0})}, {floats({1, 2}, {1, 2})}, "[2] 1 2"},
      {"Squeeze", 13, {}, {floats({1, 2, 1}, {1, 2})}, "[2] 1 2"},
      {"Unsqueeze", 11, {attr("axes", Ints{0, 2})}, {floats({2}, {1, 2})}, "[1,2,1] 1 2"},
      {"Unsqueeze", 13, {}, {floats({2}, {1, 2}), ints({-1})}, "[2,1] 1 2"},
      {"Transpose", 13, {}, {counting}, "[3,2] 0 3 1 4 2 5"},
      {"Transpose", 13, {attr("perm", Ints{1, 1})}, {counting}, "node it (Transpose): axis 1 is given twice"},
      {"Slice", 9, {attr("starts", Ints{1}), attr("ends", Ints{9}), attr("axes", Ints{1})}, {counting}, "[2,2] 1 2 4 5"},
      {"Slice", 13, {}, {counting, ints({-1}), ints({INT64_MIN}), ints({1}), ints({-1})}, "[2,3] 2 1 0 5 4 3"},
      {"Slice", 13, {}, {counting, ints({0, 2}), ints({2, 0})}, "[2,0]"},
      {"Split", 11, {attr("axis", std::int64_t{1}), attr("split", Ints{1, 2})}, {counting}, "[2,1] 0 3 | [2,2] 1 2 4 5", 2},
      {"Split", 18, {attr("num_outputs", std::int64_t{2}), attr("axis", std::int64_t{1})}, {counting}, "[2,2] 0 1 3 4 | [2,1] 2 5", 2},
      {"Gather", 13, {attr("axis", std::int64_t{1})}, {counting, ints({2}, {2, -3})}, "[2,2] 2 0 5 3"},
      {"Gather", 13, {}, {counting, ints({2}, {0, 2})}, "index 2 is outside an axis of size 2"},
      {"GatherElements", 13, {}, {counting, ints({1, 3}, {1, 0, 1})}, "[1,3] 3 1 5"},
      {"GatherND", 13, {}, {counting, ints({2, 2}, {0, 1, 1, 2})}, "[2] 1 5"},
      {"Pad", 10, {attr("pads", Ints{0, 1, 0, 0}), attr("value", 9.0F)}, {counting}, "[2,4] 9 0 1 2 9 3 4 5"},
      {"Pad", 13, {attr("mode", std::string("reflect"))}, {counting, ints({0, 2, 0, 1})}, "[2,6] 2 1 0 1 2 1 5 4 3 4 5 4"},
      {"Pad", 18, {attr("mode", std::string("edge"))}, {counting, ints({1, -1}), std::nullopt, ints({1})}, "[2,3] 0 0 1 3 3 4"},
      {"Shape", 15, {attr("start", std::int64_t{1})}, {counting}, "[1] 3"},
      {"Size", 13, {}, {counting}, "[] 6"},
      {"ConstantOfShape", 9, {attr("value", ints({1}, {7}))}, {ints({2, 1})}, "[2,1] 7 7"},
      {"ConstantOfShape", 9, {}, {ints({1 << 20, 1 << 20})},
       "node it (ConstantOfShape): a result float[1048576,1048576] is larger than 2^31 elements or 8 GiB"},
      {"Dropout", 13, {}, {floats({2}, {1, 2})}, "[2] 1 2 | [2] 1 1", 2},
  });
}

TEST(Ops, Numbers) {
  check({
      {"Cast", 13, {attr("to", std::int64_t{7})}, {floats({3}, {1.9F, -1.9F, 3})}, "[3] 1 -1 3"},
      {"Cast", 13, {attr("to", std::int64_t{9})}, {floats({2}, {0, 0.5F})}, "[2] 0 1"},
      {"Cast", 13, {attr("to", std::int64_t{99})}, {floats({1}, {1})}, "node it (Cast): to=99 is no element type"},
      {"Softmax", 13, {}, {floats({1, 2}, {0, 0})}, "[1,2] 0.5 0.5"},
      {"Softmax", 11, {}, {floats({1, 2, 2}, {0, 0, 0, 0})}, "[1,2,2] 0.25 0.25 0.25 0.25"},
      {"LogSoftmax", 13, {}, {floats({1, 2}, {0, 0})}, "[1,2] -0.693147 -0.693147"},
      {"Hardmax", 13, {}, {floats({1, 3}, {1, 4, 4})}, "[1,3] 0 1 0"},
      {"BatchNormalization", 9, {attr("epsilon", 0.0F)},
       {floats({1, 2, 2}, {1, 3, 1, 3}), floats({2}, {1, 2}), floats({2}, {0, 1}), floats({2}, {1, 1}), floats({2}, {4, 1})},
       "[1,2,2] 0 1 1 5"},
      {"QuantizeLinear", 13, {}, {floats({5}, {-1, 0.5F, 1.5F, 300, 1e30F}), floats({}, {1}), Tensor::scalar<std::uint8_t>(3)}, "[5] 2 3 5 255 255"},
      {"QuantizeLinear", 13, {attr("axis", std::int64_t{0})},
       {floats({2, 2}, {1, 2, 1, 2}), floats({2}, {1, 0.5F}), Tensor::of<std::int8_t>({2}, {0, 1})}, "[2,2] 1 2 3 5"},
      {"DequantizeLinear", 13, {}, {Tensor::of<std::uint8_t>({2}, {2, 255}), floats({}, {0.5F}), Tensor::scalar<std::uint8_t>(3)}, "[2] -0.5 126"},
      {"DequantizeLinear", 21, {attr("axis", std::int64_t{1}), attr("block_size", std::int64_t{2})},
       {Tensor::of<std::int8_t>({1, 3}, {1, 2, 3}), floats({1, 2}, {1, 10})}, "[1,3] 1 2 30"},
      {"DynamicQuantizeLinear", 11, {}, {floats({3}, {0, 2, -3})}, "[3] 153 255 0 | [] 0.0196078 | [] 153", 3},
      {"Resize", 13, {attr("mode", std::string("nearest"))}, {floats({1, 1, 1, 2}, {1, 2}), std::nullopt, floats({4}, {1, 1, 1, 2})}, "[1,1,1,4] 1 1 2 2"},
      {"Resize", 13, {attr("mode", std::string("linear"))}, {floats({1, 1, 1, 2}, {1, 2}), std::nullopt, floats({4}, {1, 1, 1, 2})}, "[1,1,1,4] 1 1.25 1.75 2"},
      {"Upsample", 9, {attr("mode", std::string("nearest"))}, {floats({1, 1, 1, 2}, {1, 2}), floats({4}, {1, 1, 2, 1})}, "[1,1,2,2] 1 2 1 2"},
  });
}

} // namespace
} // namespace edgec::test
