#include "kernels/fast/pool.h"

#include "kernels/reference/pool.h"
#include "tests/kernels/problems.h"

namespace edgec {
namespace {

using namespace test;

PoolShape random_pool(Random &random) {
  PoolShape s;
  s.batch = pick(random, 1, 2);
  s.channels = pick(random, 1, 150);
  s.rank = random.below(6) == 0 ? 3 : 2;
  for (int i = 3 - s.rank; i < 3; ++i) {
    Window &axis = s.axes[static_cast<std::size_t>(i)];
    axis = random_window(random, 9);
    if (random.below(4) == 0) ++axis.out, ++axis.pad_end; // a window that hangs over the end
  }
  return s;
}

Codes random_codes(Random &random) {
  const DType dtype = random.below(2) ? DType::uint8 : DType::int8;
  return {dtype, static_cast<float>(random.uniform(0.01, 0.1)),
          static_cast<std::int32_t>(random.below(256)) + CodeRange::of(dtype).low};
}

template <class T>
std::vector<T> random_values(Random &random, std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T &value : values)
    value = std::is_integral_v<T> ? static_cast<T>(random.below(256)) : static_cast<T>(random.normal());
  if (!std::is_integral_v<T> && count > 5) values[5] = std::numeric_limits<T>::quiet_NaN();
  return values;
}

template <class X, class Y>
void expect_equal(const PoolShape &s, std::int64_t out_area, const std::vector<X> &x, const std::vector<Y> &expected,
                  const Kernel &kernel) {
  const std::vector<X> last = to_channels_last(x, s.batch, s.channels, s.in_area());
  std::vector<Y> y(expected.size());
  run_kernel(kernel, {reinterpret_cast<const std::byte *>(last.data())}, reinterpret_cast<std::byte *>(y.data()));
  y = to_plain(y, s.batch, s.channels, out_area);
  ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(Y)), 0)
      << kernel.description << " of " << s.channels << " channels";
}

std::vector<Run> runs() {
  std::vector<Run> found;
  for (Isa isa = Isa::scalar; isa <= test_isa(); isa = static_cast<Isa>(static_cast<int>(isa) + 1))
    found.push_back({isa, 1 + static_cast<int>(isa) % 2});
  return found;
}

TEST(Pool, FastIsReferenceToTheBit) {
  Random random(3);
  for (int round = 0; round < 60; ++round) {
    const PoolShape s = random_pool(random);
    const std::int64_t in = s.batch * s.channels * s.in_area(), out = s.batch * s.channels * s.out_area();
    const auto reals = random_values<float>(random, in);
    const auto codes = random_values<std::uint8_t>(random, in);
    const std::vector<std::int8_t> signed_codes(codes.begin(), codes.end());
    const auto *bytes = reinterpret_cast<const std::byte *>(codes.data());
    const Codes from = random_codes(random), to = random_codes(random);
    const bool padding = random.below(2);
    std::vector<float> max(static_cast<std::size_t>(out)), mean(max.size()),
        all(static_cast<std::size_t>(s.batch * s.channels));
    std::vector<std::uint8_t> max_codes(max.size()), mean_codes(max.size()), all_codes(all.size());
    std::vector<std::int8_t> max_signed(max.size());
    reference::max_pool(s, reals.data(), max.data(), nullptr, false);
    reference::max_pool(s, codes.data(), max_codes.data(), nullptr, false);
    reference::max_pool(s, signed_codes.data(), max_signed.data(), nullptr, false);
    reference::average_pool(s, padding, reals, mean);
    reference::average_pool(s, padding, from, bytes, to, reinterpret_cast<std::byte *>(mean_codes.data()));
    reference::global_average_pool(s.batch * s.channels, s.in_area(), reals, all);
    reference::global_average_pool(s.batch * s.channels, s.in_area(), from, bytes, to,
                                   reinterpret_cast<std::byte *>(all_codes.data()));
    for (const auto run : runs()) {
      expect_equal(s, s.out_area(), reals, max, fast::max_pool(s, DType::float32, run));
      expect_equal(s, s.out_area(), codes, max_codes, fast::max_pool(s, DType::uint8, run));
      expect_equal(s, s.out_area(), signed_codes, max_signed, fast::max_pool(s, DType::int8, run));
      expect_equal(s, s.out_area(), reals, mean, fast::average_pool(s, padding, run));
      expect_equal(s, s.out_area(), codes, mean_codes, fast::average_pool(s, padding, from, to, run));
      expect_equal(s, 1, reals, all, fast::global_average_pool(s.batch, s.channels, s.in_area(), run));
      expect_equal(s, 1, codes, all_codes, fast::global_average_pool(s.batch, s.channels, s.in_area(), from, to, run));
      if (HasFatalFailure()) FAIL() << name(run.isa) << " round " << round;
    }
  }
}

} // namespace
} // namespace edgec
