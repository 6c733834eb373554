// Logistic mixing: several adaptive bits, each chosen by another context, vote on one probability, weighted by how well
// they did (Mahoney 2005, "Adaptive weighing of context models for lossless data compression"). Integers only.
#pragma once

#include "codec/arithmetic.h"

namespace edgec {

/// 65536 / (1 + e^(-d / 256)) for |d| <= 2560: lines between the points of a table. 3 .. 65533.
std::uint32_t squash(int d);

/// The smallest d with squash(d) >= 16 p + 8, for p = 0 .. 4095 (in 1/4096).
extern const std::array<std::int16_t, 4096> stretch_table;

/// Weights of Inputs votes, 1 being 65536: First each at the beginning. Rate: how fast they learn.
template <int Inputs, std::int32_t First, std::int32_t Rate>
struct Mixer {
  std::array<std::int32_t, Inputs> weights;

  Mixer() { weights.fill(First); }

  /// Codes a bit by what the votes' models say, then teaches weights and models.
  template <class Coder>
  int code(Coder &coder, const std::array<AdaptiveBit *, Inputs> &votes, int bit) {
    std::array<std::int32_t, Inputs> strength;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < Inputs; ++i) {
      strength[i] = stretch_table[votes[i]->fine()];
      sum += std::int64_t{strength[i]} * weights[i];
    }
    const std::uint32_t probability = squash(static_cast<int>(std::clamp<std::int64_t>(sum >> 16, -2560, 2560)));
    const int coded = coder.code(bit, probability);
    const std::int32_t error = ((coded << 16) - static_cast<std::int32_t>(probability)) * Rate;
    for (std::size_t i = 0; i < Inputs; ++i) {
      const auto step = static_cast<std::int32_t>((std::int64_t{strength[i]} * error + (1 << 17)) >> 18);
      weights[i] = std::clamp(weights[i] + step, -(1 << 22), 1 << 22);
      votes[i]->update(coded);
    }
    return coded;
  }
};

} // namespace edgec
