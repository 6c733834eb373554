#include "kernels/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/isa.h"
#include "support/half.h"
#include "support/random.h"

namespace edgec {
namespace {

using Way = Run; // inside a test, Run is the fixture's

std::vector<Way> ways() {
  std::vector<Way> found;
  for (Isa isa = Isa::scalar; isa <= detect_isa(); isa = static_cast<Isa>(static_cast<int>(isa) + 1))
    for (const int threads : {1, 2}) found.push_back({isa, threads});
  return found;
}

TEST(Half, EveryCodeWidensAsDefined) {
  std::vector<std::uint16_t> codes(65536 + 3);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint16_t>(i);
  const auto count = static_cast<std::int64_t>(codes.size());
  for (const DType dtype : {DType::float16, DType::bfloat16})
    for (const Way run : ways()) {
      std::vector<float> found(codes.size());
      widen(reinterpret_cast<const std::byte *>(codes.data()), dtype, found.data(), count, run);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        const float wanted = dtype == DType::float16 ? half_to_float(codes[i]) : bfloat16_to_float(codes[i]);
        ASSERT_TRUE(std::isnan(wanted) ? std::isnan(found[i]) : found[i] == wanted) << i << " " << name(run.isa);
      }
    }
}

TEST(Half, EveryFloatIsRoundedToTheNearestEven) {
  Random random(3);
  std::vector<float> reals{0.0F,     -0.0F,     65504,    65519.99F, 65520,      1e30F,
                           INFINITY, -INFINITY, 0x1p-24F, 0x1p-25F,  0x1.8p-25F, 3.4e38F};
  while (reals.size() < 50001) {
    const auto real = std::bit_cast<float>(static_cast<std::uint32_t>(random.below(std::uint64_t{1} << 32)));
    if (!std::isnan(real)) reals.push_back(random.below(2) ? real : static_cast<float>(random.normal()));
  }
  const auto count = static_cast<std::int64_t>(reals.size());
  for (const DType dtype : {DType::float16, DType::bfloat16})
    for (const Way run : ways()) {
      std::vector<std::uint16_t> found(reals.size());
      narrow(reals.data(), dtype, reinterpret_cast<std::byte *>(found.data()), count, run);
      for (std::size_t i = 0; i < reals.size(); ++i)
        ASSERT_EQ(found[i], dtype == DType::float16 ? float_to_half(reals[i]) : float_to_bfloat16(reals[i]))
            << reals[i] << " " << name(run.isa);
    }
}

} // namespace
} // namespace edgec
