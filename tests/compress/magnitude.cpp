#include "compress/magnitude.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <vector>

#include "support/random.h"

namespace edgec {
namespace {

using Tensors = std::vector<std::vector<float>>;

std::size_t prune(Tensors &tensors, double ratio) {
  std::vector<std::span<float>> spans(tensors.begin(), tensors.end());
  return prune_magnitude(spans, ratio);
}

RC_GTEST_PROP(PruneMagnitude, LeavesTheLargestAndExactlyAsManyAsWanted, ()) {
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  Tensors tensors(*rc::gen::inRange<std::size_t>(1, 4));
  for (auto &tensor : tensors) {
    tensor.resize(*rc::gen::inRange<std::size_t>(0, 100));
    for (float &number : tensor) number = static_cast<float>(random.below(20)) - 10.0F; // many ties, some zeros
  }
  const Tensors before = tensors;
  const double ratio = *rc::gen::inRange(0, 101) / 100.0;
  const std::size_t zeros = prune(tensors, ratio);
  std::size_t count = 0, found = 0, had = 0;
  float largest_pruned = 0, smallest_kept = 1e9F;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    for (std::size_t i = 0; i < tensors[t].size(); ++i) {
      const float now = tensors[t][i];
      const float then = before[t][i];
      ++count;
      found += now == 0 ? 1U : 0U;
      had += then == 0 ? 1U : 0U;
      RC_ASSERT(now == 0 || now == then);
      if (now == 0)
        largest_pruned = std::max(largest_pruned, std::abs(then));
      else
        smallest_kept = std::min(smallest_kept, std::abs(then));
    }
  RC_ASSERT(zeros == found);
  RC_ASSERT(found ==
            std::max<std::size_t>(had, static_cast<std::size_t>(std::llround(ratio * static_cast<double>(count)))));
  RC_ASSERT(largest_pruned <= smallest_kept);
}

TEST(PruneMagnitude, AmongEqualOnesTheFirstGo) {
  Tensors tensors{{2, -1, 3}, {1, 1, 5}};
  EXPECT_EQ(prune(tensors, 1.0 / 3), 2U);
  EXPECT_EQ(tensors, (Tensors{{2, 0, 3}, {0, 1, 5}}));
}

TEST(PruneMagnitude, ZerosThatWereThereCount) {
  Tensors tensors{{0, -0.0F, 0, 4}};
  EXPECT_EQ(prune(tensors, 0.5), 3U);
  EXPECT_EQ(tensors, (Tensors{{0, 0, 0, 4}}));
}

TEST(PruneMagnitude, NothingOrEverything) {
  Tensors tensors{{1, 2}};
  EXPECT_EQ(prune(tensors, 0), 0U);
  EXPECT_EQ(prune(tensors, 1), 2U);
  Tensors none;
  EXPECT_EQ(prune(none, 0.5), 0U);
}

} // namespace
} // namespace edgec
