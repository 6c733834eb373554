// What was interrupted is not a result: weights that were only partly fitted never pass for fitted ones.
#include <gtest/gtest.h>

#include <csignal>

#include "compress/blocks.h"
#include "compress/rate_distortion.h"
#include "compress/rounding.h"
#include "compress/sharing.h"
#include "compress/survivors.h"
#include "support/cancel.h"
#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

/// Code of a result that was made under an interrupt.
template <class F>
Code interrupted_code(F &&f) {
  catch_interrupts();
  std::raise(SIGINT);
  const auto result = f();
  take_interrupt();
  return result ? Code::internal : result.error().code;
}

TEST(Interrupts, LeaveNoResultOfAFit) {
  const Matrix weights = random_matrix(24, 12, 1);
  const FitGroup group = group_of(weights, 2);
  const Mask kept(weights.data.size(), 1);
  const std::vector<std::size_t> columns{0, 1, 2};
  const std::vector<double> shares{0.5};
  const std::vector<float> values{-1, 0, 1};
  const RateGroup rated{weights, group.all.h};
  const RoundingMetric metric(group.all.h, 0.01);
  for (const int threads : {1, 3}) {
    std::vector<float> scales(weights.rows, 0.1F);
    EXPECT_EQ(interrupted_code([&] { return round_rows(weights, scales, metric, {.threads = threads}); }),
              Code::interrupted);
    EXPECT_EQ(interrupted_code([&] {
                return round_for_rate({&rated, 1}, {.lambda = 0.1, .threads = threads});
              }),
              Code::interrupted);
    EXPECT_EQ(interrupted_code([&] { return refit({&group, 1}, threads); }), Code::interrupted);
    EXPECT_EQ(interrupted_code([&] { return refit_survivors({&group, 1}, {&kept, 1}, threads); }), Code::interrupted);
    EXPECT_EQ(interrupted_code([&] {
                return second_order_masks({&group, 1}, {.share = 0.5}, 2, threads);
              }),
              Code::interrupted);
    EXPECT_EQ(interrupted_code([&] { return loss_curve({&group, 1}, shares, threads); }), Code::interrupted);
    EXPECT_EQ(interrupted_code([&] { return fit_columns(group, columns, threads); }), Code::interrupted);
    EXPECT_EQ(interrupted_code([&] {
                return fit_codebook({&weights, 1}, {&group, 1}, {}, 2, threads);
              }),
              Code::interrupted);
    EXPECT_EQ(interrupted_code([&] {
                return fit_codes({&weights, 1}, {&group, 1}, {}, values, threads);
              }),
              Code::interrupted);
  }
}

} // namespace
} // namespace edgec
