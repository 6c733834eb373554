// --max-drop raises the values whose codes cost most, no more than it has to, and says which.
#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "measure/score.h"
#include "schemes/int8/mixed_precision.h"

namespace edgec {
namespace {

/// Networks whose answers' noise is a floor and what the values that are not raised add; one in `rare` answers of
/// `answers` changes for each of these.
class Raising {
public:
  Raising(std::vector<double> noises, double floor, std::size_t answers, std::size_t rare)
      : floor_(floor), answers_(answers), rare_(rare) {
    for (const double noise : noises) ladder_.push_back({{}, "", noise});
  }

  Raised choose(double max_drop) {
    return fewest_raised(ladder_, max_drop,
                         [&](std::size_t raised) -> Result<Fidelity> {
                           ++judged_;
                           return fidelity(raised);
                         })
        .value();
  }

  [[nodiscard]] Fidelity fidelity(std::size_t raised) const {
    double noise = floor_;
    for (std::size_t i = raised; i < ladder_.size(); ++i) noise += ladder_[i].noise;
    Fidelity found;
    found.compared = true;
    found.answers = answers_;
    found.agreeing = answers_ - std::min(answers_, answers_ / rare_ * (ladder_.size() - raised));
    found.logits.noise.signal = 1, found.logits.noise.noise = noise;
    return found;
  }
  [[nodiscard]] int judged() const { return judged_; }

private:
  std::vector<ValueNoise> ladder_;
  double floor_;
  std::size_t answers_, rare_;
  int judged_ = 0;
};

TEST(FewestRaised, NoneWhereTheAnswersStayAnyway) {
  Raising network({1e-3, 1e-4}, 1e-5, 1000, 10'000);
  EXPECT_EQ(network.choose(0.5).count, 0U);
  EXPECT_EQ(network.judged(), 1);
}

TEST(FewestRaised, StopsAtConfidenceWhereSamplesCanShowIt) {
  // Each value of 20 changes 20 of 20,000 answers; 0.5 points are 100: with 95 % confidence at most 84 seen.
  Raising network(std::vector<double>(20, 1e-4), 1e-7, 20'000, 1000);
  const Raised chosen = network.choose(0.5);
  EXPECT_EQ(chosen.count, 16U); // as a power of two
  EXPECT_LE(chosen.judged.answers - chosen.judged.agreeing, 84U);
}

TEST(FewestRaised, GoesToTheKneeWhereTheyCannot) {
  // 40 answers show nothing below 7 points: what counts is the noise that stays anyway.
  std::vector<double> noises;
  for (int i = 0; i < 32; ++i) noises.push_back(std::pow(2, -i));
  for (const int place : {1, 3, 6, 12, 20}) {
    Raising network(noises, std::pow(2, -place + 1), 40, 1'000'000);
    const Raised chosen = network.choose(0.5);
    EXPECT_LE(-chosen.judged.sqnr_db(), -network.fidelity(32).sqnr_db() + 3.02) << place;
    EXPECT_EQ(chosen.count, static_cast<std::size_t>(place)) << place;
  }
}

TEST(FewestRaised, CountsAMetricThatNobodyCanBoundAsItIs) {
  // 8 values, each of which costs a point of the metric: 4 points bear four of them.
  const std::vector<ValueNoise> ladder(8, {{}, "", 1e-3});
  const auto chosen = fewest_raised(ladder, 4.001, [&](std::size_t raised) -> Result<Fidelity> {
    Fidelity found;
    found.compared = true;
    found.score = Score{.metric = "command",
                        .test = .5 - .01 * static_cast<double>(ladder.size() - raised),
                        .reference = .5,
                        .answers = 10};
    return found;
  });
  EXPECT_EQ(chosen.value().count, 4U);
  EXPECT_NEAR(drop_of(chosen.value().judged)->points, 4, 1e-9);
}

TEST(FewestRaised, AllWhereNothingLessIsEnough) {
  Raising network(std::vector<double>(7, 1e-3), 1e-9, 70, 70);
  EXPECT_EQ(network.choose(0.5).count, 7U);
}

} // namespace
} // namespace edgec
