#include "schemes/int8/coarse_values.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "ir/node_view.h"
#include "measure/logits.h"
#include "measure/sizes.h"
#include "runtime/plan.h"
#include "schemes/fitting/held_out.h"
#include "schemes/int8/border.h"
#include "schemes/int8/retype.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// Left at an end by all values together, and by those that no layer with weights reads or gives: floats there cost
/// little.
constexpr double least_db = 25, least_inner_db = 31;
/// Left of the shares that a final Softmax gives: it makes more of an error than the scores that answers are read from.
constexpr double least_shares_db = 15;
/// Operators on the ways from a value that are looked at.
constexpr std::size_t longest_way = 24;

/// Nodes copied, and bytes of weights that they read, in one run of several trials: bounds its memory.
constexpr std::size_t most_copies = 400, most_weight_bytes = std::size_t{48} << 20;

/// The end of a way from a value whose codes are tried: sums of squares of what is computed there, and of its error.
struct End {
  ValueId tried, value; ///< in the network
  std::string at;
  ValueId signal, noise; ///< in the network of trials
};

/// What was found there, over the samples.
struct Finding {
  ValueId tried, value;
  std::string at;
  double signal = 0, noise = 0;
};

/// The network with, for each value, a copy of what follows that reads the reals of the value's codes.
class Trials {
public:
  Trials(const Graph &graph, const Int8Plan &plan, const Job &job) : graph_(graph), plan_(plan), job_(job) {
    order_ = graph_.nodes();
    for (std::size_t i = 0; i < order_.size(); ++i) place_[order_[i]] = i;
  }

  void add(ValueId value, const Quant &quant) {
    noisy_.clear();
    behind_.clear();
    ended_.clear();
    next_.clear();
    copied_ = 0;
    const NodeId producer = graph_.value(value).producer;
    const bool integer = producer.valid() && plan_.integer.contains(producer); // then all that follows sees the codes
    for (const Use use : std::vector(graph_.value(value).uses))
      if (place_.contains(use.node) && (integer || reads_codes(plan_, job_.ops, graph_, use)))
        next_.insert(place_.at(use.node));
    if (next_.empty()) return;
    tried_ = value;
    noisy_[value] = reals_of_codes(value, quant, order_[*next_.begin()]);
    if (integer && graph_.is_output(value)) end(value, noisy_[value], *next_.begin());
    while (!next_.empty()) {
      const std::size_t place = *next_.begin();
      next_.erase(next_.begin());
      follow(place);
    }
  }

  [[nodiscard]] const Graph &graph() const { return graph_; }
  [[nodiscard]] bool full() const { return all_copied_ > most_copies || weight_bytes_ > most_weight_bytes; }
  [[nodiscard]] const std::vector<End> &ends() const { return ends_; }

private:
  Graph graph_;
  const Int8Plan &plan_;
  const Job &job_;
  std::vector<NodeId> order_;
  std::map<NodeId, std::size_t> place_;
  std::vector<End> ends_;
  std::size_t all_copied_ = 0, weight_bytes_ = 0;
  std::map<ValueId, ValueId> signals_;
  // Of the trial at hand:
  ValueId tried_;
  std::map<ValueId, ValueId> noisy_; // value -> the same with the error
  std::set<ValueId> behind_;         // those behind a layer
  std::set<ValueId> ended_;          // those that are judged before a node
  std::set<std::size_t> next_;       // nodes to be copied
  std::size_t copied_ = 0;

  ValueId add_op(std::string op, std::vector<ValueId> inputs, Type type, NodeId before) {
    Node node{.op = std::move(op), .inputs = std::move(inputs)};
    if (node.op == "ReduceSumSquare") node.attributes = {{"keepdims", std::int64_t{0}}};
    return graph_.add_op(std::move(node), std::move(type), before);
  }

  ValueId reals_of_codes(ValueId value, const Quant &quant, NodeId before) {
    const NumberSpec number = plan_.quantized.at(value);
    const ValueId codes = add_quantize(graph_, value, number, quant, before);
    return add_dequantize(graph_, codes, number, quant, graph_.value(value).type, before);
  }

  [[nodiscard]] NodeId after(std::size_t place) const {
    return place + 1 < order_.size() ? order_[place + 1] : NodeId{};
  }

  [[nodiscard]] bool is_float(ValueId id) const {
    return id.valid() && graph_.value(id).type.is_tensor() && graph_.value(id).type.dtype == DType::float32;
  }

  [[nodiscard]] bool has_constant_weight(const Node &node) const {
    const auto weights = weights_of(graph_, node, job_.ops);
    return weights && graph_.constant(node.input(weights->weight)) != nullptr;
  }

  /// Copies the node at `place` where the error can be followed through it, else judges what it reads.
  void follow(std::size_t place) {
    const Node node = graph_.node(order_[place]);
    const OpDef *op = job_.ops.find(node);
    const bool can = op != nullptr && op->deterministic && node.captures.empty() &&
                     std::ranges::all_of(node.outputs, [&](ValueId out) { return is_float(out); });
    if (op != nullptr && op->shape_only) return;
    const bool is_layer = has_constant_weight(node);
    const bool behind = std::ranges::any_of(node.inputs, [&](ValueId input) { return behind_.contains(input); });
    if (!can || copied_ == longest_way || (is_layer && behind)) {
      for (const ValueId input : std::set(node.inputs.begin(), node.inputs.end()))
        if (const auto found = noisy_.find(input); found != noisy_.end() && ended_.insert(input).second)
          end(input, found->second, place);
      return;
    }
    ++copied_, ++all_copied_;
    for (const ValueId input : node.inputs)
      if (const Tensor *data = is_layer && input.valid() ? graph_.constant(input) : nullptr)
        weight_bytes_ += data->data.size();
    Node copy = node;
    copy.name.clear();
    for (ValueId &input : copy.inputs)
      if (const auto found = noisy_.find(input); found != noisy_.end()) input = found->second;
    for (ValueId &out : copy.outputs) out = graph_.add_value(graph_.value(out).type);
    const NodeId copied = graph_.add_node(copy, after(place));
    const std::vector<ValueId> outputs = graph_.node(copied).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const ValueId before = node.outputs[i];
      if (is_layer || graph_.is_output(before)) end(before, outputs[i], place);
      if (is_layer || behind) behind_.insert(before);
      noisy_[before] = outputs[i];
      for (const Use use : std::vector(graph_.value(before).uses))
        if (const auto reader = place_.find(use.node); reader != place_.end()) next_.insert(reader->second);
    }
  }

  void end(ValueId value, ValueId noisy, std::size_t place) {
    const Type type = graph_.value(value).type, sum = Type::tensor(DType::float32, Dims{});
    const NodeId before = after(place);
    const auto [signal, fresh] = signals_.try_emplace(value);
    if (fresh) signal->second = add_op("ReduceSumSquare", {value}, sum, before);
    const ValueId error = add_op("Sub", {value, noisy}, type, before);
    const Node *producer = graph_.producer(value);
    ends_.push_back({tried_, value, producer ? producer->label() : graph_.value(value).name, signal->second,
                     add_op("ReduceSumSquare", {error}, sum, before)});
  }
};

/// More samples of a small network than of a large one; the few that are enough. Open dims hide how large one is.
std::vector<std::size_t> judging_samples(const Graph &graph, const Job &job) {
  constexpr double least = 2;
  const double share = job.options<FitOptions>().effort == "fast" ? 0.5 : 1, most_macs = 4e9 * share;
  const bool known = std::ranges::all_of(graph.inputs(),
                                         [&](ValueId input) { return graph.value(input).type.concrete().has_value(); });
  const double most = (known ? 32 : 8) * share;
  const double macs = std::max(1.0, measure_sizes(graph, job.ops, false).macs);
  return some_of(job.samples, static_cast<std::size_t>(std::clamp(most_macs / macs, least, most)));
}

/// Codes hold no infinity.
bool holds_infinity(const Graph &graph, ValueId value, const RangeStatistics &statistics) {
  if (const Tensor *data = graph.constant(value))
    return data->dtype == DType::float32 &&
           std::ranges::any_of(data->as<float>(), [](float x) { return std::isinf(x); });
  const auto seen = statistics.find(value);
  return seen != statistics.end() && seen->second.infinite;
}

std::string name_of(const Graph &graph, ValueId value) {
  const Node *producer = graph.producer(value);
  return producer ? producer->label() : graph.value(value).name;
}

/// Signal and noise at each end, over the samples.
Result<std::vector<Finding>> run(const Trials &trials, std::span<const std::size_t> samples, const Job &job) {
  PlanOptions options;
  options.isa = job.isa;
  for (const End &end : trials.ends()) options.fetches.push_back(end.signal), options.fetches.push_back(end.noise);
  Runner runner(trials.graph(), job.ops, options);
  std::vector<std::vector<Tensor>> found(samples.size());
  EDGEC_CHECK(parallel_for(samples.size(), job.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(const Sample sample, job.calibration->load(samples[i]));
    EDGEC_ASSIGN(found[i], runner.run_tensors(sample, worker));
    return {};
  }));
  std::vector<Finding> findings;
  for (const End &end : trials.ends()) findings.push_back({end.tried, end.value, end.at});
  for (const auto &sample : found)
    for (std::size_t e = 0; e < findings.size(); ++e) {
      findings[e].signal += static_cast<double>(sample[2 * e].as<float>()[0]);
      findings[e].noise += static_cast<double>(sample[2 * e + 1].as<float>()[0]);
    }
  return findings;
}

/// The values of one scale that layers with weights read or give, by the group's representative.
std::set<ValueId> groups_at_layers(const Graph &graph, const Int8Plan &plan) {
  std::set<ValueId> found;
  for (const Int8Layer &layer : plan.layers)
    for (const ValueId value : {layer.data, graph.node(layer.node).outputs[0], layer.target})
      if (const auto group = plan.group.find(value); group != plan.group.end()) found.insert(group->second);
  return found;
}

double decibels(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  const double db = 10 * std::log10(signal / noise);
  return std::isnan(db) ? -std::numeric_limits<double>::infinity() : db;
}

} // namespace

std::vector<CoarseValue> find_infinite_values(const Graph &graph, const Int8Plan &plan,
                                              const RangeStatistics &statistics) {
  std::vector<CoarseValue> found;
  for (const auto &[id, number] : plan.quantized)
    if (holds_infinity(graph, id, statistics))
      found.push_back({id, name_of(graph, id), "its output stays float: it holds infinity"});
  return found;
}

namespace {

/// What the trials found, as far as their values still become codes.
class Verdict {
public:
  Verdict(const std::vector<Finding> &findings, const Graph &graph, const Int8Plan &plan)
      : findings_(findings), graph_(graph), plan_(plan), at_layers_(groups_at_layers(graph, plan)) {
    const std::vector<Answer> answers = find_answers(graph);
    for (std::size_t i = 0; i < answers.size(); ++i)
      if (answers[i].shares) shares_.insert(graph.outputs()[i].value);
  }

  /// The next value to stay float: the worst one at the worst end of those that suffer too much.
  std::optional<CoarseValue> next() {
    struct Together {
      double all = 0, inner = 0; // noise
      const Finding *worst = nullptr, *worst_inner = nullptr;
    };
    std::map<ValueId, Together> ends;
    const auto count = [](const Finding &one, double &noise, const Finding *&worst) {
      noise += one.noise;
      if (worst == nullptr || one.noise > worst->noise) worst = &one;
    };
    for (const auto &[place, one] : worst_of_groups()) {
      Together &end = ends[place.first];
      count(*one, end.all, end.worst);
      if (!at_layers_.contains(place.second)) count(*one, end.inner, end.worst_inner);
    }
    const Finding *found = nullptr;
    double short_of = 0, left = 0; // dB
    const auto judge = [&](const Finding *worst, double noise, double least) {
      const double db = worst != nullptr ? decibels(worst->signal, noise) : least;
      if (least - db > short_of) short_of = least - db, left = db, found = worst;
    };
    for (const auto &[value, end] : ends) {
      const bool shares = shares_.contains(value);
      judge(end.worst, end.all, shares ? least_shares_db : least_db);
      if (!shares) judge(end.worst_inner, end.inner, least_inner_db);
    }
    if (found == nullptr) return std::nullopt;
    float_.insert(found->tried);
    const double alone = decibels(found->signal, found->noise);
    return CoarseValue{found->tried, name_of(graph_, found->tried),
                       fmt::format("its output stays float: 8 bits of it would leave {:.1f} dB at {}{}", alone,
                                   found->at,
                                   alone - left > 0.1 ? fmt::format(", {:.1f} with those of others", left) : "")};
  }

private:
  const std::vector<Finding> &findings_;
  const Graph &graph_;
  const Int8Plan &plan_;
  std::set<ValueId> at_layers_; // groups
  std::set<ValueId> shares_;    // outputs that are a Softmax's
  std::set<ValueId> float_;

  /// At each end of each group of one scale, whose values share their error, the largest noise.
  [[nodiscard]] std::map<std::pair<ValueId, ValueId>, const Finding *> worst_of_groups() const {
    std::map<std::pair<ValueId, ValueId>, const Finding *> worst;
    for (const Finding &one : findings_) {
      if (float_.contains(one.tried)) continue;
      const Finding *&found = worst[{one.value, plan_.group.at(one.tried)}];
      if (found == nullptr || one.noise > found->noise) found = &one;
    }
    return worst;
  }
};

} // namespace

Result<std::vector<CoarseValue>> find_coarse_values(const Graph &graph, const Int8Plan &plan, const Job &job) {
  Job few = job;
  few.samples = judging_samples(graph, job);
  CalibrationOptions options;
  for (const auto &[id, number] : plan.quantized)
    if (graph.constant(id) == nullptr) options.ranges.push_back(id);
  options.histograms = job.options<Int8Options>().range != "minmax";
  options.folds = 1;
  options.threads = job.threads;
  options.isa = job.isa;
  EDGEC_ASSIGN(const Calibration calibration, calibrate(graph, job.ops, *job.calibration, few.samples, options));
  const int all[] = {0};
  const RangeStatistics statistics = calibration.merged(all);
  EDGEC_ASSIGN(const auto quants, choose_quants(graph, plan, statistics, job.options<Int8Options>()));
  std::vector<CoarseValue> coarse = find_infinite_values(graph, plan, statistics);
  std::vector<Finding> findings;
  for (auto id = plan.quantized.begin(); id != plan.quantized.end();) {
    Trials trials(graph, plan, job);
    for (; id != plan.quantized.end() && !trials.full(); ++id) {
      const auto &[value, number] = *id;
      if (number.bits <= 8 && !plan.exact.contains(value) && !holds_infinity(graph, value, statistics))
        trials.add(value, quants.at(value));
    }
    if (trials.ends().empty()) continue;
    EDGEC_ASSIGN(auto more, run(trials, few.samples, job));
    std::ranges::move(more, std::back_inserter(findings));
  }
  Verdict verdict(findings, graph, plan);
  while (auto one = verdict.next()) coarse.push_back(*std::move(one));
  return coarse;
}

} // namespace edgec
