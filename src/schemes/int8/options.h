// Options of static int8 quantization.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schemes/fitting/options.h"

namespace edgec {

inline constexpr std::string_view int8_name = "quantize-int8"; ///< of the scheme, in reports

struct Int8Options {
  /// What becomes codes: "static": activations, by ranges found on samples, and weights; "dynamic": activations by the
  /// ranges that they have when the network runs; "weights": no activations; "auto": static, or what suits the network
  /// where there are no samples. Empty: off.
  std::string mode;
  std::string range = "percentile"; ///< minmax, percentile, entropy, mse; auto: the best on held-out samples
  double percentile = 99.999;
  bool no_bias_correction = false;
  std::string equalize = "auto"; ///< cross-layer equalization: off, on; auto: where it gains
  int weight_bits = 8;           ///< 8, 4 or 3
  int input_bits = 8;            ///< of the network's inputs: 8, or 16 where 8 do not hold them exactly
  int activation_bits = 8; ///< of all values between layers: 8, or 16, on whose reals layers compute; fewer than 8: of
                           ///< what layers read but the first and the last
  std::vector<std::string> keep_float, precision; ///< rules of int8/overrides.h
  std::string target;           ///< the runtime that computes it (int8/target.h); empty: none in particular
  bool recalibrate = false;     ///< a network of codes gets new ranges
  bool integer_results = false; ///< every integer operator but Gemm has a quantized output (QOperator files)

  [[nodiscard]] bool wanted() const { return !mode.empty(); }
  [[nodiscard]] bool is_static() const { return mode == "auto" || mode == "static"; }
  /// Whether values that are codes already get other ones.
  [[nodiscard]] bool renews_values() const {
    return recalibrate || input_bits != 8 || activation_bits != 8 || !target.empty() || !precision.empty();
  }
  /// The same of values or weights.
  [[nodiscard]] bool renews_codes() const { return renews_values() || weight_bits != 8 || !keep_float.empty(); }
};

} // namespace edgec
