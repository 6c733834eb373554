// What codes of one value or one layer's weights do to the answers.
#pragma once

#include <string>
#include <vector>

#include "schemes/int8/placement.h"

namespace edgec {

/// Values of one scale, and what their codes alone do to the answers.
struct ValueNoise {
  std::vector<ValueId> values; ///< without what only moves elements of others
  std::string node;            ///< that computes the first
  double noise = 0;            ///< squared error of the answers, as a share of their power; the worst output's
};

/// Those of `plan` that lose something, the largest noise first: measured with nothing else in codes, on a few of the
/// job's samples, for each output where it is judged (find_answers()).
Result<std::vector<ValueNoise>> value_noises(const Graph &graph, const Int8Plan &plan,
                                             const std::map<ValueId, Quant> &quants, const Job &job);

/// A layer, and what rounding its weights to their codes alone does to the answers.
struct LayerNoise {
  NodeId node;
  double noise = 0; ///< as of ValueNoise
  double bytes = 0; ///< that float weights take more
};

/// The layers of `plan`, the most noise per byte first; measured as value_noises().
Result<std::vector<LayerNoise>> weight_noises(const Graph &graph, const Int8Plan &plan, const Job &job);

} // namespace edgec
