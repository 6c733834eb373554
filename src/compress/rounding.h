// Weights as integers, rounded so that the layer's outputs suffer least.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/matrix.h"
#include "support/result.h"

namespace edgec {

/// H prepared for rounding: columns in descending order of its diagonal.
struct RoundingMetric {
  std::vector<std::size_t> order; ///< column of H at each place
  std::vector<float> h;           ///< [K, K], ordered
  std::vector<float> factor;      ///< U of (H + damping)^-1 = U^T U, ordered; its rows are divided by their diagonal
  std::vector<float> weight; ///< 1 / U_jj^2: squared error that an error in a column leaves when later ones make up
  double mean = 0;           ///< of H's diagonal

  /// `damping`: share of H's mean diagonal.
  RoundingMetric(Matrix h, double damping);
  [[nodiscard]] std::size_t columns() const { return order.size(); }
};

struct RoundingOptions {
  int levels = 127;                       ///< codes are -levels .. levels
  int sweeps = 4;                         ///< of coordinate descent after the first rounding
  std::vector<double> scale_factors{1.0}; ///< scales tried, as factors of `scales`; the least error of each row wins
  int threads = 1;
};

/// codes[rows, K] and scales[rows] with least (W - codes * scale) H (W - codes * scale)^T row by row: GPTQ's rounding
/// with carried errors (Frantar et al. 2022), then coordinate descent. A weight that is 0 where `fixed_zeros` is set
/// stays 0. `scales` are those of RTN on entry; where only factor 1 is tried they stay. Error: interrupted.
Result<std::vector<std::int8_t>> round_rows(const Matrix &weights, std::vector<float> &scales,
                                            const RoundingMetric &metric, const RoundingOptions &options,
                                            bool fixed_zeros = false);

} // namespace edgec
