// What scales and shifts channels, and weights that it is folded into.
#pragma once

#include <optional>
#include <vector>

#include "ir/opdef.h"

namespace edgec::passes {

/// y = scale * x + shift, an entry per channel.
struct Affine {
  std::vector<double> scale, shift;
};

/// The channels of a tensor: along which of its axes they lie, and how many there are.
struct Channels {
  int rank = 0, axis = 1;
  std::int64_t count = 0;
};

/// A value that constants decide and that broadcasts along the channels only: an entry per channel.
std::optional<std::vector<double>> per_channel(const Graph &graph, ValueId id, const Channels &channels,
                                               const OpRegistry &ops);

/// What BatchNormalization does to its first operand, and Mul, Div, Add and Sub to theirs at index `operand`. Nothing
/// where that is not the same for all elements of a channel, or constants do not decide it.
std::optional<Affine> channel_affine(const Graph &graph, const Node &node, std::size_t operand,
                                     const Channels &channels, const OpRegistry &ops);

/// Whether the elements of a weight are known: it is a constant of real numbers, or made (computed.h).
bool is_known_weight(const Graph &graph, ValueId weight);

/// A value for a weight that takes the place of `old`: a constant; or, where the old one is made, an Expand of what
/// differs: a file that says no more than the shapes of its weights stays small.
ValueId add_weight(Graph &graph, ValueId old, Tensor weight);

/// Removes constants that nothing reads any more.
void remove_unread_constants(Graph &graph, std::span<const ValueId> values);

} // namespace edgec::passes
