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
/// Error: interrupted; so below.
Result<SharedWeights> fit_codebook(std::span<const Matrix> weights, std::span<const FitGroup> groups,
                                   std::span<const Mask> kept, int bits, int threads);

// One codebook for several layers. Its values are fitted in rounds: each layer in turn is fitted to the values there
// are (on what the layers before it give then) and tells, as a sum, which values would serve it better.

/// Normal equations of a codebook's values: sums[n, n + 1] = (sum P^T H P | sum P^T H w), P being who has which value.
struct ValueEquations {
  Matrix sums;
  explicit ValueEquations(std::size_t count = 0) : sums(count, count + 1) {}
  /// `weight`: what the layer's squared error counts.
  void add(const ValueEquations &other, double weight);
};

/// A layer's weights as scale * values[code].
struct CodedLayer {
  float scale = 1;
  std::vector<std::vector<std::uint8_t>> codes; ///< of each group: [rows, K]
  ValueEquations equations;                     ///< of the weights divided by `scale`
};

/// A codebook to begin with: k-means of numbers (w divided by its layer's rms). keep_zero: 0 is one of the values.
std::vector<float> first_values(std::span<const float> numbers, int bits, bool keep_zero);
/// The scale with the least error, indices chosen as in fit_codebook. `values` ascend.
Result<CodedLayer> fit_codes(std::span<const Matrix> weights, std::span<const FitGroup> groups,
                             std::span<const Mask> kept, std::span<const float> values, int threads);
/// The values that the equations ask for, ascending; those that hardly anything rests on stay where they are.
std::vector<float> solve_values(const ValueEquations &equations, std::vector<float> values, bool keep_zero);

} // namespace edgec
