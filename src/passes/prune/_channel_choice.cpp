#include "passes/prune/_channel_choice.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "compress/blocks.h"
#include "measure/sizes.h"

namespace edgec {
namespace {

/// Share of H's mean diagonal that is added before it is inverted (GPTQ's default).
constexpr double damping = 0.01;
constexpr double infinite = std::numeric_limits<double>::infinity();

/// A node whose work is proportional to what is left of its output channels and of its inputs.
struct Work {
  double macs = 0;
  double outputs = 1, inputs = 1, outputs_left = 1, inputs_left = 1;
  [[nodiscard]] double without(double out, double in) const {
    return macs * (outputs_left - out) / outputs * (inputs_left - in) / inputs;
  }
};

/// What one set takes away.
struct Candidate {
  std::size_t set = 0;
  std::map<std::size_t, std::pair<double, double>> work;              // node: output channels and inputs of it
  std::map<std::size_t, std::vector<std::size_t>> columns;            // reader: columns of its weight
  std::map<std::size_t, double> costs;                                // reader: what they cost there now
  std::map<std::size_t, std::int64_t> taken;                          // axis, by its first place: indices
};

class Selection {
public:
  Selection(const Graph &graph, const OpRegistry &ops, const ChannelMap &map, const std::vector<ChannelReader> &readers,
         const std::vector<NodeId> &excluded)
      : graph_(graph), map_(map), readers_(readers) {
    for (const ChannelReader &reader : readers) removals_.emplace_back(reader.layer->original, reader.inputs.h, damping);
    find_work(with_unit_dims(graph, ops), ops);
    find_candidates(ops, excluded);
  }

  ChannelChoice run(double macs_wanted) {
    ChannelChoice choice;
    for (const Work &work : work_) choice.macs += work.macs;
    choice.macs_left = choice.macs;
    while (choice.macs_left > macs_wanted) {
      const std::size_t best = cheapest();
      if (best == candidates_.size()) break;
      choice.macs_left -= saving(candidates_[best]);
      choice.sets.push_back(candidates_[best].set);
      cut(best);
    }
    return choice;
  }

private:
  const Graph &graph_;
  const ChannelMap &map_;
  const std::vector<ChannelReader> &readers_;
  std::vector<BlockRemoval> removals_;
  std::vector<Work> work_;
  std::vector<Candidate> candidates_;
  std::map<std::size_t, std::int64_t> left_; // axis, by its first place: indices

  /// Every node that has a cost: its multiply-accumulates, and by which axes they are counted.
  void find_work(const Graph &concrete, const OpRegistry &ops) {
    for (const NodeId id : graph_.nodes()) {
      const Node &node = concrete.node(id);
      const OpDef *op = ops.find(node);
      Work work;
      if (op && op->cost) {
        std::vector<const Type *> inputs, outputs;
        for (const ValueId input : node.inputs) inputs.push_back(input.valid() ? &concrete.value(input).type : nullptr);
        for (const ValueId output : node.outputs) outputs.push_back(output.valid() ? &concrete.value(output).type : nullptr);
        work.macs = op->cost(node, inputs, outputs).macs;
      }
      node_work_[id] = work_.size();
      work_.push_back(work);
    }
  }
  std::map<NodeId, std::size_t> node_work_;

  /// Sets that save work and whose readers are all known.
  void find_candidates(const OpRegistry &ops, const std::vector<NodeId> &excluded) {
    std::map<std::size_t, Candidate> found;
    std::set<std::size_t> unknown;
    count_outputs(ops, found, unknown, excluded);
    for (const ChannelSum &sum : map_.sums()) {
      const ChannelAxis *data = map_.axis(graph_, {sum.node, static_cast<std::uint32_t>(sum.tie.input)}, sum.tie.input_axis);
      if (!data || data->size == 0) continue;
      const auto reader = std::ranges::find_if(readers_, [&](const ChannelReader &each) { return each.layer->node == sum.node; });
      Work &work = work_[node_work_.at(sum.node)];
      work.inputs = work.inputs_left = static_cast<double>(data->size);
      for (std::int64_t i = 0; i < data->size; ++i) {
        const std::size_t set = map_.set_of(data->first + static_cast<std::size_t>(i));
        if (!map_.wall(set).empty()) continue;
        if (reader == readers_.end()) {
          unknown.insert(set);
          continue;
        }
        Candidate &candidate = found[set];
        candidate.work[node_work_.at(sum.node)].second += 1;
        auto &columns = candidate.columns[static_cast<std::size_t>(reader - readers_.begin())];
        for (const std::size_t column : columns_of(reader->layer->original.columns, data->size, i)) columns.push_back(column);
      }
    }
    for (auto &[set, candidate] : found) {
      if (unknown.contains(set) || candidate.columns.empty()) continue;
      candidate.set = set;
      for (const std::size_t place : map_.members(set)) ++candidate.taken[map_.axis_of(place).first];
      for (const auto &[axis, count] : candidate.taken) left_.emplace(axis, map_.axis_of(axis).size);
      candidates_.push_back(std::move(candidate));
      price(candidates_.back());
    }
  }

  void count_outputs(const OpRegistry &ops, std::map<std::size_t, Candidate> &found, std::set<std::size_t> &unknown,
                     const std::vector<NodeId> &excluded) {
    for (const NodeId id : graph_.nodes()) {
      const Node &node = graph_.node(id);
      const OpDef *op = ops.find(node);
      if (!op || !op->weights || node.outputs.size() != 1) continue;
      std::vector<const Type *> types;
      for (const ValueId input : node.inputs) types.push_back(input.valid() ? &graph_.value(input).type : nullptr);
      const auto info = op->weights(node, types);
      const ChannelAxis *out = info ? map_.axis(node.outputs[0], info->output_axis) : nullptr;
      if (!out || out->size == 0) continue;
      const bool kept = std::ranges::find(excluded, id) != excluded.end();
      Work &work = work_[node_work_.at(id)];
      work.outputs = work.outputs_left = static_cast<double>(out->size);
      for (std::int64_t i = 0; i < out->size; ++i) {
        const std::size_t set = map_.set_of(out->first + static_cast<std::size_t>(i));
        if (map_.wall(set).empty()) found[set].work[node_work_.at(id)].first += 1;
        if (kept) unknown.insert(set);
      }
    }
  }

  void price(Candidate &candidate) {
    for (const auto &[reader, columns] : candidate.columns)
      candidate.costs[reader] = std::max(0.0, readers_[reader].sensitivity * removals_[reader].cost(columns));
  }

  [[nodiscard]] double saving(const Candidate &candidate) const {
    double saved = 0;
    for (const auto &[node, counts] : candidate.work) saved += work_[node].without(0, 0) - work_[node].without(counts.first, counts.second);
    return saved;
  }

  [[nodiscard]] std::size_t cheapest() const {
    std::size_t best = candidates_.size();
    double least = infinite;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const Candidate &candidate = candidates_[i];
      const bool fits = std::ranges::all_of(candidate.taken, [&](const auto &each) { return left_.at(each.first) > each.second; });
      if (!fits) continue;
      double cost = 0;
      for (const auto &[reader, one] : candidate.costs) cost += one;
      const double saved = saving(candidate);
      if (saved > 0 && cost / saved < least) least = cost / saved, best = i;
    }
    return best;
  }

  void cut(std::size_t index) {
    const Candidate gone = std::move(candidates_[index]);
    candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(index));
    for (const auto &[node, counts] : gone.work) {
      work_[node].outputs_left -= counts.first;
      work_[node].inputs_left -= counts.second;
    }
    for (const auto &[axis, count] : gone.taken) left_[axis] -= count;
    for (const auto &[reader, columns] : gone.columns) removals_[reader].remove(columns);
    for (Candidate &candidate : candidates_)
      for (auto &[reader, cost] : candidate.costs)
        if (gone.columns.contains(reader))
          cost = std::max(0.0, readers_[reader].sensitivity * removals_[reader].cost(candidate.columns.at(reader)));
  }
};

} // namespace

std::vector<std::size_t> columns_of(std::size_t columns, std::int64_t axis_size, std::int64_t index) {
  const std::size_t taps = columns / static_cast<std::size_t>(axis_size);
  std::vector<std::size_t> found(taps);
  std::iota(found.begin(), found.end(), static_cast<std::size_t>(index) * taps);
  return found;
}

ChannelChoice choose_channels(const Graph &graph, const OpRegistry &ops, const ChannelMap &map,
                              const std::vector<ChannelReader> &readers, double macs_wanted,
                              const std::vector<NodeId> &excluded) {
  return Selection(graph, ops, map, readers, excluded).run(macs_wanted);
}

} // namespace edgec
