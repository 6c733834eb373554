// Channels that are kept or cut together: found by walking along the operators' axes through a whole network, and cut.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// An axis of a value, or of a constant as one operand reads it: what several nodes share is cut for each by itself.
/// Its indices have the places [first, first + size) in the map. Axes of size 1, unknown, or beyond 65536 have none.
struct ChannelAxis {
  ValueId value;
  std::optional<Use> reader; ///< constants only
  int axis = 0;
  std::int64_t size = 0;
  std::size_t first = 0;
};

/// A sum over an axis of operand `tie.input` of `node`, weighted by operand `tie.other`: where channels end.
struct ChannelSum {
  NodeId node;
  AxisTie tie;
};

/// The places of a graph, in sets of those that have to be cut together. Valid as long as the graph is not edited.
class ChannelMap {
public:
  ChannelMap(const Graph &graph, const OpRegistry &ops);

  [[nodiscard]] std::span<const ChannelAxis> axes() const { return axes_; }
  /// Null: the axis has no places.
  [[nodiscard]] const ChannelAxis *axis(ValueId value, int axis) const;
  /// Of the operand that `use` names, constant or not.
  [[nodiscard]] const ChannelAxis *axis(const Graph &graph, Use use, int axis) const;
  [[nodiscard]] std::size_t set_count() const { return members_.size(); }
  [[nodiscard]] std::size_t set_of(std::size_t place) const { return set_[place]; }
  /// The places of a set, ascending.
  [[nodiscard]] std::span<const std::size_t> members(std::size_t set) const { return members_[set]; }
  [[nodiscard]] const ChannelAxis &axis_of(std::size_t place) const;
  /// Why nothing of the set can be cut: "it is graph output `y`"; empty: it can.
  [[nodiscard]] const std::string &wall(std::size_t set) const { return reasons_[walls_[set]]; }
  /// Where channels are summed over, in the order of nodes.
  [[nodiscard]] std::span<const ChannelSum> sums() const { return sums_; }
  /// Is it an axis of that first place that a layer sums over, or that its weights make?
  [[nodiscard]] bool is_width(std::size_t first) const { return std::ranges::binary_search(widths_, first); }

private:
  std::vector<ChannelAxis> axes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> readers_; // (node, operand) to its first axis
  std::vector<std::size_t> values_;                                        // a value to its first axis
  std::vector<std::size_t> set_;
  std::vector<std::vector<std::size_t>> members_;
  std::vector<std::size_t> walls_;   // of sets, in reasons_
  std::vector<std::string> reasons_; // the first: none
  std::vector<ChannelSum> sums_;
  std::vector<std::size_t> widths_; // sorted

  friend class ChannelWalk;
};

/// An operand's or output's index that an output index of a node is made of, by links and, in grouped operators, by the
/// ties of whole groups.
struct ChannelSource {
  std::size_t operand = 0;
  int axis = 0;
  std::int64_t index = 0;
};

/// What the operator of a node says of its axes; nothing where it is not known or says nothing.
Axes node_axes(const Graph &graph, const OpRegistry &ops, NodeId id);
/// True for a tie within groups that are cut whole, not a sum over channels: the other operand's axis goes on to the
/// output.
bool is_grouping(const Axes &axes, const AxisTie &tie);
/// By output index along `output_axis` of output 0: what it comes from, axes that are summed over aside.
std::vector<std::vector<ChannelSource>> channel_sources(const Axes &axes, int output_axis, std::int64_t size);

/// How many indices of each axis, by its first place, a set takes.
std::map<std::size_t, std::int64_t> indices_taken(const ChannelMap &map, std::size_t set);

/// May `left` indices stay of an axis that has `size`? One at least, and of a layer's width all or a multiple.
bool may_stay(const ChannelMap &map, const ChannelAxis &axis, std::int64_t left, int multiple);

/// Drops sets from a list, last ones first, until every axis that the list cuts keeps what may stay of it.
std::vector<std::size_t> leave_multiples(const ChannelMap &map, std::vector<std::size_t> sets, int multiple);

/// Cuts all places of `sets` (none of them walled): constants are sliced, operators' sizes and groups follow, types are
/// inferred anew. After an error the graph is as it was.
Status cut_channels(Graph &graph, const OpRegistry &ops, const ChannelMap &map, std::span<const std::size_t> sets);

/// The elements of `tensor` (of at least 8 bits each) whose index along `axis` is listed.
Tensor take(const Tensor &tensor, int axis, std::span<const std::int64_t> kept);

} // namespace edgec
