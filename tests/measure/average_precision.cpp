// COCO's mean average precision, on cases that can be told by hand.
#include "measure/average_precision.h"

#include <gtest/gtest.h>

namespace edgec {
namespace {

constexpr Corners left{.1, .1, .3, .3}, right{.6, .6, .9, .9};

Detection found(const Corners &corners, double score, std::size_t category = 0) { return {corners, category, score}; }
LabelledBox label(const Corners &corners, std::size_t category = 0, bool crowd = false) {
  return {corners, category, crowd};
}

double map_of(const std::vector<Detection> &detections, const std::vector<LabelledBox> &labels,
              std::size_t categories = 1) {
  return mean_average_precision({&detections, 1}, {&labels, 1}, categories);
}

TEST(IntersectionOverUnion, IsAShareOfBothAreas) {
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 1, 1}, {0, 0, 1, 1}), 1);
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 2, 1}, {1, 0, 3, 1}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 1, 1}, {2, 2, 3, 3}), 0);
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 0, 0}, {0, 0, 0, 0}), 0);
}

TEST(MeanAveragePrecision, IsOneWhereAllIsFoundAndNothingElse) {
  EXPECT_DOUBLE_EQ(map_of({found(left, .9), found(right, .8)}, {label(left), label(right)}), 1);
  EXPECT_DOUBLE_EQ(map_of({found(left, .9, 1), found(right, .8)}, {label(left, 1), label(right)}, 2), 1);
  EXPECT_DOUBLE_EQ(map_of({}, {label(left)}), 0);
  EXPECT_DOUBLE_EQ(map_of({found(left, 1)}, {}), 0); // nothing to find
}

TEST(MeanAveragePrecision, CountsRecallInHundredths) {
  // One of two is found: precision is 1 up to a recall of a half, 51 of 101 points.
  EXPECT_DOUBLE_EQ(map_of({found(left, .9)}, {label(left), label(right)}), 51.0 / 101);
  // Something wrong, with more confidence: precision is a half from there on.
  EXPECT_DOUBLE_EQ(map_of({found(right, .9), found(left, .8)}, {label(left)}), .5);
  // With less confidence it does not matter.
  EXPECT_DOUBLE_EQ(map_of({found(right, .7), found(left, .8)}, {label(left)}), 1);
}

TEST(MeanAveragePrecision, CountsOverlapsFromAHalfToNineteenTwentieths) {
  // 0.77 of it: right at .5, .55, .6, .65, .7, .75.
  EXPECT_DOUBLE_EQ(map_of({found({0, 0, .77, 1}, .9)}, {label({0, 0, 1, 1})}), .6);
}

TEST(MeanAveragePrecision, FindsABoxOnce) {
  EXPECT_NEAR(map_of({found(left, .9), found(left, .8), found(right, .7)}, {label(left), label(right)}),
              (51 + 50 * 2.0 / 3) / 101, 1e-12);
}

TEST(MeanAveragePrecision, LeavesOutWhatIsFoundInACrowd) {
  EXPECT_DOUBLE_EQ(map_of({found(right, .9), found(right, .85), found(left, .8)}, {label(left), label(right, 0, true)}),
                   1);
}

TEST(WithoutDoubles, KeepsTheBestOfEachPlace) {
  const auto kept =
      without_doubles({found(left, .5), found({.11, .1, .31, .3}, .9), found(right, .2), found(left, .4, 1)}, .5, 100);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].score, .9);
  EXPECT_EQ(kept[1].category, 1U);
  EXPECT_EQ(kept[2].score, .2);
  EXPECT_EQ(without_doubles({found(left, .5), found(right, .9)}, .5, 1).size(), 1U);
}

/// Two pictures, two priors each; classes nothing and something.
NetworkOutputs outputs(double scale) {
  const auto numbers = [](Dims dims, std::vector<double> values) {
    return OutputNumbers{std::move(dims), std::move(values), false};
  };
  std::vector<double> a, b;
  for (const Corners &box : {left, right})
    for (const double edge : box) a.push_back(edge * scale), b.push_back(edge * scale);
  return {{"scores", "boxes"},
          {{"x/b.jpg", 1, {numbers({1, 2, 2}, {.1, .9, 1, 0}), numbers({1, 2, 4}, a)}},
           {"x/a.jpg", 1, {numbers({1, 2, 2}, {1, 0, .3, .7}), numbers({1, 2, 4}, b)}}}};
}

TEST(MapMetric, ReadsBoxesAndScoresOfTheOutputs) {
  const BoxLabels labels{{"a.jpg", "b.jpg"}, {{label(right)}, {label(left)}}, 1};
  EXPECT_EQ(map_metric(labels, 1, 1).of(outputs(1)).value(), 1);
  EXPECT_EQ(map_metric(labels, 320, 320).of(outputs(320)).value(), 1); // in pixels
  const BoxLabels turned{{"b.jpg", "a.jpg"}, {{label(right)}, {label(left)}}, 1};
  EXPECT_EQ(map_metric(turned, 1, 1).of(outputs(1)).value(), 0);
}

TEST(MapMetric, SaysWhatDoesNotFit) {
  const BoxLabels labels{{"a.jpg"}, {{label(right)}}, 1}, many{{"a.jpg", "b.jpg"}, {{}, {}}, 5};
  EXPECT_EQ(map_metric(many, 1, 1).of(outputs(1)).error().message,
            "--metric map: output scores has scores of 2 classes, the labels have 5 categories");
  EXPECT_EQ(map_metric(BoxLabels{{}, {}, 1}, 1, 1).of(outputs(1)).error().message,
            "--metric map: x/b.jpg has no labels");
  EXPECT_EQ(map_metric(labels, 1, 1).of({{"y"}, {{"x", 1, {{{1, 3}, {1, 2, 3}, false}}}}}).error().message,
            "--metric map: no two outputs are boxes [..., M, 4] and their scores [..., M, classes]");
}

} // namespace
} // namespace edgec
