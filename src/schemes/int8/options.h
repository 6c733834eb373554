// Options of static int8 quantization.
#pragma once

#include <string>

#include "ir/dtype.h"
#include "schemes/fitting/options.h"

namespace edgec {

/// How numbers are stored: symmetric integers of so many bits. Scales are per output channel of a weight.
struct NumberSpec {
  int bits = 8;

  [[nodiscard]] constexpr DType storage() const {
    return bits == 4 ? DType::int4 : bits == 16 ? DType::int16 : DType::int8;
  }
  /// The largest code; the smallest is its negative.
  [[nodiscard]] constexpr int levels() const { return (1 << (bits - 1)) - 1; }
  /// Below this opset ONNX has no such tensors.
  [[nodiscard]] constexpr int least_opset() const { return bits == 8 ? 13 : 21; }
};

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

  [[nodiscard]] NumberSpec weights() const { return {weight_bits}; }
};

} // namespace edgec
