#include "schemes/prune/channel_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "compress/blocks.h"
#include "ir/node_view.h"
#include "measure/sizes.h"

namespace edgec {
namespace {

/// Share of H's mean diagonal that is added before it is inverted (GPTQ's default).
constexpr double damping = 0.01;
/// Of the share of channels that would stay were all layers cut alike: what each axis keeps. What is cut last of a
/// layer is cheap by the moments of the whole network only; together it is all that the layer says.
constexpr double least_share = 0.3;
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
  std::map<std::size_t, std::vector<std::size_t>> columns; // reader: columns of its weight
  std::map<std::size_t, double> costs;                     // reader: what they cost there now
  [[nodiscard]] double cost() const {
    double sum = 0;
    for (const auto &[reader, one] : costs) sum += one;
    return sum;
  }
};

/// Sets that take as much of the same axes: which of them go first is a matter of their costs.
struct Group {
  std::map<std::size_t, std::int64_t> taken;             // by each set, of an axis (by its first place): indices
  std::map<std::size_t, std::pair<double, double>> work; // of a node: output channels and inputs
  std::vector<Candidate> candidates;                     // cheapest first
  std::size_t step = 0;                                  // how many have to go together; 0: none can
  double cost = 0, saved = 0;                            // of a step
  bool priced = false;                                   // cost is that of the step now
};

class Selection {
public:
  Selection(const Graph &graph, const OpRegistry &ops, const ChannelMap &map, const std::vector<ChannelReader> &readers,
            const std::vector<NodeId> &excluded)
      : graph_(graph), map_(map), readers_(readers) {
    for (const ChannelReader &reader : readers)
      removals_.emplace_back(reader.layer->original, reader.inputs.h, damping);
    find_work(with_unit_dims(graph, ops), ops);
    find_groups(ops, excluded);
  }

  ChannelChoice run(double macs_wanted, int multiple) {
    ChannelChoice choice{.multiple = multiple};
    for (const Work &work : work_) choice.macs += work.macs;
    const double alike = std::sqrt(std::clamp(macs_wanted / std::max(choice.macs, 1.0), 0.0, 1.0)); // of all axes
    for (const auto &[axis, size] : left_)
      least_[axis] = std::max<std::int64_t>(1, std::llround(least_share * alike * static_cast<double>(size)));
    choice.macs_left = choice.macs;
    for (Group &group : groups_) plan_step(group, multiple);
    while (choice.macs_left > macs_wanted) {
      Group *best = cheapest(choice.macs_left - macs_wanted);
      if (best == nullptr) break;
      choice.macs_left -= best->saved;
      for (std::size_t left = best->step; left > 0; --left) choice.sets.push_back(cut(*best));
      for (Group &group : groups_) plan_step(group, multiple);
    }
    return choice;
  }

private:
  const Graph &graph_;
  const ChannelMap &map_;
  const std::vector<ChannelReader> &readers_;
  std::vector<BlockRemoval> removals_;
  std::vector<Work> work_;
  std::vector<Group> groups_;
  std::map<std::size_t, std::int64_t> left_, least_; // axis, by its first place: indices, and how many of them stay

  /// Every node that has a cost: its multiply-accumulates, and by which axes they are counted.
  void find_work(const Graph &concrete, const OpRegistry &ops) {
    for (const NodeId id : graph_.nodes()) {
      node_work_[id] = work_.size();
      work_.push_back({.macs = cost_of(concrete, concrete.node(id), ops).macs});
    }
  }
  std::map<NodeId, std::size_t> node_work_;

  /// Sets that save work and whose readers are all known.
  void find_groups(const OpRegistry &ops, const std::vector<NodeId> &excluded) {
    std::map<std::size_t, Candidate> found;
    std::map<std::size_t, std::map<std::size_t, std::pair<double, double>>> work; // set, node
    std::set<std::size_t> unknown;
    count_outputs(ops, work, unknown, excluded);
    for (const ChannelSum &sum : map_.sums()) {
      const ChannelAxis *data =
          map_.axis(graph_, {sum.node, static_cast<std::uint32_t>(sum.tie.input)}, sum.tie.input_axis);
      if (!data || data->size == 0) continue;
      const auto reader =
          std::ranges::find_if(readers_, [&](const ChannelReader &each) { return each.layer->node == sum.node; });
      Work &node_work = work_[node_work_.at(sum.node)];
      node_work.inputs = node_work.inputs_left = static_cast<double>(data->size);
      for (std::int64_t i = 0; i < data->size; ++i) {
        const std::size_t set = map_.set_of(data->first + static_cast<std::size_t>(i));
        if (!map_.wall(set).empty()) continue;
        if (reader == readers_.end()) {
          unknown.insert(set);
          continue;
        }
        work[set][node_work_.at(sum.node)].second += 1;
        auto &columns = found[set].columns[static_cast<std::size_t>(reader - readers_.begin())];
        for (const std::size_t column : columns_of(reader->layer->original.columns, data->size, i))
          columns.push_back(column);
      }
    }
    std::map<std::map<std::size_t, std::int64_t>, std::size_t> known; // places in groups_, by what is taken
    for (auto &[set, candidate] : found) {
      if (unknown.contains(set)) continue;
      candidate.set = set;
      for (const auto &[reader, columns] : candidate.columns) candidate.costs[reader] = cost(reader, columns);
      auto taken = indices_taken(map_, set);
      for (const auto &[first, count] : taken) left_.emplace(first, map_.axis_of(first).size);
      const auto [at, fresh] = known.emplace(taken, groups_.size());
      if (fresh) groups_.push_back({.taken = std::move(taken), .work = work[set]});
      groups_[at->second].candidates.push_back(std::move(candidate));
    }
  }

  void count_outputs(const OpRegistry &ops,
                     std::map<std::size_t, std::map<std::size_t, std::pair<double, double>>> &work,
                     std::set<std::size_t> &unknown, const std::vector<NodeId> &excluded) {
    for (const NodeId id : graph_.nodes()) {
      const Node &node = graph_.node(id);
      const auto info = node.outputs.size() == 1 ? weights_of(graph_, node, ops) : std::nullopt;
      const ChannelAxis *out = info ? map_.axis(node.outputs[0], info->output_axis) : nullptr;
      if (!out || out->size == 0) continue;
      const bool kept = std::ranges::find(excluded, id) != excluded.end();
      Work &node_work = work_[node_work_.at(id)];
      node_work.outputs = node_work.outputs_left = static_cast<double>(out->size);
      for (std::int64_t i = 0; i < out->size; ++i) {
        const std::size_t set = map_.set_of(out->first + static_cast<std::size_t>(i));
        if (map_.wall(set).empty()) work[set][node_work_.at(id)].first += 1;
        if (kept) unknown.insert(set);
      }
    }
  }

  /// Of columns that go together.
  [[nodiscard]] double cost(std::size_t reader, std::span<const std::size_t> columns) const {
    return std::max(0.0, readers_[reader].sensitivity * removals_[reader].cost(columns));
  }

  /// The fewest sets of a group after which all of its axes keep what may stay.
  [[nodiscard]] std::size_t step_of(const Group &group, int multiple) const {
    for (std::size_t sets = 1; sets <= group.candidates.size(); ++sets) {
      const bool fits = std::ranges::all_of(group.taken, [&](const auto &each) {
        const std::int64_t left = left_.at(each.first) - static_cast<std::int64_t>(sets) * each.second;
        return left >= least_.at(each.first) && may_stay(map_, map_.axis_of(each.first), left, multiple);
      });
      if (fits) return sets;
    }
    return 0;
  }

  /// The next step of a group: those sets that cost least, and what they cost together.
  void plan_step(Group &group, int multiple) const {
    const std::size_t step = step_of(group, multiple);
    const auto share = static_cast<double>(step);
    group.saved = 0;
    for (const auto &[node, counts] : group.work)
      group.saved += work_[node].without(0, 0) - work_[node].without(share * counts.first, share * counts.second);
    if (group.priced && group.step == step) return;
    group.step = step;
    group.priced = true;
    group.cost = 0;
    std::ranges::stable_sort(group.candidates, {}, &Candidate::cost);
    std::map<std::size_t, std::vector<std::size_t>> columns;
    for (const Candidate &candidate : std::span(group.candidates).first(step))
      for (const auto &[reader, some] : candidate.columns) std::ranges::copy(some, std::back_inserter(columns[reader]));
    for (const auto &[reader, all] : columns) group.cost += cost(reader, all);
  }

  /// By the work saved that is still missing.
  [[nodiscard]] Group *cheapest(double missing) {
    Group *best = nullptr;
    double least = infinite;
    for (Group &group : groups_) {
      if (group.step == 0 || group.saved <= 0) continue;
      const double price = group.cost / std::min(group.saved, missing);
      if (price < least) least = price, best = &group;
    }
    return best;
  }

  /// Cuts the cheapest set of a group.
  std::size_t cut(Group &group) {
    const Candidate gone = std::move(group.candidates.front());
    group.candidates.erase(group.candidates.begin());
    for (const auto &[node, counts] : group.work) {
      work_[node].outputs_left -= counts.first;
      work_[node].inputs_left -= counts.second;
    }
    for (const auto &[axis, count] : group.taken) left_[axis] -= count;
    for (const auto &[reader, columns] : gone.columns) removals_[reader].remove(columns);
    for (Group &each : groups_)
      for (Candidate &candidate : each.candidates)
        for (auto &[reader, one] : candidate.costs)
          if (gone.columns.contains(reader)) one = cost(reader, candidate.columns.at(reader)), each.priced = false;
    std::ranges::stable_sort(group.candidates, {}, &Candidate::cost);
    group.priced = false;
    return gone.set;
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
                              const std::vector<NodeId> &excluded, int multiple) {
  for (;; multiple /= 2) {
    ChannelChoice choice = Selection(graph, ops, map, readers, excluded).run(macs_wanted, multiple);
    if (choice.macs_left <= macs_wanted || multiple == 1) return choice;
  }
}

} // namespace edgec
