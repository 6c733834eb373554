// Hand-checked values of comparisons, reductions and operators that repeat or make tensors.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/run.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;

const Tensor counting = floats({2, 3}, {0, 1, 2, 3, 4, 5});
const auto no = std::int64_t{0};

TEST(Ops, Comparisons) {
  check({
      {"Less", 13, {}, {counting, floats({}, {2})}, "[2,3] 1 1 0 0 0 0"},
      {"GreaterOrEqual", 16, {}, {ints({1, 2, 3}), ints({1}, {2})}, "[3] 0 1 1"},
      {"Equal", 19, {}, {Tensor::of_strings({2}, {"a", "b"}), Tensor::of_strings({1}, {"b"})}, "[2] 0 1"},
      {"Equal",
       13,
       {},
       {counting, ints({1})},
       "node it (Equal): operands have different element types, float and int64"},
      {"IsInf", 10, {attr("detect_negative", no)}, {floats({3}, {-INFINITY, INFINITY, NAN})}, "[3] 0 1 0"},
      {"Where",
       16,
       {},
       {from_int64s(DType::boolean, {3}, Ints{1, 0, 1}), floats({3}, {1, 2, 3}), floats({}, {9})},
       "[3] 1 9 3"},
  });
}

TEST(Ops, Reductions) {
  check({
      {"ReduceSum", 11, {attr("axes", Ints{0}), attr("keepdims", no)}, {counting}, "[3] 3 5 7"},
      {"ReduceSum", 13, {}, {counting, ints({-1})}, "[2,1] 3 12"},
      {"ReduceSum", 13, {attr("noop_with_empty_axes", std::int64_t{1})}, {counting}, "[2,3] 0 1 2 3 4 5"},
      {"ReduceMean", 18, {}, {counting}, "[1,1] 2.5"},
      {"ReduceMax", 13, {attr("axes", Ints{1}), attr("keepdims", no)}, {counting}, "[2] 2 5"},
      {"ReduceMin", 13, {attr("axes", Ints{2})}, {counting}, "node it (ReduceMin): axis 2 is outside -2 .. 1"},
      {"ReduceProd", 18, {}, {floats({0}, {})}, "[1] 1"},
      {"ReduceL1", 18, {}, {floats({2}, {-3, 4})}, "[1] 7"},
      {"ReduceL2", 18, {}, {floats({2}, {-3, 4})}, "[1] 5"},
      {"ReduceLogSumExp", 18, {}, {floats({2}, {1000, 1000})}, "[1] 1000.69"},
      {"ArgMax", 13, {attr("axis", std::int64_t{1})}, {floats({1, 3}, {1, 7, 7})}, "[1,1] 1"},
      {"ArgMin",
       13,
       {attr("keepdims", no), attr("select_last_index", std::int64_t{1})},
       {floats({3}, {1, 7, 1})},
       "[] 2"},
  });
}

TEST(Ops, RepeatingAndMaking) {
  check({
      {"Expand", 13, {}, {floats({2, 1}, {1, 2}), ints({2, 1, 2})}, "[2,2,2] 1 1 2 2 1 1 2 2"},
      {"Expand",
       13,
       {},
       {floats({2}, {1, 2}), ints({3})},
       "node it (Expand): operands of shapes undefined[2] and undefined[3] do not broadcast"},
      {"Tile", 13, {}, {floats({1, 2}, {1, 2}), ints({2, 2})}, "[2,4] 1 2 1 2 1 2 1 2"},
      {"Range", 11, {}, {floats({}, {1}), floats({}, {2}), floats({}, {0.5F})}, "[2] 1 1.5"},
      {"Range", 11, {}, {ints({}, {5}), ints({}, {0}), ints({}, {-2})}, "[3] 5 3 1"},
      {"Range",
       11,
       {},
       {ints({}, {0}), ints({}, {5}), ints({}, {0})},
       "node it (Range): start, limit and delta must be numbers with delta not 0 and less than 2^31 steps between"},
      {"EyeLike", 9, {attr("k", std::int64_t{1})}, {counting}, "[2,3] 0 1 0 0 0 1"},
      {"OneHot", 11, {}, {ints({2, -1, 7}), ints({}, {3}), floats({2}, {0, 5})}, "[3,3] 0 0 5 0 0 5 0 0 0"},
      {"HannWindow", 17, {}, {ints({}, {4})}, "[4] 0 0.5 1 0.5"},
  });
}

} // namespace
} // namespace edgec::test
