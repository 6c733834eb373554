#include "train/recompute.h"

#include <algorithm>
#include <optional>
#include <ranges>

namespace edgec {
namespace {

std::size_t bytes_of(const Graph &graph, ValueId id) {
  const Type &type = graph.value(id).type;
  const auto dims = type.concrete();
  return dims ? byte_size(type.dtype, element_count(*dims).value_or(0)) : 0;
}

class Recomputation {
public:
  Recomputation(Graph &graph, ValueId loss) : graph_(graph), place_(graph.node_bound(), none) {
    mark_forward(loss);
    last_.assign(graph.value_bound(), 0);
    crossing_.assign(forward_.size() + 1, 0);
    kept_.assign(forward_.size() + 1, 0);
    for (std::size_t i = 0; i < forward_.size(); ++i) measure(i);
    for (std::size_t i = 1; i < crossing_.size(); ++i) crossing_[i] += crossing_[i - 1], kept_[i] += kept_[i - 1];
  }

  void cut(std::size_t segments) {
    const auto ends = boundaries(segments);
    std::size_t first = 0;
    for (const std::size_t end : ends) {
      repeat({first, end});
      first = end;
    }
  }

private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Run { ///< of forward_
    std::size_t first, end;
  };
  Graph &graph_;
  std::vector<NodeId> forward_, backward_;
  std::vector<std::size_t> place_;     ///< by node: where it is in forward_
  std::vector<std::size_t> last_;      ///< by value: the last place in forward_ that reads it
  std::vector<std::int64_t> crossing_; ///< by place: bytes made before it that it or a later one reads
  std::vector<std::int64_t> kept_;     ///< by place: bytes made before it that the way back reads

  void mark_forward(ValueId loss) {
    std::vector<char> leads(graph_.node_bound(), 0);
    if (const NodeId producer = graph_.value(loss).producer; producer.valid()) leads[producer.index] = 1;
    const auto order = graph_.nodes();
    for (const NodeId id : std::ranges::reverse_view(order))
      for (const ValueId x : leads[id.index] != 0 ? graph_.node(id).inputs : std::vector<ValueId>())
        if (x.valid() && graph_.value(x).producer.valid()) leads[graph_.value(x).producer.index] = 1;
    for (const NodeId id : order) {
      if (leads[id.index] != 0) place_[id.index] = forward_.size();
      (leads[id.index] != 0 ? forward_ : backward_).push_back(id);
    }
  }

  [[nodiscard]] bool is_forward(NodeId id) const { return id.index < place_.size() && place_[id.index] != none; }

  [[nodiscard]] bool is_read_back(ValueId id) const {
    return std::ranges::any_of(graph_.value(id).uses, [&](const Use &use) { return !is_forward(use.node); });
  }

  void measure(std::size_t place) {
    for (const ValueId y : graph_.node(forward_[place]).outputs) {
      if (!y.valid()) continue;
      last_[y.index] = place;
      for (const Use &use : graph_.value(y).uses)
        if (is_forward(use.node)) last_[y.index] = std::max(last_[y.index], place_[use.node.index]);
      const auto bytes = static_cast<std::int64_t>(bytes_of(graph_, y));
      crossing_[place + 1] += bytes, crossing_[std::min(last_[y.index], forward_.size() - 1) + 1] -= bytes;
      if (is_read_back(y)) kept_[place + 1] += bytes;
    }
  }

  /// Places at which segments end, but the last: about as many kept bytes lie between two of them, and as little as
  /// possible crosses each.
  [[nodiscard]] std::vector<std::size_t> boundaries(std::size_t segments) const {
    std::vector<std::size_t> ends;
    const double each = static_cast<double>(kept_.back()) / static_cast<double>(segments);
    for (std::size_t k = 1; k < segments; ++k) {
      std::optional<std::size_t> best;
      for (std::size_t place = ends.empty() ? 1 : ends.back() + 1; place < forward_.size(); ++place) {
        const double offset = static_cast<double>(kept_[place]) / each - static_cast<double>(k);
        if (offset < -0.25) continue;
        if (offset > 0.25 && best) break;
        if (!best || crossing_[place] < crossing_[*best]) best = place;
      }
      if (best) ends.push_back(*best);
    }
    return ends;
  }

  /// Whether a value is made in a run, and read by no forward node behind it.
  [[nodiscard]] bool is_within(ValueId id, Run run) const {
    const NodeId producer = id.valid() ? graph_.value(id).producer : NodeId{};
    if (!producer.valid() || !is_forward(producer)) return false;
    const std::size_t place = place_[producer.index];
    return place >= run.first && place < run.end && last_[id.index] < run.end;
  }

  void repeat(Run run) {
    const auto [first, end] = run;
    std::vector<char> again(end - first, 0);
    std::vector<ValueId> wanted;
    for (std::size_t i = end; i-- > first;) {
      const Node &node = graph_.node(forward_[i]);
      for (const ValueId y : node.outputs)
        if (is_within(y, run) && is_read_back(y)) wanted.push_back(y), again[i - first] = 1;
      for (const ValueId x : again[i - first] != 0 ? node.inputs : std::vector<ValueId>())
        if (is_within(x, run)) again[place_[graph_.value(x).producer.index] - first] = 1;
    }
    const NodeId before = first_reader(wanted);
    if (!before.valid()) return;
    std::vector<ValueId> copies(graph_.value_bound());
    for (std::size_t i = first; i < end; ++i)
      if (again[i - first] != 0) copy(graph_.node(forward_[i]), before, run, copies);
    for (const ValueId id : wanted)
      for (const Use &use : std::vector(graph_.value(id).uses))
        if (!is_forward(use.node)) graph_.set_input(use.node, use.index, copies[id.index]);
  }

  [[nodiscard]] NodeId first_reader(const std::vector<ValueId> &wanted) const {
    for (const NodeId id : backward_)
      for (const ValueId x : graph_.node(id).inputs)
        if (std::ranges::find(wanted, x) != wanted.end()) return id;
    return {};
  }

  void copy(Node node, NodeId before, Run run, std::vector<ValueId> &copies) {
    for (ValueId &x : node.inputs)
      if (x.valid() && copies[x.index].valid()) x = copies[x.index];
    for (ValueId &y : node.outputs)
      if (y.valid()) {
        const ValueId fresh = graph_.add_value(graph_.value(y).type);
        if (is_within(y, run)) copies[y.index] = fresh;
        y = fresh;
      }
    node.name.clear();
    graph_.add_node(std::move(node), before);
  }
};

} // namespace

std::size_t live_bytes(const Graph &graph, std::span<const ValueId> fetches) {
  const auto order = graph.nodes();
  std::vector<std::size_t> readers(graph.value_bound(), 0);
  for (const ValueId id : graph.values()) readers[id.index] = graph.value(id).uses.size();
  for (const ValueId id : fetches) ++readers[id.index];
  std::size_t now = 0, most = 0;
  for (const NodeId id : order) {
    const Node &node = graph.node(id);
    for (const ValueId y : node.outputs)
      if (y.valid()) now += bytes_of(graph, y);
    most = std::max(most, now);
    const auto leave = [&](ValueId x) {
      if (x.valid() && graph.value(x).producer.valid()) now -= bytes_of(graph, x);
    };
    for (const ValueId y : node.outputs)
      if (y.valid() && readers[y.index] == 0) leave(y);
    for (const ValueId x : node.inputs)
      if (x.valid() && --readers[x.index] == 0) leave(x);
  }
  return most;
}

void recompute(Graph &graph, ValueId loss, std::size_t segments) {
  if (segments > 1) Recomputation(graph, loss).cut(segments);
}

std::size_t fit_into(Graph &graph, ValueId loss, std::span<const ValueId> fetches, std::size_t bytes) {
  constexpr std::size_t most = 16;
  std::size_t best = 1, least = live_bytes(graph, fetches);
  for (std::size_t segments = 2; segments <= most && least > bytes; ++segments) {
    Graph cut = graph;
    recompute(cut, loss, segments);
    const std::size_t needed = live_bytes(cut, fetches);
    if (needed < least) best = segments, least = needed;
  }
  recompute(graph, loss, best);
  return best;
}

} // namespace edgec
