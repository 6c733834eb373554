// What --metric says and --max-drop counts.
#include "measure/score.h"

#include <gtest/gtest.h>

#include "measure/confidence.h"

namespace edgec {
namespace {

Fidelity labelled() {
  Fidelity fidelity;
  fidelity.compared = true;
  fidelity.samples = fidelity.answers = 200;
  fidelity.agreeing = 190;
  fidelity.reference_accuracy = Accuracy{200, 120, 160};
  fidelity.test_accuracy = Accuracy{200, 118, 161};
  fidelity.top1_changes = {4, 2};
  fidelity.top5_changes = {0, 1};
  fidelity.logits.noise.signal = 1000, fidelity.logits.noise.noise = 1;
  return fidelity;
}

TEST(ScoreOf, TakesEachFromWhatWasMeasured) {
  const Fidelity fidelity = labelled();
  const auto top1 = score_of(fidelity, "top1"), top5 = score_of(fidelity, "top5");
  EXPECT_DOUBLE_EQ(top1->test, .59);
  EXPECT_DOUBLE_EQ(*top1->reference, .6);
  EXPECT_DOUBLE_EQ(*top1->upper_drop, upper_loss(4, 2, 200));
  EXPECT_DOUBLE_EQ(top5->test, .805);
  EXPECT_DOUBLE_EQ(*top5->upper_drop, upper_loss(0, 1, 200));
  const auto agreement = score_of(fidelity, "agreement"), sqnr = score_of(fidelity, "sqnr");
  EXPECT_DOUBLE_EQ(agreement->test, .95);
  EXPECT_DOUBLE_EQ(*agreement->upper_drop, upper_share(10, 200));
  EXPECT_DOUBLE_EQ(sqnr->test, 30);
  EXPECT_FALSE(sqnr->reference); // decibels of an error: none of the reference
}

TEST(ScoreOf, IsNothingWhereItWasNotMeasured) {
  Fidelity fidelity;
  for (const char *metric : {"top1", "top5", "agreement", "sqnr"}) EXPECT_FALSE(score_of(fidelity, metric)) << metric;
}

TEST(DropOf, CountsTheMetricElseAgreement) {
  Fidelity fidelity = labelled();
  EXPECT_NEAR(drop_of(fidelity)->points, 5, 1e-12); // agreement
  fidelity.score = score_of(fidelity, "top1");
  EXPECT_NEAR(drop_of(fidelity)->points, 1, 1e-12);
  EXPECT_NEAR(*drop_of(fidelity)->bound, 100 * upper_loss(4, 2, 200), 1e-12);
  fidelity.score = Score{.metric = "command", .test = .7, .reference = .5, .answers = 200};
  EXPECT_NEAR(drop_of(fidelity)->points, -20, 1e-12);
  EXPECT_FALSE(drop_of(fidelity)->bound); // nobody knows how it varies
  fidelity.score = score_of(fidelity, "sqnr");
  EXPECT_FALSE(drop_of(fidelity));
}

} // namespace
} // namespace edgec
