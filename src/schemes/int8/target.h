// Runtimes: what each computes on integers, and how it wants that written. A runtime is a row.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/number_spec.h"
#include "ir/opdef.h"

namespace edgec {

struct Target {
  std::string_view name;    ///< as --target says it
  std::string_view summary; ///< of help
  NumberSpec values{8, false};
  bool saturates = false; ///< sums of two products of uint8 with int8 have 16 bits: saturating_ops() computes so
  int weight_bits = 8;    ///< at most: with 7 no such sum saturates
  /// Relu and Clip after a layer are computed on floats by its kernel: QuantizeLinear stands behind them.
  bool fuses_activations = false;
  bool float_biases = false;    ///< biases are float, not int32 codes behind DequantizeLinear
  bool recurrent_codes = false; ///< LSTMs multiply codes whose ranges are found as they run (--int8 dynamic)
  bool bytes_only = false;      ///< codes of 4 or 16 bits are none of its own
  /// Operators that it computes on codes, beside those that only move or select them.
  std::span<const std::string_view> integer_operators;

  [[nodiscard]] bool computes(const OpDef &op) const;
};

std::span<const Target> all_targets();
std::vector<std::string> target_names();
/// By its name; null: there is none.
const Target *find_target(std::string_view name);

} // namespace edgec
