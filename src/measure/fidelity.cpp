#include "measure/fidelity.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "measure/logits.h"
#include "support/file.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// A network being run: its outputs, then its logits where they are no output.
class Candidate {
public:
  Candidate(const Candidate &) = delete;
  Candidate &operator=(const Candidate &) = delete;
  Candidate(const Graph &graph, const OpRegistry &ops, const FidelityOptions &options) : graph_(graph) {
    for (const GraphOutput &output : graph.outputs()) fetches_.push_back(output.value);
    const ValueId logits = find_logits(graph);
    const auto found = std::ranges::find(fetches_, logits);
    logits_ = static_cast<std::size_t>(found - fetches_.begin());
    if (found == fetches_.end()) fetches_.push_back(logits);
    if (options.parts) {
      in_parts_ = [&graph, &ops, parts = *options.parts, this](std::span<const RuntimeValue> feeds) {
        return run_in_parts(graph, ops, feeds, fetches_, parts);
      };
      return;
    }
    PlanOptions plan;
    plan.isa = options.isa;
    plan.reference = options.reference_kernels;
    plan.fetches = fetches_;
    runner_ = std::make_unique<Runner>(graph, ops, plan);
  }

  /// Reals of each output (empty: no tensor of numbers), the logits last where they are no output.
  Result<std::vector<std::vector<double>>> run(const Sample &sample, int worker) {
    std::vector<RuntimeValue> feeds;
    for (const Tensor &tensor : sample) feeds.emplace_back(tensor);
    EDGEC_ASSIGN(const auto results, in_parts_ ? in_parts_(feeds) : runner_->run(feeds, worker));
    std::vector<std::vector<double>> reals(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto &tensor = results[i].tensor;
      if (tensor && tensor->dtype != DType::string) reals[i] = real_values(*tensor, graph_.value(fetches_[i]).type);
      const bool finite = std::ranges::all_of(reals[i], [](double value) { return std::isfinite(value); });
      if (i == logits_ && !finite) return bad_input(fmt::format("output {}: has NaN or infinity", name(i)));
    }
    return reals;
  }

  [[nodiscard]] std::size_t logits() const { return logits_; }
  [[nodiscard]] std::size_t outputs() const { return graph_.outputs().size(); }
  [[nodiscard]] std::string name(std::size_t i) const {
    return i < outputs() ? graph_.outputs()[i].name : graph_.value(fetches_[i]).name;
  }

private:
  const Graph &graph_;
  std::vector<ValueId> fetches_;
  std::size_t logits_ = 0;
  std::unique_ptr<Runner> runner_;
  std::function<Result<std::vector<RuntimeValue>>(std::span<const RuntimeValue>)> in_parts_; // instead of runner_
};

/// What one sample gives; kept for each, so that sums are taken in the samples' order.
struct SampleResult {
  std::vector<Noise> outputs;
  Noise logits;
  bool agrees = false;
  std::size_t reference_rank = 0, test_rank = 0;
  bool foreign_label = false;
};

std::size_t largest(std::span<const double> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

/// How many elements come before element `label` when sorted from large to small, equal ones by position.
std::size_t rank_of(std::span<const double> values, std::int64_t label) {
  if (label < 0 || label >= static_cast<std::int64_t>(values.size())) return values.size();
  const double own = values[static_cast<std::size_t>(label)];
  std::size_t rank = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    rank += values[i] > own || (values[i] == own && static_cast<std::int64_t>(i) < label) ? 1 : 0;
  return rank;
}

using Outputs = std::vector<std::vector<double>>;

Status check_sizes(const Candidate &reference, const Outputs &expected, const Candidate &test, const Outputs &got) {
  const auto check = [&](std::size_t i, std::size_t j) -> Status {
    if (expected[i].size() == got[j].size()) return {};
    return bad_input(fmt::format("output {} has {} elements, the reference's {} has {}: the two cannot be compared",
                                 test.name(j), got[j].size(), reference.name(i), expected[i].size()));
  };
  for (std::size_t i = 0; i < reference.outputs(); ++i) EDGEC_CHECK(check(i, i));
  return check(reference.logits(), test.logits());
}

/// One of the samples that run side by side in one call.
struct Row {
  std::size_t index, batch;
  [[nodiscard]] std::span<const double> of(const std::vector<double> &values) const {
    if (values.size() % batch != 0) return values;
    return std::span(values).subspan(index * (values.size() / batch), values.size() / batch);
  }
};

void compare(const Candidate &reference, const Outputs &expected, const Candidate &test, const Outputs &got, Row row,
             SampleResult &result) {
  result.outputs.resize(reference.outputs());
  for (std::size_t i = 0; i < reference.outputs(); ++i) result.outputs[i].add(row.of(expected[i]), row.of(got[i]));
  const auto wanted = row.of(expected[reference.logits()]), found = row.of(got[test.logits()]);
  result.logits.add(wanted, found);
  result.agrees = largest(wanted) == largest(found);
}

std::optional<double> median_sqnr(const std::vector<SampleResult> &results) {
  std::vector<double> values;
  for (const SampleResult &result : results)
    values.push_back(result.logits.sqnr_db().value_or(std::numeric_limits<double>::infinity()));
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  if (!std::isfinite(median)) return std::nullopt;
  return median;
}

Fidelity sum_up(const std::vector<SampleResult> &results, const Candidate *reference, bool labelled) {
  Fidelity fidelity;
  fidelity.samples = results.size();
  if (labelled) fidelity.test_accuracy = Accuracy{results.size(), 0, 0};
  if (labelled && reference != nullptr) fidelity.reference_accuracy = Accuracy{results.size(), 0, 0};
  if (reference != nullptr) {
    fidelity.compared = true;
    fidelity.logits.name = reference->name(reference->logits());
    for (std::size_t i = 0; i < reference->outputs(); ++i) fidelity.outputs.push_back({reference->name(i), {}});
    fidelity.median_sqnr_db = median_sqnr(results);
  }
  const auto count = [](std::optional<Accuracy> &accuracy, std::size_t rank) {
    if (!accuracy) return;
    accuracy->top1 += rank < 1 ? 1 : 0;
    accuracy->top5 += rank < 5 ? 1 : 0;
  };
  for (const SampleResult &result : results) {
    fidelity.agreeing += result.agrees ? 1 : 0;
    fidelity.logits.noise.add(result.logits);
    for (std::size_t i = 0; i < result.outputs.size(); ++i) fidelity.outputs[i].noise.add(result.outputs[i]);
    count(fidelity.reference_accuracy, result.reference_rank);
    count(fidelity.test_accuracy, result.test_rank);
    fidelity.foreign_labels += result.foreign_label ? 1 : 0;
  }
  if (fidelity.foreign_labels > 0) fidelity.test_accuracy = fidelity.reference_accuracy = std::nullopt;
  return fidelity;
}

Status check_networks(const Graph *reference, const Graph &test) {
  if (find_logits(test) == ValueId{}) return bad_input("the network has no outputs");
  if (reference == nullptr) return {};
  if (reference->inputs().size() != test.inputs().size())
    return bad_input(fmt::format("the networks take {} and {} inputs: they cannot be compared",
                                 reference->inputs().size(), test.inputs().size()));
  if (reference->outputs().size() != test.outputs().size())
    return bad_input(fmt::format("the networks have {} and {} outputs: they cannot be compared",
                                 reference->outputs().size(), test.outputs().size()));
  return {};
}

} // namespace

void Noise::add(std::span<const double> reference, std::span<const double> test) {
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double r = reference[i], t = test[i];
    if (!std::isfinite(r) || !std::isfinite(t)) { // the same infinity, or NaN on both sides, is no difference
      if (!(r == t || (std::isnan(r) && std::isnan(t)))) max_error = noise = std::numeric_limits<double>::infinity();
      continue;
    }
    signal += r * r;
    noise += (r - t) * (r - t);
    max_error = std::max(max_error, std::abs(r - t));
    max_reference = std::max(max_reference, std::abs(r));
  }
  count += reference.size();
}

void Noise::add(const Noise &other) {
  signal += other.signal;
  noise += other.noise;
  max_error = std::max(max_error, other.max_error);
  max_reference = std::max(max_reference, other.max_reference);
  count += other.count;
}

std::optional<double> Noise::sqnr_db() const {
  if (noise == 0) return std::nullopt;
  return 10 * std::log10(signal / noise);
}

std::vector<double> real_values(const Tensor &tensor, const Type &type) {
  std::vector<double> values = to_doubles(tensor);
  if (!type.quant || !type.quant->is_per_tensor()) return values;
  for (double &value : values)
    value = static_cast<double>(type.quant->scale() * static_cast<float>(value - type.quant->zero_point()));
  return values;
}

Result<Fidelity> measure_fidelity(const Graph *reference, const Graph &test, const OpRegistry &ops,
                                  const SampleSet &samples, const FidelityOptions &options) {
  EDGEC_CHECK(check_networks(reference, test));
  std::optional<Candidate> expected;
  if (reference != nullptr) expected.emplace(*reference, ops, options);
  Candidate candidate(test, ops, options);
  const std::size_t batch = samples.batch();
  std::vector<std::size_t> first_row{0}; // of each call among the results
  for (const std::size_t index : options.indices) first_row.push_back(first_row.back() + samples.rows(index));
  std::vector<SampleResult> results(first_row.back());
  const auto run = [&](std::size_t item, int worker) -> Status {
    const std::size_t index = options.indices[item];
    const std::string label = samples.label(index);
    EDGEC_ASSIGN(const Sample sample, samples.load(index));
    EDGEC_ASSIGN(const Outputs got, candidate.run(sample, worker).in(label));
    Outputs wanted;
    if (expected) {
      EDGEC_ASSIGN(wanted, expected->run(sample, worker).in(label + ", reference"));
      EDGEC_CHECK(check_sizes(*expected, wanted, candidate, got).in(label));
    }
    for (std::size_t at = first_row[item]; at < first_row[item + 1]; ++at) {
      const Row row{at - first_row[item], batch};
      if (expected) compare(*expected, wanted, candidate, got, row, results[at]);
      if (options.labels == nullptr) continue;
      const std::int64_t label_of_row = (*options.labels)[index * batch + row.index];
      const auto logits = row.of(got[candidate.logits()]);
      results[at].foreign_label = label_of_row < 0 || label_of_row >= static_cast<std::int64_t>(logits.size());
      results[at].test_rank = rank_of(logits, label_of_row);
      if (expected) results[at].reference_rank = rank_of(row.of(wanted[expected->logits()]), label_of_row);
    }
    if (options.step) options.step();
    return {};
  };
  EDGEC_CHECK(parallel_for(options.indices.size(), options.threads, run));
  return sum_up(results, expected ? &*expected : nullptr, options.labels != nullptr);
}

Result<std::vector<Tensor>> run_logits(const Graph &graph, const OpRegistry &ops, const SampleSet &samples,
                                       const FidelityOptions &options) {
  PlanOptions plan;
  plan.isa = options.isa;
  plan.reference = options.reference_kernels;
  plan.fetches = {find_logits(graph)};
  Runner runner(graph, ops, plan);
  std::vector<Tensor> logits(options.indices.size());
  EDGEC_CHECK(parallel_for(logits.size(), options.threads, [&](std::size_t item, int worker) -> Status {
    EDGEC_ASSIGN(const Sample sample, samples.load(options.indices[item]));
    EDGEC_ASSIGN(auto outputs, runner.run_tensors(sample, worker).in(samples.label(options.indices[item])));
    logits[item] = std::move(outputs.front());
    if (options.step) options.step();
    return {};
  }));
  return logits;
}

Result<Fidelity> compare_logits(const std::string &name, std::span<const Tensor> reference,
                                std::span<const Tensor> test, const SampleSet &samples,
                                std::span<const std::size_t> indices) {
  std::vector<SampleResult> results;
  for (std::size_t item = 0; item < indices.size(); ++item) {
    const auto wanted = to_doubles(reference[item]), found = to_doubles(test[item]);
    release_pages(reference[item].data);
    release_pages(test[item].data);
    if (wanted.size() != found.size())
      return bad_input(fmt::format("{}: the logits have {} elements, the reference's {}", samples.label(indices[item]),
                                   found.size(), wanted.size()));
    for (std::size_t row = 0; row < samples.rows(indices[item]); ++row) {
      const Row at{row, samples.batch()};
      SampleResult &result = results.emplace_back();
      result.logits.add(at.of(wanted), at.of(found));
      result.agrees = largest(at.of(wanted)) == largest(at.of(found));
    }
  }
  Fidelity fidelity = sum_up(results, nullptr, false);
  fidelity.compared = true;
  fidelity.logits.name = name;
  fidelity.median_sqnr_db = median_sqnr(results);
  return fidelity;
}

} // namespace edgec
