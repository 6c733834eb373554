#include "runtime/arena.h"

#include <gtest/gtest.h>

#include "support/random.h"

namespace edgec {
namespace {

TEST(Arena, BuffersThatLiveTogetherNeverOverlap) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<BufferLife> buffers(1 + random.below(40));
    for (BufferLife &buffer : buffers) {
      buffer.bytes = random.below(5000);
      buffer.first = random.below(30);
      buffer.last = buffer.first + random.below(8);
    }
    const std::size_t total = place_buffers(buffers);
    for (const BufferLife &a : buffers) {
      EXPECT_LE(a.offset + a.bytes, total);
      EXPECT_EQ(a.offset % 64, 0U);
      for (const BufferLife &b : buffers) {
        const bool together = &a != &b && a.first <= b.last && b.first <= a.last;
        const bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
        EXPECT_TRUE(apart || !together || a.bytes == 0 || b.bytes == 0);
      }
    }
  }
}

TEST(Arena, AChainNeedsOnlyTwoBuffers) {
  std::vector<BufferLife> buffers;
  for (std::size_t i = 0; i < 10; ++i) buffers.push_back({1024, i, i + 1, 0});
  EXPECT_EQ(place_buffers(buffers), 2048U);
}

} // namespace
} // namespace edgec
