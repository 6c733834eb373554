// A weight as Gather(codebook, Cast(indices)).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "schemes/fitting/weights.h"

namespace edgec {

/// Stores indices of up to `bits` bits. UINT4 from opset 21 where four are enough, else UINT8.
DType index_type(const Graph &graph, int bits);

/// Below this opset there are no such indices in ONNX.
std::int64_t lookup_opset(const Settings &settings, bool flat);

/// The value that stands for the constant `weight`: `values` of its element type, looked up by `codes` of its shape.
/// Nothing, with the reason said in the name of `pass`, where that would not be smaller.
std::optional<ValueId> add_lookup(Graph &graph, ValueId weight, std::span<const float> values,
                                  std::span<const std::uint8_t> codes, DType index_type, const Job &job,
                                  std::string_view pass, const std::string &label);

/// The same of a codebook that several weights share, each with a scale: codebook[codes] * scale.
std::optional<ValueId> add_scaled_lookup(Graph &graph, ValueId weight, ValueId codebook, float scale,
                                         std::span<const std::uint8_t> codes, DType index_type, const Job &job,
                                         std::string_view pass, const std::string &label);

} // namespace edgec
