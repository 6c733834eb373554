// Why a rounded tensor costs what it costs, in words, and the flag of `edgec compress` that cures it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "calibrate/statistics.h"
#include "diagnose/trials.h"

namespace edgec {

enum class CauseKind {
  depthwise_per_tensor,
  weights_per_tensor,
  outlier_channel,
  saturation,
  zero_point,
  dead,
  few_values,
  bias_overflow,
  mixed_head,
  softmax_input,
  half_overflow,
  half_underflow,
  coarse
};

struct CauseDef {
  CauseKind kind;
  std::string_view name;    ///< "depthwise weights per tensor"
  std::string_view meaning; ///< one sentence
  std::string_view cure;    ///< what to compress the float network with
  bool excludes = false;    ///< and --exclude with the nodes
};

const CauseDef &definition(CauseKind kind);

/// What was found of one tensor.
struct Cause {
  CauseKind kind = CauseKind::coarse;
  std::string text;               ///< the numbers that tell: "channels' ranges differ by a factor of 63"
  std::vector<std::string> nodes; ///< that the cure leaves out
};

/// `seen`: ranges, histograms and channel peaks of values (of Trials::graph()) in the float network. The first that
/// applies, from what is broken to what 8 bits cannot do better.
Cause find_cause(const RoundedTensor &tensor, const RangeStatistics &seen);

/// Noise that rounding a value to its codes is expected to make beside its power (uniform within a step, and what lies
/// outside); nothing: no histogram.
std::optional<double> expected_noise(const RoundedTensor &tensor, const RangeStatistics &seen);

} // namespace edgec
