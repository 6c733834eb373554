// What the bytes of an .onnx file are spent on, and where those of its weights may lie.
#pragma once

#include <cstdint>
#include <filesystem>

#include "support/result.h"

namespace edgec {

struct OnnxBytes {
  std::uint64_t total = 0;   ///< of the file
  std::uint64_t weights = 0; ///< constants, but for those in `quantization`
  std::uint64_t quantization =
      0; ///< QuantizeLinear and DequantizeLinear, and the scales and zero points that they read
  std::uint64_t metadata = 0;
  [[nodiscard]] std::uint64_t nodes() const { return total - weights - quantization - metadata; } ///< and all names
};

/// Of the outermost graph; what sub-graphs hold counts as nodes. Error (bad_input): it is no such file.
Result<OnnxBytes> count_onnx_bytes(const std::filesystem::path &path);

/// FILE.data, which holds the weights of a FILE that would be too big with them.
std::filesystem::path weights_beside(const std::filesystem::path &path);

} // namespace edgec
