// Few values for many weights, chosen so that a layer's outputs suffer least.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/refit.h"
#include "compress/survivors.h"

namespace edgec {

struct SharedWeights {
  std::vector<float> values;                    ///< ascending, at most 2^bits; 0 among them where zeros are kept
  std::vector<std::vector<std::uint8_t>> codes; ///< of each group: [rows, K]
};

/// A codebook of 2^bits values and an index for each weight of all groups together, with small
/// (W - V[codes]) H (W - V[codes])^T. It starts from k-means weighted by H's diagonal; then, in rounds, indices are
/// chosen with carried errors (GPTQ, Frantar et al. 2022) and coordinate descent, and values by least squares. A weight
/// that is 0 where `kept` (empty: all) is 0 stays 0. `weights` are those to be stood for (refit already), one a group.
SharedWeights fit_codebook(std::span<const Matrix> weights, std::span<const FitGroup> groups, std::span<const Mask> kept,
                            int bits, int threads);

} // namespace edgec
