// Hand-checked values of operators that few networks have: spectra, grids, odd windows, text, tables.
#include <gtest/gtest.h>

#include "tests/ops/run.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;
using Strings = std::vector<std::string>;
const auto yes = std::int64_t{1};

Tensor whole(std::int64_t value) { return ints({}, {value}); }
Tensor texts(Strings values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::of_strings({count}, std::move(values));
}

TEST(LessCommon, Spectra) {
  check({
      {"DFT", 20, {}, {floats({1, 4, 1}, {1, 0, 0, 0})}, "[1,4,2] 1 0 1 0 1 0 1 0"},
      {"DFT", 20, {}, {floats({1, 3, 1}, {1, 2, 3})}, "[1,3,2] 6 0 -1.5 0.866025 -1.5 -0.866025"},
      {"DFT", 20, {attr("onesided", yes)}, {floats({1, 3, 1}, {1, 2, 3})}, "[1,2,2] 6 0 -1.5 0.866025"},
      {"DFT",
       20,
       {attr("onesided", yes), attr("inverse", yes)},
       {floats({1, 3, 2}, {10, 0, -2, 2, -2, 0})},
       "[1,4,1] 1 2 3 4"},
      {"DFT", 20, {}, {floats({1, 2, 1}, {1, 2}), whole(4)}, "[1,4,2] 3 0 1 -2 -1 0 1 2"},
      {"DFT", 17, {attr("axis", std::int64_t{0})}, {floats({2, 1, 1}, {1, 2})}, "[2,1,2] 3 0 -1 0"},
      {"DFT",
       20,
       {},
       {floats({1, 2, 1}, {1, 2}), std::nullopt, whole(-1)},
       "node it (DFT): the last axis holds real and imaginary parts, it cannot be transformed"},
      {"STFT",
       17,
       {},
       {floats({1, 4, 1}, {1, 2, 3, 4}), whole(2), std::nullopt, whole(2)},
       "[1,2,2,2] 3 0 -1 0 7 0 -1 0"},
      {"STFT", 17, {}, {floats({1, 4, 1}, {1, 2, 3, 4}), whole(2), floats({2}, {1, 0})}, "[1,2,2,2] 1 0 1 0 3 0 3 0"},
      {"MelWeightMatrix", 17, {}, {whole(1), whole(4), whole(8), floats({}, {0}), floats({}, {3})}, "[3,1] 1 0 0"},
  });
}

TEST(LessCommon, Grids) {
  const Tensor x = floats({1, 1, 2, 2}, {5, 1, 2, 4}), centre = floats({1, 1, 1, 2}, {0, 0}),
               outside = floats({1, 1, 1, 2}, {-3, -3});
  const auto padding = [](const char *kind) { return attr("padding_mode", std::string(kind)); };
  const auto nearest = attr("mode", std::string("nearest")), corners = attr("align_corners", yes);
  check({
      {"GridSample", 20, {}, {x, centre}, "[1,1,1,1] 3"},
      {"GridSample", 20, {}, {x, outside}, "[1,1,1,1] 0"},
      {"GridSample", 20, {padding("border")}, {x, outside}, "[1,1,1,1] 5"},
      {"GridSample", 20, {padding("reflection"), nearest}, {x, outside}, "[1,1,1,1] 4"},
      {"GridSample", 20, {corners, nearest}, {x, floats({1, 1, 1, 2}, {1, -1})}, "[1,1,1,1] 1"}, // the last axis comes
                                                                                                 // first
      {"GridSample", 20, {attr("mode", std::string("cubic")), padding("border")}, {x, centre}, "[1,1,1,1] 3"},
      {"GridSample", 20, {attr("mode", std::string("best"))}, {x, centre}, "mode \"best\""},
      {"AffineGrid",
       20,
       {},
       {floats({1, 2, 3}, {1, 0, 0, 0, 2, 1}), ints({1, 1, 2, 2})},
       "[1,2,2,2] -0.5 0 0.5 0 -0.5 2 0.5 2"},
      {"AffineGrid",
       20,
       {corners},
       {floats({1, 2, 3}, {1, 0, 0, 0, 1, 0}), ints({1, 1, 1, 2})},
       "[1,1,2,2] -1 -1 1 -1"},
      {"Resize",
       19,
       {attr("mode", std::string("linear")), attr("coordinate_transformation_mode", std::string("align_corners"))},
       {floats({1, 1, 1, 4}, {1, 2, 3, 4}), std::nullopt, floats({4}, {1, 1, 1, 0.6F})},
       "[1,1,1,2] 1 3.14286"},
  });
}

TEST(LessCommon, Windows) {
  const auto kernel = [](Ints size) { return attr("kernel_shape", std::move(size)); };
  check({
      {"LpPool", 18, {kernel({2})}, {floats({1, 1, 3}, {3, -4, 0})}, "[1,1,2] 5 4"},
      {"GlobalLpPool", 2, {attr("p", yes)}, {floats({1, 1, 3}, {3, -4, 0})}, "[1,1,1] 7"},
      {"MaxUnpool",
       11,
       {kernel({2, 2}), attr("strides", Ints{2, 2})},
       {floats({1, 1, 1, 1}, {7}), ints({1, 1, 1, 1}, {3})},
       "[1,1,2,2] 0 0 0 7"},
      {"MaxUnpool",
       11,
       {kernel({2, 2}), attr("strides", Ints{2, 2})},
       {floats({1, 1, 1, 1}, {7}), ints({1, 1, 1, 1}, {4})},
       "index 4 lies outside the output"},
      {"Col2Im", 18, {}, {floats({1, 2, 2}, {1, 2, 3, 4}), ints({1, 3}), ints({1, 2})}, "[1,1,1,3] 1 5 4"},
      {"Col2Im",
       18,
       {},
       {floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}), ints({1, 3}), ints({1, 2})},
       "3 blocks, 2 fit the image"},
      {"DeformConv",
       19,
       {},
       {floats({1, 1, 2, 2}, {1, 2, 3, 4}), floats({1, 1, 1, 1}, {2}), floats({1, 2, 2, 2}, {0, 0, 0, 0, 1, 1, 1, 1})},
       "[1,1,2,2] 4 0 8 0"}, // each pixel reads its right neighbour
      {"Attention",
       25,
       {attr("left_window_size", yes), attr("right_window_size", std::int64_t{0})},
       {floats({1, 1, 3, 1}, {0, 0, 0}), floats({1, 1, 3, 1}, {0, 0, 0}), floats({1, 1, 3, 1}, {1, 2, 4})},
       "[1,1,3,1] 1 1.5 3"},
  });
}

TEST(LessCommon, Bits) {
  const auto to = [](DType type) { return attr("to", static_cast<std::int64_t>(type)); };
  check({
      {"Det", 11, {}, {floats({2, 2}, {1, 2, 3, 4})}, "[] -2"},
      {"Det", 11, {}, {floats({1, 3, 3}, {0, 1, 0, 1, 0, 0, 0, 0, 5})}, "[1] -5"},
      {"BitCast", 26, {to(DType::int32)}, {floats({1}, {1})}, "[1] 1.06535e+09"},
      {"BitCast",
       26,
       {to(DType::int16)},
       {floats({1}, {1})},
       "node it (BitCast): float and int16 have different numbers of bits"},
      {"Cast", 25, {to(DType::float8e8m0)}, {floats({4}, {1, 1.1F, 2, 5})}, "[4] 1 2 2 8"},
      {"Cast",
       25,
       {to(DType::float8e8m0), attr("round_mode", std::string("down"))},
       {floats({3}, {1, 1.9F, 7})},
       "[3] 1 1 4"},
      {"Cast",
       25,
       {to(DType::float8e8m0), attr("round_mode", std::string("nearest"))},
       {floats({3}, {1.4F, 1.5F, 7})},
       "[3] 1 2 8"},
  });
}

Strings run_texts(const std::string &op, Attributes attributes, const std::vector<std::optional<Tensor>> &inputs) {
  const auto results = run(op, 20, std::move(attributes), inputs);
  if (!results) return {results.error().message};
  return *results->front().strings;
}

TEST(LessCommon, Text) {
  EXPECT_EQ(run_texts("StringConcat", {}, {texts({"a", "b"}), texts({"x"})}), (Strings{"ax", "bx"}));
  EXPECT_EQ(run_texts("StringSplit", {attr("delimiter", std::string("-"))}, {texts({"a-b", "c"})}),
            (Strings{"a", "b", "c", ""}));
  EXPECT_EQ(run_texts("StringSplit", {}, {texts({"  a  b "})}), (Strings{"a", "b"}));
  EXPECT_EQ(run_texts("StringSplit", {attr("maxsplit", yes)}, {texts({" a b c "})}), (Strings{"a", "b c"}));
  const auto stop = attr("stopwords", Strings{"The"}), upper = attr("case_change_action", std::string("UPPER"));
  EXPECT_EQ(run_texts("StringNormalizer", {stop, upper}, {texts({"the", "dog"})}), (Strings{"DOG"}));
  EXPECT_EQ(run_texts("StringNormalizer", {stop, attr("is_case_sensitive", yes)}, {texts({"the", "The"})}),
            (Strings{"the"}));
  EXPECT_EQ(run_texts("StringNormalizer", {stop}, {texts({"the"})}), (Strings{""}));
  const Attributes grams{attr("mode", std::string("TF")),          attr("min_gram_length", yes),
                         attr("max_gram_length", std::int64_t{2}), attr("max_skip_count", std::int64_t{0}),
                         attr("ngram_counts", Ints{0, 1}),         attr("ngram_indexes", Ints{1, 0}),
                         attr("pool_int64s", Ints{1, 1, 3})};
  check({{"TfIdfVectorizer", 9, grams, {ints({1, 1, 3})}, "[2] 1 2"}});
}

} // namespace
} // namespace edgec::test
