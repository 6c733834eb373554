#include "codec/code_cost.h"

#include <algorithm>
#include <cmath>

#include "codec/context_coder.h"
#include "codec/rans.h"

namespace edgec {

std::size_t coded_size(std::span<const std::int8_t> codes, const CodeShape &shape) {
  if (codes.empty()) return 0;
  const double bits = std::min(plan_rans(codes, shape).bits, context_bits(codes, {&shape, 1}) + 16);
  return static_cast<std::size_t>(std::ceil(bits / 8));
}

double estimated_bits(std::span<const std::int8_t> codes, const CodeShape &shape) {
  if (codes.empty()) return 0;
  return choose_classes(codes, shape).bits;
}

CodePrices learn_prices(std::span<const std::int8_t> codes, const CodeShape &shape) {
  const DensityClasses classes = choose_classes(codes, shape);
  CodePrices prices{classes.levels, classes.class_of_sum, {}};
  for (const Histogram &counts : classes.counts) {
    // Symmetric, and smoothed over neighbours: what was not chosen yet must stay possible.
    std::array<double, 129> shares{};
    for (int code = -128; code < 128; ++code)
      shares[static_cast<std::size_t>(std::abs(code))] += counts[static_cast<std::size_t>(code + 128)];
    double total = 0;
    std::array<double, 129> smoothed{};
    for (std::size_t m = 0; m < 129; ++m) {
      const double around =
          m < 2 ? shares[m] : (shares[m - 1] + 2 * shares[m] + shares[std::min<std::size_t>(m + 1, 128)]) / 4;
      smoothed[m] = (m < 2 ? shares[m] : 0.5 * shares[m] + 0.5 * around) + 0.3;
      total += smoothed[m];
    }
    auto &bits = prices.bits.emplace_back();
    for (int code = -128; code < 128; ++code) {
      const double share = smoothed[static_cast<std::size_t>(std::abs(code))] / (code == 0 ? 1 : 2) / total;
      bits[static_cast<std::size_t>(code + 128)] = static_cast<float>(-std::log2(share));
    }
  }
  return prices;
}

} // namespace edgec
