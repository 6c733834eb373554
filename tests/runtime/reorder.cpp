#include "runtime/reorder.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <vector>

namespace edgec {
namespace {

TEST(Reorder, ChannelsLastAndBackIsTheSame) {
  const std::array<std::int64_t, 4> dims{2, 3, 5, 41};
  std::vector<std::uint16_t> plain(2 * 3 * 5 * 41);
  std::iota(plain.begin(), plain.end(), std::uint16_t{0});
  std::vector<std::uint16_t> last(plain.size()), back(plain.size());
  const auto bytes = [](auto &v) { return reinterpret_cast<std::byte *>(v.data()); };
  reorder(bytes(plain), Layout::plain, bytes(last), Layout::channels_last, dims, 2, 1);
  EXPECT_EQ(last[1], 5 * 41); // second channel of the first position
  EXPECT_EQ(last[3], 1);      // first channel of the second position
  reorder(bytes(last), Layout::channels_last, bytes(back), Layout::plain, dims, 2, 2);
  EXPECT_EQ(back, plain);
}

TEST(Reorder, OneChannelIsTheSameInBothLayouts) {
  EXPECT_TRUE(layouts_agree(std::array<std::int64_t, 4>{1, 1, 5, 5}));
  EXPECT_TRUE(layouts_agree(std::array<std::int64_t, 4>{1, 7, 1, 1}));
  EXPECT_FALSE(layouts_agree(std::array<std::int64_t, 4>{1, 7, 1, 2}));
}

} // namespace
} // namespace edgec
