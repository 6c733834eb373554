#include "schemes/int8/answer_noise.h"

#include <algorithm>

#include "compress/int8.h"
#include "measure/fidelity.h"
#include "measure/logits.h"
#include "measure/sizes.h"
#include "runtime/plan.h"
#include "schemes/fitting/held_out.h"
#include "schemes/int8/border.h"
#include "schemes/int8/retype.h"
#include "support/cancel.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// So that all trials together take seconds.
std::vector<std::size_t> judging_samples(const Graph &graph, std::size_t trials, const Job &job) {
  constexpr double least = 8, most = 32, most_macs = 100e9;
  const double macs = std::max(1.0, measure_sizes(graph, job.ops, false).macs) * static_cast<double>(trials);
  return some_of(job.samples, static_cast<std::size_t>(std::clamp(most_macs / macs, least, most)));
}

bool only_moves(const Graph &graph, const OpRegistry &ops, ValueId id) {
  const Node *producer = graph.producer(id);
  const OpDef *op = producer != nullptr ? ops.find(*producer) : nullptr;
  return op != nullptr && op->quant == QuantRule::same_scale;
}

/// The plan's values by their scale.
std::vector<ValueNoise> groups_of(const Graph &graph, const Int8Plan &plan, const OpRegistry &ops) {
  std::map<ValueId, ValueNoise> groups;
  for (const auto &[id, root] : plan.group) {
    const bool loses = graph.constant(id) == nullptr && !plan.exact.contains(id);
    if (!loses || (plan.integer.contains(graph.value(id).producer) && only_moves(graph, ops, id))) continue;
    ValueNoise &group = groups[root];
    if (group.values.empty())
      group.node = graph.producer(id) != nullptr ? graph.producer(id)->label() : graph.value(id).name;
    group.values.push_back(id);
  }
  std::vector<ValueNoise> found;
  for (auto &[root, group] : groups) found.push_back(std::move(group));
  return found;
}

/// The answers of a network, and how far others' are from them.
class Judge {
public:
  static Result<Judge> of(const Graph &graph, const Job &job, std::vector<std::size_t> samples) {
    Judge judge(graph, job, std::move(samples));
    EDGEC_ASSIGN(judge.reference_, judge.answers_of(graph));
    return judge;
  }

  /// The worst output's error by its power.
  [[nodiscard]] Result<double> noise_of(const Graph &graph) const {
    EDGEC_ASSIGN(const auto found, answers_of(graph));
    double worst = 0;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      Noise noise;
      for (std::size_t s = 0; s < found.size(); ++s) noise.add(reference_[s][i], found[s][i]);
      if (noise.signal > 0) worst = std::max(worst, noise.noise / noise.signal);
    }
    return worst;
  }

private:
  Judge(const Graph &graph, const Job &job, std::vector<std::size_t> samples)
      : job_(job), samples_(std::move(samples)) {
    for (Answer &answer : find_answers(graph))
      if (const Type &type = graph.value(answer.value).type; type.is_tensor() && is_float(type.dtype))
        answers_.push_back(std::move(answer));
  }

  const Job &job_;
  std::vector<std::size_t> samples_;
  std::vector<Answer> answers_;
  std::vector<std::vector<std::vector<double>>> reference_; // by sample, by answer

  [[nodiscard]] Result<std::vector<std::vector<std::vector<double>>>> answers_of(const Graph &graph) const {
    PlanOptions options;
    options.isa = job_.isa;
    for (const Answer &answer : answers_) options.fetches.push_back(answer.value);
    Runner runner(graph, job_.ops, options);
    std::vector<std::vector<std::vector<double>>> found(samples_.size());
    EDGEC_CHECK(parallel_for(samples_.size(), job_.threads, [&](std::size_t s, int worker) -> Status {
      EDGEC_ASSIGN(const Sample sample, job_.calibration->load(samples_[s]));
      EDGEC_ASSIGN(const auto tensors, runner.run_tensors(sample, worker));
      for (std::size_t i = 0; i < tensors.size(); ++i)
        found[s].push_back(judged_numbers(answers_[i], tensors[i].dims, to_doubles(tensors[i])));
      return {};
    }));
    return found;
  }
};

/// The network with the reals of their codes instead of these values, wherever codes are read.
Graph with_codes_of(const Graph &graph, const ValueNoise &group, const Int8Plan &plan,
                    const std::map<ValueId, Quant> &quants, const OpRegistry &ops) {
  Graph trial = graph;
  for (const ValueId id : group.values) {
    const auto uses = trial.value(id).uses;
    const NumberSpec number = plan.quantized.at(id);
    const Type reals = trial.value(id).type;
    const NodeId before = uses.empty() ? NodeId{} : uses.front().node;
    const ValueId codes = add_quantize(trial, id, number, quants.at(id), before);
    const ValueId rounded = add_dequantize(trial, codes, number, quants.at(id), reals, before);
    for (const Use &use : uses)
      if (reads_codes(plan, ops, graph, use)) trial.set_input(use.node, use.index, rounded);
  }
  return trial;
}

/// The network with a layer's weights rounded to nearest; and how many more bytes its floats take.
Graph with_rounded_weights(const Graph &graph, const Int8Layer &layer, double &more_bytes) {
  Graph trial = graph;
  const std::size_t operand = layer.weights.weight;
  const Tensor &weight = *graph.constant(graph.node(layer.node).inputs[operand]);
  const ChannelSpan span = scaled_channels(weight, layer.weights);
  std::vector<float> values(weight.as<float>().begin(), weight.as<float>().end());
  const auto scales = symmetric_scales(channel_maxima(values, span), {}, 1, layer.number.levels());
  const auto codes = quantize_symmetric(values, span, scales, layer.number.levels());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto inner = static_cast<std::size_t>(span.inner), channels = static_cast<std::size_t>(span.channels);
    values[i] = scales[i / inner % channels] * static_cast<float>(codes[i]);
  }
  trial.set_input(layer.node, operand, trial.add_constant(Tensor::of(weight.dims, std::move(values))));
  more_bytes = static_cast<double>(weight.size()) * (32 - layer.number.bits) / 8;
  return trial;
}

} // namespace

Result<std::vector<ValueNoise>> value_noises(const Graph &graph, const Int8Plan &plan,
                                             const std::map<ValueId, Quant> &quants, const Job &job) {
  std::vector<ValueNoise> groups = groups_of(graph, plan, job.ops);
  if (groups.empty()) return groups;
  EDGEC_ASSIGN(const Judge judge, Judge::of(graph, job, judging_samples(graph, groups.size(), job)));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    EDGEC_CHECK(check_interrupted());
    Graph trial = with_codes_of(graph, groups[i], plan, quants, job.ops);
    EDGEC_CHECK(trial.sort());
    EDGEC_ASSIGN(groups[i].noise, judge.noise_of(trial));
    if (job.progress) job.progress("measuring what each value's codes cost", i + 1, groups.size());
  }
  std::ranges::stable_sort(groups, std::ranges::greater(), &ValueNoise::noise);
  return groups;
}

Result<std::vector<LayerNoise>> weight_noises(const Graph &graph, const Int8Plan &plan, const Job &job) {
  std::vector<LayerNoise> found;
  EDGEC_ASSIGN(const Judge judge, Judge::of(graph, job, judging_samples(graph, plan.layers.size(), job)));
  for (const Int8Layer &layer : plan.layers) {
    EDGEC_CHECK(check_interrupted());
    LayerNoise one{.node = layer.node};
    EDGEC_ASSIGN(one.noise, judge.noise_of(with_rounded_weights(graph, layer, one.bytes)));
    found.push_back(one);
    if (job.progress) job.progress("measuring what each layer's codes cost", found.size(), plan.layers.size());
  }
  std::ranges::stable_sort(found, std::ranges::greater(), [](const LayerNoise &one) { return one.noise / one.bytes; });
  return found;
}

} // namespace edgec
