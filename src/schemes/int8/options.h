// Options of static int8 quantization.
#pragma once

#include <string>
#include <string_view>

#include "schemes/fitting/options.h"

namespace edgec {

inline constexpr std::string_view int8_name = "quantize-int8"; ///< of the scheme, in reports

struct Int8Options {
  bool wanted = false;
  std::string range = "percentile"; ///< minmax, percentile, entropy, mse; auto: the best on held-out samples
  double percentile = 99.999;
  bool no_bias_correction = false;
  std::string equalize = "auto"; ///< cross-layer equalization: off, on; auto: where it gains
  int weight_bits = 8;           ///< 8 or 4
  int input_bits = 8;            ///< of the network's inputs: 8, or 16 where 8 do not hold them exactly
  int activation_bits = 8;       ///< of all values between layers: 8, or 16, on whose reals layers compute
  bool integer_results = false;  ///< every integer operator but Gemm has a quantized output (QOperator files)
};

} // namespace edgec
