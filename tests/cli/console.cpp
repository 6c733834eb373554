#include "cli/progress.h"

#include <gtest/gtest.h>
#include <random>

namespace edgec {
namespace {

std::vector<ProgressStep> plan() {
  return {{"reading", 1}, {"calibrating", 1}, {"fitting layers", 4}, {"fitting layers", 4}, {"verifying", 2}};
}

TEST(Progress, TellsTheStepTheWholeAndTheTimeLeft) {
  ProgressState state(plan());
  state.show("reading", 0, 0);
  EXPECT_EQ(state.text(0), "[1/5] reading  0 %");
  state.show("fitting layers", 13, 26);
  EXPECT_EQ(state.text(2), "[3/5] fitting layers 13/26  33 %");
  EXPECT_EQ(state.text(30), "[3/5] fitting layers 13/26  33 %  about 1:00 left");
}

TEST(Progress, AStepThatBeginsAgainIsTheNextOfItsName) {
  ProgressState state(plan());
  state.show("fitting layers", 26, 26);
  state.show("fitting layers", 1, 2);
  EXPECT_EQ(state.text(0), "[4/5] fitting layers 1/2  67 %");
  state.show("fitting layers", 0, 2); // not planned: it stays where it was
  EXPECT_EQ(state.text(0), "[4/5] fitting layers 0/2  67 %");
  state.show("something else", 1, 2);
  EXPECT_EQ(state.text(0), "[4/5] something else 1/2  67 %");
}

TEST(Progress, PartsOfASearchAreShownInIt) {
  ProgressState state({{"calibrating", 1}, {"searching the rate", 8}, {"verifying", 1}});
  state.stage("searching the rate", 1, 4);
  EXPECT_EQ(state.text(0), "[2/3] searching the rate 2 of at most 4  30 %");
  state.show("fitting layers", 5, 10);
  EXPECT_EQ(state.text(0), "[2/3] searching the rate 2 of at most 4, fitting layers 5/10  40 %");
  state.show("verifying", 0, 0);
  EXPECT_EQ(state.text(0), "[3/3] verifying  90 %");
}

TEST(Progress, NeverCountsDownNorBeyondAll) {
  const std::string names[] = {"reading", "calibrating", "fitting layers", "verifying", "unplanned"};
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    ProgressState state(plan());
    double before = 0;
    for (int i = 0; i < 200; ++i) {
      const std::size_t all = random() % 5, done = random() % 6;
      const std::string &name = names[random() % std::size(names)];
      random() % 4 == 0 ? state.stage(name, done, all) : state.show(name, done, all);
      ASSERT_GE(state.fraction(), before);
      ASSERT_LE(state.fraction(), 1);
      before = state.fraction();
    }
  }
}

} // namespace
} // namespace edgec
