#include "cli/console.h"

#include <gtest/gtest.h>

namespace edgec {
namespace {

TEST(Progress, TellsTheTimeLeft) {
  EXPECT_EQ(progress_text({.what = "fitting layers", .done = 12, .all = 26, .seconds = 78}), "fitting layers 12/26, 1:18, about 1:31 left");
  EXPECT_EQ(progress_text({.what = "fitting layers", .done = 26, .all = 26, .seconds = 78}), "fitting layers 26/26, 1:18, about 0:00 left");
}

TEST(Progress, NotOfTheFirstSecondsNorOfNothing) {
  EXPECT_EQ(progress_text({.what = "calibrating", .done = 1, .all = 200, .seconds = 1}), "calibrating 1/200, 0:01");
  EXPECT_EQ(progress_text({.what = "calibrating", .done = 0, .all = 0, .seconds = 9}), "calibrating 0/0, 0:09");
}

TEST(Progress, StagesBoundTheTimeLeft) {
  ProgressState state{.stage = "searching the rate", .stages_done = 1, .most_stages = 4, .what = "fitting layers", .done = 5, .all = 10};
  state.seconds = 30;
  EXPECT_EQ(progress_text(state), "searching the rate, 2 of at most 4: fitting layers 5/10, 0:30, at most 0:50 left");
}

} // namespace
} // namespace edgec
