// One layer's weights as codes of the least size at a given loss.
#pragma once

#include <map>

#include "compress/refit.h"
#include "schemes/fitting/layerwise.h"

namespace edgec {

/// What an error in a layer costs: squared error of the logits by that of the layer's output.
using Sensitivities = std::map<NodeId, double>;

/// Codes and scales of one layer's weights at `rate`, refit to the original's outputs on compressed inputs before.
struct RatedLayer {
  bool as_floats = false; ///< 8 bits are too few for what an error costs: `reals` are floats of a few bits of mantissa,
                          ///< to be stored as such
  std::vector<std::int8_t> codes; ///< a row per output channel
  std::vector<float> scales;
  Matrix reals;
  double bits = 0;
  double error = 0; ///< expected squared error of the outputs, summed over rows: what a bias may add a little to
};
/// levels: the largest code. least_scales: of an integer layer's rows; empty: the layer computes in float, and may be
/// `as_floats`. Error: interrupted.
Result<RatedLayer> fit_rate(const Layer &layer, std::span<const FitGroup> groups, double rate,
                            const Sensitivities &sensitivities, std::vector<float> least_scales, int threads,
                            int levels = 127);

/// `value` with `kept` bits of mantissa: a file codes those only.
float with_mantissa(double value, int kept);

} // namespace edgec
