#include "schemes/fitting/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "calibrate/walk.h"
#include "ir/evaluate.h"
#include "ir/node_view.h"
#include "measure/logits.h"
#include "runtime/plan.h"
#include "schemes/fitting/channel_bias.h"
#include "schemes/fitting/held_out.h"
#include "support/parallel.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr std::size_t most_samples = 64;
constexpr double noise_share = 0.02; // of the weights' rms: about that share of the output's

/// The weight with white noise of a share of its rms.
Tensor noisy(const Tensor &weight, std::uint64_t seed) {
  std::vector<float> values(weight.as<float>().begin(), weight.as<float>().end());
  double power = 0;
  for (const float x : values) power += static_cast<double>(x) * static_cast<double>(x);
  const double sigma = noise_share * std::sqrt(power / static_cast<double>(std::max<std::size_t>(1, values.size())));
  Random random(seed);
  for (float &x : values) x += static_cast<float>(sigma * random.normal());
  return Tensor::of(weight.dims, std::move(values));
}

/// What the errors of one sample at one output are.
double squared_difference(const Answer &answer, const Tensor &a, const Tensor *b) {
  std::vector<double> difference = judged_numbers(answer, a.dims, kept_values(a));
  if (b != nullptr) {
    const std::vector<double> other = judged_numbers(answer, b->dims, kept_values(*b));
    for (std::size_t i = 0; i < difference.size() && i < other.size(); ++i) difference[i] -= other[i];
  }
  const std::size_t width = a.rank() == 2 && a.dims[1] > 1 ? static_cast<std::size_t>(a.dims[1]) : 0;
  double sum = 0;
  for (std::size_t start = 0; width > 0 && start < difference.size(); start += width) {
    double mean = 0;
    for (std::size_t i = 0; i < width; ++i) mean += difference[start + i];
    mean /= static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) difference[start + i] -= mean;
  }
  for (const double d : difference) sum += d * d;
  return sum;
}

class Prober {
public:
  Prober(const Graph &graph, std::span<const NodeId> layers, const Job &job)
      : graph_(graph), job_(job), layers_(layers.begin(), layers.end()), samples_(some_of(job.samples, most_samples)) {
    for (const NodeId id : graph.nodes()) place_.emplace(id, place_.size() + 1);
    std::ranges::sort(layers_, {}, [&](NodeId id) { return place_.at(id); });
    for (const Answer &answer : find_answers(graph)) {
      const DType dtype = graph.value(answer.value).type.dtype;
      const bool repeated = std::ranges::find(judged_, answer.value) != judged_.end();
      if (graph.constant(answer.value) == nullptr && is_float(dtype) && !repeated)
        judged_.push_back(answer.value), answers_.push_back(answer);
    }
    find_needed();
  }

  /// Of the first output that has any, a sample.
  Result<double> power() {
    EDGEC_CHECK(run_undisturbed());
    return unit_ / static_cast<double>(samples_.size());
  }

  Result<std::map<NodeId, double>> run() {
    EDGEC_CHECK(run_undisturbed());
    std::set<ValueId> stops;
    for (const NodeId id : layers_)
      for (const ValueId v : frontier(id)) stops.insert(v);
    Walk walk(graph_, job_.ops, *job_.calibration, samples_, {stops.begin(), stops.end()},
              {job_.threads, job_.isa, std::make_shared<MemoryBudget>(job_.memory), true});
    std::map<NodeId, double> found;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (job_.progress) job_.progress("measuring layers", i, layers_.size());
      const std::set<ValueId> live = frontier(layers_[i]);
      const bool leads_on = needed_.contains(layers_[i]);
      if (leads_on) {
        EDGEC_ASSIGN(found[layers_[i]], probe(walk, layers_[i], {live.begin(), live.end()}));
      } else {
        found[layers_[i]] = 0;
      }
      const std::set<ValueId> next = i + 1 < layers_.size() ? frontier(layers_[i + 1]) : std::set<ValueId>();
      for (const ValueId v : live)
        if (!next.contains(v)) walk.release(v);
    }
    return found;
  }

private:
  const Graph &graph_;
  const Job &job_;
  std::vector<NodeId> layers_;
  std::vector<std::size_t> samples_;
  std::map<NodeId, std::size_t> place_; // in the order of nodes, from 1
  std::set<NodeId> needed_;             // nodes that the judged values are computed by
  std::vector<ValueId> judged_;
  std::vector<Answer> answers_;            // of which they are
  std::vector<double> weights_;            // of the judged values' errors
  double unit_ = 0;                        // power of the first of them that has any
  std::vector<std::vector<Tensor>> clean_; // judged values of each sample

  void find_needed() {
    std::vector<ValueId> stack = judged_;
    while (!stack.empty()) {
      const NodeId producer = graph_.value(stack.back()).producer;
      stack.pop_back();
      if (!producer.valid() || !needed_.insert(producer).second) continue;
      const Node &node = graph_.node(producer);
      for (const auto *list : {&node.inputs, &node.captures})
        for (const ValueId v : *list)
          if (v.valid()) stack.push_back(v);
    }
  }

  /// The values alive right before a layer: computed up to it and read by it or behind it.
  [[nodiscard]] std::set<ValueId> frontier(NodeId layer) const {
    const std::size_t here = place_.at(layer) - 1;
    std::set<ValueId> live;
    for (const NodeId id : needed_) {
      if (place_.at(id) <= here) continue;
      const Node &node = graph_.node(id);
      for (const auto *list : {&node.inputs, &node.captures})
        for (const ValueId v : *list)
          if (v.valid() && graph_.constant(v) == nullptr && is_before(v, here)) live.insert(v);
    }
    for (const ValueId v : judged_)
      if (is_before(v, here) && graph_.constant(v) == nullptr) live.insert(v);
    return live;
  }

  [[nodiscard]] bool is_before(ValueId v, std::size_t here) const {
    const NodeId producer = graph_.value(v).producer;
    return !producer.valid() || place_.at(producer) <= here;
  }

  Status run_undisturbed() {
    if (judged_.empty())
      return unsupported(
          "no output is a tensor of reals that depends on the inputs: what an error costs cannot be told");
    PlanOptions plan;
    plan.isa = job_.isa;
    plan.fetches = judged_;
    Runner runner(graph_, job_.ops, plan);
    clean_.resize(samples_.size());
    TensorKeeper keeper;
    EDGEC_CHECK(parallel_for(samples_.size(), job_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const Sample sample, job_.calibration->load(samples_[i]));
      EDGEC_ASSIGN(clean_[i], runner.run_tensors(sample, worker));
      for (Tensor &tensor : clean_[i]) {
        EDGEC_ASSIGN(tensor, keeper.keep(std::move(tensor)));
      }
      return {};
    }));
    std::vector<double> powers(judged_.size());
    for (const auto &outputs : clean_)
      for (std::size_t o = 0; o < outputs.size(); ++o)
        powers[o] += squared_difference(answers_[o], outputs[o], nullptr);
    const auto has_power = [](double power) { return std::isfinite(power) && power > 0; };
    const auto first = std::ranges::find_if(powers, has_power);
    const bool none = first == powers.end(); // outputs that are 0 on all samples: what disturbs them counts as it is
    unit_ = none ? 0 : *first;
    for (const double power : powers) weights_.push_back(has_power(power) ? unit_ / power : none && power == 0 ? 1 : 0);
    return {};
  }

  [[nodiscard]] Runner runner_from(const Walk &walk, const Graph &graph, const std::vector<ValueId> &live,
                                   const std::vector<ValueId> &wanted) const {
    PlanOptions plan;
    plan.isa = job_.isa;
    plan.feeds = live;
    plan.fetches = wanted;
    for (const ValueId v : live) plan.feed_layouts.push_back(walk.layout(v));
    return {graph, job_.ops, std::move(plan)};
  }

  static Result<std::vector<Tensor>> feeds_of(const Walk &walk, const std::vector<ValueId> &live, std::size_t sample) {
    std::vector<Tensor> feeds;
    for (const ValueId v : live) {
      EDGEC_ASSIGN(Tensor tensor, walk.value(v, sample));
      feeds.push_back(std::move(tensor));
    }
    return feeds;
  }

  /// Differences of a layer's outputs by channel: their sums and squares over positions.
  struct Differences {
    std::vector<double> sum, squares;
    double positions = 0;

    void add(const Tensor &clean, const Tensor &other, int axis) {
      const auto a = clean.as<float>(), b = other.as<float>();
      std::size_t inner = 1;
      for (std::size_t d = static_cast<std::size_t>(axis) + 1; d < clean.dims.size(); ++d)
        inner *= static_cast<std::size_t>(clean.dims[d]);
      const auto channels = static_cast<std::size_t>(clean.dims[static_cast<std::size_t>(axis)]);
      sum.resize(channels);
      squares.resize(channels);
      for (std::size_t k = 0; k < a.size(); ++k) {
        const double difference = static_cast<double>(b[k]) - static_cast<double>(a[k]);
        sum[k / inner % channels] += difference;
        squares[k / inner % channels] += difference * difference;
      }
      positions += static_cast<double>(a.size()) / static_cast<double>(std::max<std::size_t>(1, channels));
    }
    void add(const Differences &more) {
      sum.resize(std::max(sum.size(), more.sum.size()));
      squares.resize(sum.size());
      for (std::size_t c = 0; c < more.sum.size(); ++c) sum[c] += more.sum[c], squares[c] += more.squares[c];
      positions += more.positions;
    }
  };

  Result<Differences> compare(const Walk &walk, const Graph &changed, const std::vector<ValueId> &live, ValueId output,
                              int axis) const {
    Runner clean = runner_from(walk, graph_, live, {output}), noisy_one = runner_from(walk, changed, live, {output});
    std::vector<Differences> parts(samples_.size());
    EDGEC_CHECK(parallel_for(samples_.size(), job_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const auto feeds, feeds_of(walk, live, i));
      EDGEC_ASSIGN(const auto before, clean.run_tensors(feeds, worker));
      EDGEC_ASSIGN(const auto after, noisy_one.run_tensors(feeds, worker));
      parts[i].add(before[0], after[0], axis);
      return {};
    }));
    Differences all;
    for (const Differences &part : parts) all.add(part);
    return all;
  }

  Result<double> probe(Walk &walk, NodeId layer, const std::vector<ValueId> &live) const {
    const auto info = weights_of(graph_, graph_.node(layer), job_.ops);
    const ValueId output = graph_.node(layer).outputs[0];
    const Tensor *weight = info ? graph_.constant(graph_.node(layer).input(info->weight)) : nullptr;
    if (weight == nullptr || weight->dtype != DType::float32)
      return unsupported("a layer's weight is not a float32 constant");
    for (const ValueId v : live) EDGEC_CHECK(walk.reach(v));
    Graph changed = graph_;
    changed.set_input(layer, info->weight, changed.add_constant(noisy(*weight, layer.index)));
    EDGEC_ASSIGN(const Differences seen, compare(walk, changed, live, output, info->output_axis));
    double power = 0;
    std::vector<float> bias(seen.sum.size());
    const auto old = channel_bias(graph_, graph_.node(layer), *info);
    const float beta = graph_.node(layer).get_float("beta", 1);
    const bool centred = old && old->size() == bias.size() && beta != 0;
    for (std::size_t c = 0; c < bias.size(); ++c) {
      const double mean = centred ? seen.sum[c] / seen.positions : 0;
      if (centred) bias[c] = (static_cast<float>((*old)[c]) - static_cast<float>(mean)) / beta;
      power += seen.squares[c] / seen.positions - mean * mean;
    }
    const Dims bias_dims{static_cast<std::int64_t>(bias.size())};
    if (centred) changed.set_input(layer, *info->bias, changed.add_constant(Tensor::of(bias_dims, std::move(bias))));
    std::vector<double> errors(samples_.size());
    Runner runner = runner_from(walk, changed, live, judged_);
    EDGEC_CHECK(parallel_for(samples_.size(), job_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const auto feeds, feeds_of(walk, live, i));
      EDGEC_ASSIGN(const auto outputs, runner.run_tensors(feeds, worker));
      for (std::size_t o = 0; o < outputs.size(); ++o)
        errors[i] += weights_[o] * squared_difference(answers_[o], outputs[o], &clean_[i][o]);
      return {};
    }));
    double error = 0;
    for (const double each : errors) error += each;
    const double found = power > 0 ? error / static_cast<double>(errors.size()) / power : 0.0;
    return std::isfinite(found) ? found : 0.0;
  }
};

} // namespace

Result<std::map<NodeId, double>> layer_sensitivities(const Graph &graph, std::span<const NodeId> layers,
                                                     const Job &job) {
  if (job.calibration == nullptr || job.samples.empty())
    return usage_error("sensitivities need calibration samples (--calib)");
  return Prober(graph, layers, job).run();
}

Result<double> answer_power(const Graph &graph, const Job &job) { return Prober(graph, {}, job).power(); }

} // namespace edgec
