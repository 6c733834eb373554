// Options of storing weights as codes.
#pragma once

#include <cstdint>
#include <string>

#include "compress/grid.h"
#include "ir/dtype.h"
#include "schemes/fitting/options.h"

namespace edgec {

/// How constants are stored: the codes, and what shares a scale.
struct StoredSpec {
  CodeRange range;
  std::int64_t block = 0; ///< numbers along the axis that is summed over; 0: an output channel

  /// ONNX has no type of 3 bits: files that code by entropy take no more for it.
  [[nodiscard]] constexpr DType storage() const {
    if (range.bits == 8) return range.asymmetric ? DType::uint8 : DType::int8;
    if (range.bits == 2) return range.asymmetric ? DType::uint2 : DType::int2;
    return range.asymmetric ? DType::uint4 : DType::int4;
  }
  /// Below this opset ONNX has no DequantizeLinear of such tensors.
  [[nodiscard]] constexpr int least_opset() const {
    return range.bits == 2 ? 25 : range.bits < 8 || block > 0 ? 21 : 13;
  }
};

struct StoredOptions {
  std::string type;            ///< of the codes: "int8", "uint8", "int4", "uint4", "int3", "int2"; empty: off
  std::int64_t block = 0;      ///< StoredSpec::block
  std::string tables = "auto"; ///< of what Gather reads: "int8", "int4"; auto: 4 bits where 8 would be most of the file
  bool own_samples = true;     ///< samples are the user's, not made up: worth fitting to

  [[nodiscard]] bool wanted() const { return !type.empty(); }
  /// Whether weights are fitted to the samples; else rounded to nearest.
  [[nodiscard]] bool fitted(const Settings &settings) const {
    return own_samples && settings.get<FitOptions>().second_order;
  }
  [[nodiscard]] StoredSpec spec() const {
    if (type.empty()) return {};
    return {{type.back() - '0', type.front() == 'u'}, block};
  }
};

/// What `--weights` does not go together with.
Status check_stored(const Settings &settings);

/// The least opset of ONNX that has such codes.
std::int64_t stored_opset(const Settings &settings, bool flat);

} // namespace edgec
