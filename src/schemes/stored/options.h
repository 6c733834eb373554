// Options of storing weights as codes.
#pragma once

#include <cstdint>
#include <string>

#include "compress/number_spec.h"
#include "schemes/fitting/options.h"

namespace edgec {

struct StoredOptions {
  std::string type;       ///< of the codes: "int8", "uint8", "int4", "uint4", "int3", "int2", "ternary"; empty: off
  std::int64_t block = 0; ///< NumberSpec::block
  std::string tables = "auto"; ///< of what Gather reads: "int8", "int4"; auto: 4 bits where 8 would be most of the file
  bool own_samples = true;     ///< samples are the user's, not made up: worth fitting to

  [[nodiscard]] bool wanted() const { return !type.empty(); }
  /// Whether weights are fitted to the samples; else rounded to nearest.
  [[nodiscard]] bool fitted(const Settings &settings) const {
    return own_samples && settings.get<FitOptions>().second_order;
  }
  /// Whether the first and the last layer's weights have 8 bits, as is usual with ternary networks (Zhu et al. 2017).
  [[nodiscard]] bool spares_ends() const { return type == "ternary"; }
  [[nodiscard]] NumberSpec spec() const {
    if (type.empty()) return {};
    if (type == "ternary") return {.bits = 2, .block = block, .narrow = true};
    return {type.back() - '0', type.front() != 'u', block};
  }
};

/// What `--weights` does not go together with.
Status check_stored(const Settings &settings);

/// The least opset of ONNX that has such codes.
std::int64_t stored_opset(const Settings &settings, bool flat);

} // namespace edgec
