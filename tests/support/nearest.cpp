#include "support/nearest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("conv1", "conv1"), 0U);
  EXPECT_EQ(edit_distance("conv1", "conv"), 1U);
  EXPECT_EQ(edit_distance("conv1", "conv2"), 1U);
  EXPECT_EQ(edit_distance("cnov1", "conv1"), 1U);
  EXPECT_EQ(edit_distance("", "conv"), 4U);
}

TEST(Nearest, GivesTheClosestFirst) {
  const std::vector<std::string> names{"layer1.conv", "layer2.conv", "fc", "layer1.conv2"};
  EXPECT_THAT(nearest("layer1.con", names), ElementsAre("layer1.conv", "layer2.conv", "layer1.conv2"));
  EXPECT_THAT(nearest("something else", names), IsEmpty());
}

TEST(Nearest, FindsNamesThatContainTheWord) {
  const std::vector<std::string> names{"model/block3/depthwise", "input"};
  EXPECT_THAT(nearest("block3", names), ElementsAre("model/block3/depthwise"));
}

TEST(Nearest, SuggestsNothingForAWordSharingNoLetter) {
  const std::vector<std::string> names{"x", "y"};
  EXPECT_EQ(did_you_mean("w", names), "");
}

} // namespace
} // namespace edgec
