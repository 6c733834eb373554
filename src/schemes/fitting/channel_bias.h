// The bias of a weighted node, by output channel.
#pragma once

#include <optional>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// Output channels of a weight of these dims, those of all groups.
std::int64_t output_channels(const Dims &weight, const WeightInfo &info);

/// The bias as a number per output channel, Gemm's beta taken in: zeros where there may be one and is none, empty where
/// there can be none. Nothing where it is not a constant, or does not go along the channels alone, as Gemm's C may, or
/// masks some of them (is_endless()): no sum has such a term.
std::optional<std::vector<double>> channel_bias(const Graph &graph, const Node &node, const WeightInfo &info);

} // namespace edgec
