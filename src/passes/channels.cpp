#include "passes/channels.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "ir/node_view.h"

namespace edgec {
namespace {

constexpr std::size_t none = ~std::size_t{0};
constexpr std::int64_t longest_axis = 65536;
constexpr std::size_t most_places = std::size_t{1} << 25;

} // namespace

Axes node_axes(const Graph &graph, const OpRegistry &ops, NodeId id) {
  const Node &node = graph.node(id);
  const OpDef *op = ops.find(node);
  if (!op || !op->axes) return {};
  return op->axes(NodeView(graph, node).axis_args());
}

bool is_grouping(const Axes &axes, const AxisTie &tie) {
  return std::ranges::any_of(
      axes.links, [&](const AxisLink &link) { return link.input == tie.other && link.input_axis == tie.other_axis; });
}

std::vector<std::vector<ChannelSource>> channel_sources(const Axes &axes, int output_axis, std::int64_t size) {
  std::vector<std::vector<ChannelSource>> found(static_cast<std::size_t>(size));
  for (const AxisLink &link : axes.links) {
    if (link.output != 0 || link.output_axis != output_axis) continue;
    for (std::int64_t k = 0; k < link.count; ++k) {
      const std::int64_t index = link.input_offset + k * link.stride;
      if (index < 0) continue; // made of nothing
      for (std::int64_t r = 0; r < link.repeat; ++r) {
        const std::int64_t o = link.output_offset + k * link.repeat + r;
        if (o < 0 || o >= size) continue;
        auto &sources = found[static_cast<std::size_t>(o)];
        sources.push_back({link.input, link.input_axis, index});
        for (const AxisTie &tie : axes.ties) // a group's data, through the group's weights
          if (tie.other == link.input && tie.other_axis == link.input_axis)
            for (std::int64_t b = 0; b < tie.block; ++b)
              sources.push_back({tie.input, tie.input_axis, index / tie.other_block * tie.block + b});
      }
    }
  }
  return found;
}

/// Makes a ChannelMap: gives places, joins what is linked, and puts up walls where nothing is known.
class ChannelWalk {
public:
  ChannelWalk(ChannelMap &map, const Graph &graph, const OpRegistry &ops) : map_(map), graph_(graph), ops_(ops) {}

  void run() {
    place_values();
    parent_.resize(places_);
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    reasons_.assign(places_, 0);
    map_.reasons_ = {""};
    wall_interface();
    for (const NodeId id : graph_.nodes()) join(id);
    collect();
  }

private:
  ChannelMap &map_;
  const Graph &graph_;
  const OpRegistry &ops_;
  std::size_t places_ = 0;
  std::vector<std::size_t> parent_;
  std::vector<std::size_t> reasons_; // of roots, in map_.reasons_; 0: no wall

  /// Appends the axes of a value of `rank` (absent ones too, so that the n-th from the first is axis n).
  std::size_t place(ValueId id, std::optional<Use> reader) {
    const Type &type = graph_.value(id).type;
    if (!type.is_tensor() || !type.shape || type.shape->empty()) return none;
    const std::size_t first = map_.axes_.size();
    for (std::size_t i = 0; i < type.shape->size(); ++i) {
      const std::int64_t size = (*type.shape)[i].size;
      const bool counts = size > 1 && size <= longest_axis && places_ + static_cast<std::size_t>(size) <= most_places;
      map_.axes_.push_back({id, reader, static_cast<int>(i), counts ? size : 0, places_});
      if (counts) places_ += static_cast<std::size_t>(size);
    }
    return first;
  }

  void place_values() {
    map_.values_.assign(graph_.value_bound(), none);
    for (const ValueId id : graph_.values())
      if (!graph_.constant(id)) map_.values_[id.index] = place(id, std::nullopt);
    for (const NodeId id : graph_.nodes())
      for (std::size_t i = 0; i < graph_.node(id).inputs.size(); ++i)
        if (const ValueId input = graph_.node(id).inputs[i]; graph_.constant(input)) {
          const Use use{id, static_cast<std::uint32_t>(i)};
          map_.readers_.emplace(std::pair{id.index, use.index}, place(input, use));
        }
  }

  std::size_t root(std::size_t place) {
    while (parent_[place] != place) place = parent_[place] = parent_[parent_[place]];
    return place;
  }

  void unite(std::size_t a, std::size_t b) {
    a = root(a), b = root(b);
    if (a == b) return;
    if (a > b) std::swap(a, b);
    parent_[b] = a;
    if (reasons_[a] == 0) reasons_[a] = reasons_[b];
  }

  /// Thousands of places may have the same reason: each is stored once.
  void wall(std::size_t place, const std::string &reason) {
    std::size_t &known = reasons_[root(place)];
    if (known != 0) return;
    if (map_.reasons_.back() != reason) map_.reasons_.push_back(reason);
    known = map_.reasons_.size() - 1;
  }

  void wall_value(ValueId id, const std::string &reason) {
    for (int axis = 0; const ChannelAxis *each = map_.axis(id, axis); ++axis)
      for (std::int64_t i = 0; i < each->size; ++i) wall(each->first + static_cast<std::size_t>(i), reason);
  }

  void wall_interface() {
    for (const ValueId id : graph_.inputs()) wall_value(id, fmt::format("graph input `{}`", graph_.value(id).name));
    for (const ValueId id : graph_.captures())
      wall_value(id, fmt::format("`{}` of the graph outside", graph_.value(id).name));
    for (const GraphOutput &out : graph_.outputs()) wall_value(out.value, fmt::format("graph output `{}`", out.name));
    for (const NodeId id : graph_.nodes())
      for (const ValueId captured : graph_.node(id).captures)
        wall_value(captured, fmt::format("{} reads it in a sub-graph", graph_.node(id).label()));
  }

  /// Which indices of an operand's or output's axes a node accounts for.
  struct Cover {
    std::vector<const ChannelAxis *> axes;
    std::vector<std::vector<char>> seen;

    void add(const ChannelAxis *axis) {
      axes.push_back(axis);
      seen.emplace_back(static_cast<std::size_t>(axis->size));
    }
    /// The place of an index that is accounted for from now on; none where it has no place.
    std::size_t mark(int axis, std::int64_t index) {
      if (axis < 0 || static_cast<std::size_t>(axis) >= axes.size()) return none;
      const ChannelAxis &at = *axes[static_cast<std::size_t>(axis)];
      if (index < 0 || index >= at.size) return none;
      seen[static_cast<std::size_t>(axis)][static_cast<std::size_t>(index)] = 1;
      return at.first + static_cast<std::size_t>(index);
    }
  };

  void join_pair(std::size_t a, std::size_t b, const std::string &reason) {
    if (a != none && b != none)
      unite(a, b);
    else if (a != none || b != none)
      wall(a != none ? a : b, reason);
  }

  void join(NodeId id) {
    const Node &node = graph_.node(id);
    const OpDef *op = ops_.find(node);
    std::vector<Cover> in(node.inputs.size()), out(node.outputs.size());
    for (std::size_t i = 0; i < in.size(); ++i)
      for (int axis = 0; const ChannelAxis *each = map_.axis(graph_, {id, static_cast<std::uint32_t>(i)}, axis); ++axis)
        in[i].add(each);
    for (std::size_t i = 0; i < out.size(); ++i)
      for (int axis = 0; const ChannelAxis *each = map_.axis(node.outputs[i], axis); ++axis) out[i].add(each);
    const std::string reason =
        fmt::format("{} ({}) {}", node.label(), node.op, op ? "mixes them" : "is an unknown operator");
    const Axes axes = node_axes(graph_, ops_, id);
    for (const AxisLink &link : axes.links) {
      if (link.input >= in.size() || link.output >= out.size()) continue;
      for (std::int64_t k = 0; k < std::min(link.count, longest_axis); ++k) {
        const std::int64_t index = link.input_offset + k * link.stride;
        const std::size_t from = in[link.input].mark(link.input_axis, index);
        for (std::int64_t r = 0; r < std::min(link.repeat, longest_axis); ++r) {
          const std::size_t to = out[link.output].mark(link.output_axis, link.output_offset + k * link.repeat + r);
          if (index >= 0) join_pair(from, to, reason);
        }
      }
    }
    for (const AxisTie &tie : axes.ties) {
      if (tie.input >= in.size() || tie.other >= in.size()) continue;
      join_tie(in[tie.input], in[tie.other], tie, reason);
      if (is_grouping(axes, tie)) continue;
      map_.sums_.push_back({id, tie});
      add_width(map_.axis(graph_, {id, static_cast<std::uint32_t>(tie.input)}, tie.input_axis));
      for (const AxisLink &link : axes.links)
        if (link.input == tie.other && !links(axes, tie.input, link))
          add_width(map_.axis(node.outputs[link.output], link.output_axis));
    }
    for (std::vector<Cover> *side : {&in, &out})
      for (const Cover &cover : *side) wall_unseen(cover, reason);
  }

  /// Does operand `input`, too, make the output axis of `link`? A batch of both, then.
  static bool links(const Axes &axes, std::size_t input, const AxisLink &link) {
    return std::ranges::any_of(axes.links, [&](const AxisLink &other) {
      return other.input == input && other.output == link.output && other.output_axis == link.output_axis;
    });
  }

  void add_width(const ChannelAxis *axis) {
    if (axis != nullptr && axis->size > 0) map_.widths_.push_back(axis->first);
  }

  void join_tie(Cover &input, Cover &other, const AxisTie &tie, const std::string &reason) {
    for (std::int64_t k = 0; k < std::min(tie.count, longest_axis); ++k) {
      const std::size_t first = input.mark(tie.input_axis, k * tie.block);
      for (std::int64_t b = 1; b < tie.block; ++b)
        join_pair(first, input.mark(tie.input_axis, k * tie.block + b), reason);
      for (std::int64_t b = 0; b < tie.other_block; ++b)
        join_pair(first, other.mark(tie.other_axis, k * tie.other_block + b), reason);
    }
  }

  /// What the node does not account for, and what cannot be sliced.
  void wall_unseen(const Cover &cover, const std::string &reason) {
    for (std::size_t i = 0; i < cover.axes.size(); ++i) {
      const ChannelAxis &axis = *cover.axes[i];
      const Type &type = graph_.value(axis.value).type;
      const bool sliceable = !type.is_quantized() && type.dtype != DType::string && bits(type.dtype) >= 8;
      const std::string no_slice =
          sliceable ? "" : fmt::format("its type is {}{}", type.is_quantized() ? "quantized " : "", name(type.dtype));
      for (std::size_t k = 0; k < cover.seen[i].size(); ++k)
        if (!cover.seen[i][k])
          wall(axis.first + k, reason);
        else if (!sliceable)
          wall(axis.first + k, no_slice);
    }
  }

  void collect() {
    std::ranges::sort(map_.widths_);
    map_.set_.resize(places_);
    std::vector<std::size_t> number(places_, none);
    for (std::size_t place = 0; place < places_; ++place) {
      const std::size_t top = root(place);
      if (number[top] == none) {
        number[top] = map_.members_.size();
        map_.members_.emplace_back();
        map_.walls_.push_back(reasons_[top]);
      }
      map_.set_[place] = number[top];
      map_.members_[number[top]].push_back(place);
    }
  }
};

ChannelMap::ChannelMap(const Graph &graph, const OpRegistry &ops) { ChannelWalk(*this, graph, ops).run(); }

const ChannelAxis *ChannelMap::axis(ValueId value, int axis) const {
  if (!value.valid() || value.index >= values_.size() || values_[value.index] == none || axis < 0) return nullptr;
  const std::size_t at = values_[value.index] + static_cast<std::size_t>(axis);
  return at < axes_.size() && axes_[at].value == value && !axes_[at].reader && axes_[at].axis == axis ? &axes_[at]
                                                                                                      : nullptr;
}

const ChannelAxis *ChannelMap::axis(const Graph &graph, Use use, int axis) const {
  const auto found = readers_.find({use.node.index, use.index});
  if (found == readers_.end()) return this->axis(graph.node(use.node).input(use.index), axis);
  const std::size_t at = found->second + static_cast<std::size_t>(axis);
  if (found->second == none || axis < 0 || at >= axes_.size()) return nullptr;
  return axes_[at].reader == use && axes_[at].axis == axis ? &axes_[at] : nullptr;
}

const ChannelAxis &ChannelMap::axis_of(std::size_t place) const {
  const auto after = std::ranges::upper_bound(axes_, place, {}, &ChannelAxis::first);
  return *std::prev(after); // absent axes share the first place of the next present one, which stands behind them
}

std::map<std::size_t, std::int64_t> indices_taken(const ChannelMap &map, std::size_t set) {
  std::map<std::size_t, std::int64_t> taken;
  for (const std::size_t place : map.members(set)) ++taken[map.axis_of(place).first];
  return taken;
}

bool may_stay(const ChannelMap &map, const ChannelAxis &axis, std::int64_t left, int multiple) {
  return left == axis.size || (left > 0 && (!map.is_width(axis.first) || left % multiple == 0));
}

std::vector<std::size_t> leave_multiples(const ChannelMap &map, std::vector<std::size_t> sets, int multiple) {
  std::map<std::size_t, std::int64_t> left;               // by the first place of an axis
  std::map<std::size_t, std::vector<std::size_t>> takers; // of an axis: places in the list
  for (std::size_t i = 0; i < sets.size(); ++i)
    for (const auto &[first, count] : indices_taken(map, sets[i])) {
      left.emplace(first, map.axis_of(first).size).first->second -= count;
      takers[first].push_back(i);
    }
  std::vector<char> dropped(sets.size());
  std::set<std::size_t> open;
  for (const auto &[first, count] : left) open.insert(first);
  while (!open.empty()) {
    const std::size_t first = *open.begin();
    if (may_stay(map, map.axis_of(first), left.at(first), multiple)) {
      open.erase(first);
      continue;
    }
    const std::size_t last = takers.at(first).back();
    takers.at(first).pop_back();
    if (dropped[last]) continue;
    dropped[last] = 1;
    for (const auto &[other, count] : indices_taken(map, sets[last])) {
      left.at(other) += count;
      open.insert(other);
    }
  }
  std::vector<std::size_t> fine;
  for (std::size_t i = 0; i < sets.size(); ++i)
    if (!dropped[i]) fine.push_back(sets[i]);
  return fine;
}

Tensor take(const Tensor &tensor, int axis, std::span<const std::int64_t> kept) {
  const auto at = static_cast<std::size_t>(axis);
  Dims dims = tensor.dims;
  const std::span<const std::int64_t> all = tensor.dims;
  const auto outer = static_cast<std::size_t>(element_count(all.first(at)).value_or(0));
  const auto inner = static_cast<std::size_t>(element_count(all.subspan(at + 1)).value_or(0));
  const std::size_t row = inner * static_cast<std::size_t>(bits(tensor.dtype)) / 8;
  dims[at] = static_cast<std::int64_t>(kept.size());
  std::vector<std::byte> bytes;
  bytes.reserve(outer * kept.size() * row);
  for (std::size_t o = 0; o < outer; ++o)
    for (const std::int64_t index : kept) {
      const std::byte *from =
          tensor.data.data() + (o * static_cast<std::size_t>(tensor.dims[at]) + static_cast<std::size_t>(index)) * row;
      bytes.insert(bytes.end(), from, from + row);
    }
  return Tensor::of_bytes(tensor.dtype, std::move(dims), std::move(bytes));
}

namespace {

/// Applies a cut to a graph node by node.
class Cutter {
public:
  Cutter(Graph &graph, const OpRegistry &ops, const ChannelMap &map, std::span<const std::size_t> sets)
      : graph_(graph), ops_(ops), map_(map) {
    std::vector<char> gone(map.set_count());
    for (const std::size_t set : sets) gone[set] = 1;
    for (const ChannelAxis &axis : map.axes()) {
      std::vector<std::int64_t> kept;
      for (std::int64_t i = 0; i < axis.size; ++i)
        if (!gone[map.set_of(axis.first + static_cast<std::size_t>(i))]) kept.push_back(i);
      if (static_cast<std::int64_t>(kept.size()) < axis.size) kept_.emplace(&axis, std::move(kept));
    }
  }

  Status run() {
    // Operators see types as they were: what to change is asked of all of them before anything changes.
    std::vector<std::pair<NodeId, std::vector<AxisCut>>> nodes;
    std::vector<Recut> changes;
    for (const NodeId id : graph_.nodes()) {
      std::vector<AxisCut> cuts = cuts_of(id);
      if (cuts.empty()) continue;
      EDGEC_ASSIGN(Recut change, recut(id, cuts));
      changes.push_back(std::move(change));
      nodes.emplace_back(id, std::move(cuts));
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) apply(nodes[i].first, nodes[i].second, changes[i]);
    for (const auto &[axis, kept] : kept_)
      if (!axis->reader) shrink(axis->value, axis->axis, kept.size());
    graph_.remove_dead();
    return infer_types(graph_, ops_).in("after channels were cut");
  }

private:
  Graph &graph_;
  const OpRegistry &ops_;
  const ChannelMap &map_;
  std::map<const ChannelAxis *, std::vector<std::int64_t>> kept_;
  std::map<std::pair<ValueId, std::vector<std::pair<int, std::vector<std::int64_t>>>>, ValueId> sliced_;

  std::vector<AxisCut> cuts_of(NodeId id) const {
    std::vector<AxisCut> cuts;
    const auto add = [&](const ChannelAxis *axis, bool output, std::size_t operand) {
      if (const auto found = kept_.find(axis); found != kept_.end())
        cuts.push_back({output, operand, axis->axis, found->second});
    };
    const Node &node = graph_.node(id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      for (int axis = 0; const ChannelAxis *each = map_.axis(graph_, {id, static_cast<std::uint32_t>(i)}, axis); ++axis)
        add(each, false, i);
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      for (int axis = 0; const ChannelAxis *each = map_.axis(node.outputs[i], axis); ++axis) add(each, true, i);
    return cuts;
  }

  Result<Recut> recut(NodeId id, const std::vector<AxisCut> &cuts) const {
    const Node &node = graph_.node(id);
    const OpDef *op = ops_.find(node);
    if (!op) return internal_error(fmt::format("channels of unknown operator {} are cut", node.label()));
    if (!op->recut) return Recut{};
    return op->recut(CutArgs{NodeView(graph_, node).axis_args(), cuts}).in(node.label());
  }

  void apply(NodeId id, const std::vector<AxisCut> &cuts, const Recut &change) {
    std::map<std::size_t, std::vector<std::pair<int, std::vector<std::int64_t>>>> constants;
    for (const AxisCut &cut : cuts)
      if (!cut.output && graph_.constant(graph_.node(id).inputs[cut.operand]))
        constants[cut.operand].emplace_back(cut.axis, cut.kept);
    for (auto &[operand, axes] : constants) {
      const ValueId old = graph_.node(id).inputs[operand];
      const auto known = sliced_.find({old, axes});
      ValueId fresh = known == sliced_.end() ? ValueId{} : known->second;
      if (!fresh.valid()) {
        Tensor tensor = *graph_.constant(old);
        for (const auto &[axis, kept] : axes) tensor = take(tensor, axis, kept);
        const std::string name = graph_.value(old).name;
        fresh = graph_.add_constant(std::move(tensor), name);
        sliced_.emplace(std::pair{old, axes}, fresh);
      }
      graph_.set_input(id, operand, fresh);
    }
    for (const Attribute &attribute : change.attributes) graph_.set_attribute(id, attribute.name, attribute.value);
    for (const auto &[operand, tensor] : change.operands) graph_.set_input(id, operand, graph_.add_constant(tensor));
  }

  void shrink(ValueId id, int axis, std::size_t size) {
    Type type = graph_.value(id).type;
    (*type.shape)[static_cast<std::size_t>(axis)] = Dim::known(static_cast<std::int64_t>(size));
    graph_.set_type(id, std::move(type));
  }
};

} // namespace

Status cut_channels(Graph &graph, const OpRegistry &ops, const ChannelMap &map, std::span<const std::size_t> sets) {
  for (const std::size_t set : sets)
    if (!map.wall(set).empty()) return internal_error("channels that cannot be cut are to be cut: " + map.wall(set));
  Graph copy = graph;
  EDGEC_CHECK(Cutter(copy, ops, map, sets).run());
  graph = std::move(copy);
  return {};
}

} // namespace edgec
