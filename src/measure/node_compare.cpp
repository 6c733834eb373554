#include "measure/node_compare.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <ranges>

namespace edgec {
namespace {

constexpr std::size_t most_kept = 8;
constexpr int longest_chain = 4; // a Conv, its BatchNormalization, an Add and an activation
/// Factors are believed where they take away three quarters of the noise, and layers behind them have as little.
constexpr double notable = 4;

struct Reals {
  Dims dims;
  std::vector<double> values;
};

/// A network's nodes with what each computed on the last sample.
class Recorded {
public:
  Recorded(const Graph &graph, const OpRegistry &ops, Isa isa) : graph_(&graph) {
    PlanOptions options;
    options.isa = isa;
    for (const NodeId id : graph.nodes()) {
      const Node &node = graph.node(id);
      if (node.outputs.empty() || !node.outputs[0].valid() || !graph.value(node.outputs[0]).type.is_tensor()) continue;
      position_[id] = nodes_.size();
      nodes_.push_back(id);
      options.fetches.push_back(node.outputs[0]);
      by_label_.emplace(node.label(), id);
    }
    runner_ = std::make_unique<Runner>(graph, ops, options);
  }

  Status run(const Sample &sample) {
    reals_.clear();
    const Sample taken = as_inputs(*graph_, sample);
    const std::vector<RuntimeValue> feeds(taken.begin(), taken.end());
    EDGEC_ASSIGN(values_, runner_->run(feeds));
    return {};
  }

  [[nodiscard]] const Graph &graph() const { return *graph_; }
  [[nodiscard]] const std::vector<NodeId> &nodes() const { return nodes_; }
  [[nodiscard]] const Node &node(NodeId id) const { return graph_->node(id); }
  [[nodiscard]] NodeId find(const std::string &label) const {
    const auto found = by_label_.find(label);
    return found == by_label_.end() ? NodeId{} : found->second;
  }
  /// The only reader of a node's first output.
  [[nodiscard]] NodeId next(NodeId id) const { return graph_->sole_user(node(id).outputs[0]); }
  /// Reals of a node's first output, for as long as few others are asked for; null where it is not a tensor of numbers.
  [[nodiscard]] const Reals *reals(NodeId id) {
    const auto at = position_.find(id);
    if (at == position_.end()) return nullptr;
    const auto &tensor = values_[at->second].tensor;
    if (!tensor || tensor->dtype == DType::string) return nullptr;
    const auto kept = std::ranges::find(reals_, id, &std::pair<NodeId, Reals>::first);
    if (kept != reals_.end()) return &kept->second;
    if (reals_.size() == most_kept) reals_.pop_front();
    return &reals_.emplace_back(id, Reals{tensor->dims, real_values(*tensor, graph_->value(node(id).outputs[0]).type)})
                .second;
  }

private:
  const Graph *graph_;
  std::unique_ptr<Runner> runner_;
  std::vector<NodeId> nodes_;
  std::vector<RuntimeValue> values_;
  std::map<NodeId, std::size_t> position_;
  std::map<std::string, NodeId> by_label_;
  std::deque<std::pair<NodeId, Reals>> reals_; // those asked for last: neighbours are compared with the same ones
};

/// Visits an element's channel (its place along axis 1) and its index.
template <class Visit>
void for_each_channel(const Dims &dims, std::size_t size, Visit &&visit) {
  std::size_t inner = 1;
  for (std::size_t d = 2; d < dims.size(); ++d) inner *= static_cast<std::size_t>(dims[d]);
  const auto channels = static_cast<std::size_t>(dims[1]);
  for (std::size_t i = 0; i < size; ++i) visit(i / inner % channels, i);
}

/// A node of the reference that one of the test network may compute.
struct Pair {
  NodeId reference;
  Noise noise;
  struct Channel {
    double rr = 0, rt = 0, tt = 0; // sums of r^2, r t, t^2
    std::size_t count = 0;
    /// What the test's numbers are multiplied with to be closest.
    [[nodiscard]] double factor() const { return rt > 0 && tt > 0 ? rt / tt : 1; }
  };
  std::vector<Channel> channels; // empty: the shapes have none in common

  void add(const Reals &wanted, const Reals &found) {
    noise.add(wanted.values, found.values);
    if (wanted.dims != found.dims || wanted.dims.size() < 2) return;
    channels.resize(static_cast<std::size_t>(wanted.dims[1]));
    for_each_channel(wanted.dims, wanted.values.size(), [&](std::size_t c, std::size_t i) {
      const double r = wanted.values[i], t = found.values[i];
      if (c >= channels.size()) return; // another sample's shape
      channels[c].rr += r * r, channels[c].rt += r * t, channels[c].tt += t * t, ++channels[c].count;
    });
  }

  /// Sum of squares that one factor per channel leaves, as if it were not fitted; nothing: one sample more is needed.
  [[nodiscard]] std::optional<double> left() const {
    double sum = 0;
    for (const Channel &c : channels) {
      if (c.count < 2) return std::nullopt;
      const double g = c.factor(), n = static_cast<double>(c.count);
      sum += std::max(0.0, c.rr - 2 * g * c.rt + g * g * c.tt) * n / (n - 1);
    }
    return sum;
  }
  [[nodiscard]] double ratio() const { return noise.noise == 0 ? 0 : noise.noise / noise.signal; }
};

/// A node of the test network with what it is compared to.
struct Compared {
  NodeId node;
  std::vector<Pair> pairs;
  std::size_t channels = 0, kept_channels = 0; // of the namesake, where some are gone
  const Pair *best = nullptr;
  bool equalized = false;
  double ratio = 0; // noise to signal, factors allowed for
};

bool lost_channels(const Dims &before, const Dims &after) {
  if (before.size() != after.size() || before.size() < 2 || after[1] >= before[1]) return false;
  return before[0] == after[0] && std::equal(before.begin() + 2, before.end(), after.begin() + 2);
}

class Comparison {
public:
  Comparison(const Graph &reference, const Graph &test, const OpRegistry &ops, Isa isa)
      : ops_(ops), reference_(reference, ops, isa), test_(test, ops, isa) {
    for (const NodeId id : test_.nodes()) {
      Compared compared{.node = id, .pairs = {}};
      NodeId candidate = reference_.find(test_.node(id).label());
      for (int step = 0; step < longest_chain && candidate.valid(); ++step) {
        compared.pairs.push_back({candidate, {}, {}});
        candidate = reference_.next(candidate);
      }
      if (!compared.pairs.empty()) compared_.push_back(std::move(compared));
    }
  }

  Result<std::vector<NodeDifference>> run(std::span<const Sample> samples) {
    for (const Sample &sample : samples) {
      EDGEC_CHECK(run_both(sample));
      for (Compared &compared : compared_) add(compared);
    }
    judge();
    std::vector<NodeDifference> differences;
    for (const Compared &compared : compared_)
      if (compared.best != nullptr || compared.channels > 0) differences.push_back(difference_of(compared));
    const bool scaled = std::ranges::any_of(differences, &NodeDifference::equalized);
    for (std::size_t s = 0; scaled && s < samples.size(); ++s) {
      EDGEC_CHECK(run_both(samples[s]));
      measure_largest(differences);
    }
    return differences;
  }

private:
  Status run_both(const Sample &sample) {
    EDGEC_CHECK(reference_.run(sample).in("reference"));
    return test_.run(sample);
  }

  void add(Compared &compared) {
    const Reals *found = test_.reals(compared.node);
    if (found == nullptr) return;
    const Reals *namesake = reference_.reals(compared.pairs.front().reference);
    if (namesake != nullptr && lost_channels(namesake->dims, found->dims)) {
      compared.channels = static_cast<std::size_t>(namesake->dims[1]);
      compared.kept_channels = static_cast<std::size_t>(found->dims[1]);
      return;
    }
    for (Pair &pair : compared.pairs) {
      const Reals *wanted = reference_.reals(pair.reference);
      if (wanted != nullptr && wanted->values.size() == found->values.size()) pair.add(*wanted, *found);
    }
  }

  /// Chooses each node's counterpart, and whether its channels were scaled; what is behind a node comes first.
  void judge() {
    auto compared = compared_.rbegin();
    for (const NodeId id : test_.nodes() | std::views::reverse) {
      const double behind = noise_behind(id);
      const OpDef *op = ops_.find(test_.node(id));
      layer_noise_[id] = behind;
      if (compared == compared_.rend() || compared->node != id) continue;
      judge(*compared, behind);
      if (op != nullptr && op->weights != nullptr && compared->best != nullptr) layer_noise_[id] = compared->ratio;
      ++compared;
    }
  }

  static void judge(Compared &compared, double behind) {
    if (compared.channels > 0) return;
    const Pair *scaled = nullptr;
    for (const Pair &pair : compared.pairs) {
      if (pair.noise.count == 0) continue;
      if (compared.best == nullptr || pair.noise.noise < compared.best->noise.noise) compared.best = &pair;
      if (pair.channels.empty()) continue;
      if (scaled == nullptr || pair.left().value_or(0) < scaled->left().value_or(0)) scaled = &pair;
    }
    if (compared.best == nullptr) return;
    compared.ratio = compared.best->ratio();
    if (scaled == nullptr || !(notable * scaled->left().value_or(0) < compared.best->noise.noise)) return;
    if (!(notable * behind < compared.ratio)) return;
    compared.equalized = true;
    compared.best = scaled;
    compared.ratio = scaled->left().value_or(0) / scaled->noise.signal;
  }

  /// The largest noise to signal of the next layers with weights that read what a node gives; infinite where something
  /// else does: nothing there undoes a factor.
  [[nodiscard]] double noise_behind(NodeId id) const {
    constexpr double infinite = std::numeric_limits<double>::infinity();
    const Graph &graph = test_.graph();
    double worst = 0;
    for (const ValueId output : graph.node(id).outputs) {
      if (!output.valid()) continue;
      if (graph.is_output(output) || graph.value(output).uses.empty()) return infinite;
      for (const Use use : graph.value(output).uses) {
        const auto reader = layer_noise_.find(use.node);
        worst = std::max(worst, reader == layer_noise_.end() ? infinite : reader->second);
      }
    }
    return worst;
  }

  [[nodiscard]] NodeDifference difference_of(const Compared &compared) const {
    const Node &node = test_.node(compared.node);
    const Pair &pair = compared.best != nullptr ? *compared.best : compared.pairs.front();
    NodeDifference difference{.node = node.label(),
                              .op = node.op,
                              .reference = reference_.node(pair.reference).label(),
                              .noise = {},
                              .equalized = compared.equalized};
    difference.channels = compared.channels, difference.kept_channels = compared.kept_channels;
    if (compared.channels > 0) return difference;
    difference.noise = pair.noise;
    if (!compared.equalized) return difference;
    const auto left = pair.left();
    if (!left) difference.noise.count = 0; // a factor for each element leaves nothing to compare
    difference.noise.noise = left.value_or(0);
    difference.noise.max_error = 0; // measure_largest()
    return difference;
  }

  /// The largest errors behind factors, which only the numbers themselves tell.
  void measure_largest(std::vector<NodeDifference> &differences) {
    auto difference = differences.begin();
    for (const Compared &compared : compared_) {
      if (compared.best == nullptr && compared.channels == 0) continue;
      Noise &noise = (difference++)->noise;
      const Reals *wanted = compared.equalized ? reference_.reals(compared.best->reference) : nullptr;
      const Reals *found = compared.equalized ? test_.reals(compared.node) : nullptr;
      if (wanted == nullptr || found == nullptr || wanted->dims != found->dims) continue;
      for_each_channel(wanted->dims, wanted->values.size(), [&](std::size_t c, std::size_t i) {
        const double error = std::abs(wanted->values[i] - compared.best->channels[c].factor() * found->values[i]);
        noise.max_error = std::max(noise.max_error, error);
      });
    }
  }

  const OpRegistry &ops_;
  Recorded reference_, test_;
  std::vector<Compared> compared_;
  std::map<NodeId, double> layer_noise_; // noise to signal of a layer, or of the layers behind what is none
};

} // namespace

std::string NodeDifference::remark() const {
  if (channels > 0) return fmt::format("{} of {} channels removed", channels - kept_channels, channels);
  return equalized ? "equalized" : "";
}

Result<std::vector<NodeDifference>> compare_nodes(const Graph &reference, const Graph &test, const OpRegistry &ops,
                                                  std::span<const Sample> samples, Isa isa) {
  return Comparison(reference, test, ops, isa).run(samples);
}

} // namespace edgec
