// ai.onnx.ml: encoders, scalers, linear models.
#include <gtest/gtest.h>

#include "tests/ops/evaluate.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;

Tensor evaluate_ml(const std::string &op, std::vector<Attribute> attributes, const std::vector<Tensor> &operands) {
  Node node = node_of(op, std::move(attributes));
  node.domain = "ai.onnx.ml";
  std::vector<Operand> list;
  for (const Tensor &tensor : operands) list.push_back({tensor, {}});
  const auto result = evaluate(node, list);
  if (!result) throw std::runtime_error(result.error().message);
  return *result;
}

TEST(Classical, Tables) {
  const std::vector<Attribute> labels{
      {"keys_strings", Strings{"a", "b"}}, {"values_int64s", Ints{7, 8}}, {"default_int64", std::int64_t{-1}}};
  EXPECT_EQ(to_int64s(evaluate_ml("LabelEncoder", labels, {Tensor::of_strings({3}, {"b", "c", "a"})})),
            (Ints{8, -1, 7}));
  const std::vector<Attribute> old{{"classes_strings", Strings{"x", "y"}}};
  EXPECT_EQ(to_int64s(evaluate_ml("LabelEncoder", old, {Tensor::of_strings({2}, {"y", "x"})})), (Ints{1, 0}));
  EXPECT_EQ(*evaluate_ml("LabelEncoder", old, {Tensor::of<std::int64_t>({1}, {1})}).strings, (Strings{"y"}));
  EXPECT_EQ(
      to_floats(evaluate_ml("OneHotEncoder", {{"cats_int64s", Ints{3, 5}}}, {Tensor::of<std::int64_t>({2}, {5, 4})})),
      (Floats{0, 1, 0, 0}));
  EXPECT_EQ(to_floats(evaluate_ml("ArrayFeatureExtractor", {},
                                  {Tensor::of<float>({2, 2}, {1, 2, 3, 4}), Tensor::of<std::int64_t>({1}, {1})})),
            (Floats{2, 4}));
}

TEST(Classical, Numbers) {
  const Tensor x = Tensor::of<float>({2, 2}, {3, -4, 0, 0});
  EXPECT_EQ(to_floats(evaluate_ml("Binarizer", {{"threshold", 1.0F}}, {x})), (Floats{1, 0, 0, 0}));
  EXPECT_EQ(to_floats(evaluate_ml("Scaler", {{"offset", Floats{1}}, {"scale", Floats{2, 3}}}, {x})),
            (Floats{4, -15, -2, -3}));
  EXPECT_EQ(to_floats(evaluate_ml("Normalizer", {{"norm", std::string("L2")}}, {x})), (Floats{0.6F, -0.8F, 0, 0}));
  EXPECT_EQ(to_floats(evaluate_ml("LinearRegressor", {{"coefficients", Floats{1, 2}}, {"intercepts", Floats{5}}}, {x})),
            (Floats{0, 5}));
  const std::vector<Attribute> classes{
      {"coefficients", Floats{1, 0, 0, 1}}, {"intercepts", Floats{0, 1}}, {"classlabels_strings", Strings{"a", "b"}}};
  EXPECT_EQ(*evaluate_ml("LinearClassifier", classes, {x}).strings, (Strings{"a", "b"}));
}

} // namespace
} // namespace edgec::test
