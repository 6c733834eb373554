#include "measure/fidelity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <mutex>

#include "measure/logits.h"
#include "measure/score.h"
#include "support/file.h"
#include "support/parallel.h"

namespace edgec {
namespace {

using Reals = OutputNumbers;
using Outputs = std::vector<Reals>;

/// -infinity is a mask's way to say "never".
bool is_broken(double value) { return std::isnan(value) || value == std::numeric_limits<double>::infinity(); }

/// Integers that stand for themselves.
bool are_plain(const Type &type) { return type.is_tensor() && is_integer(type.dtype) && !type.quant; }

/// What a network is compared by: its outputs, then what its answers are read from where that is not an output.
struct Compared {
  std::vector<Answer> answers;
  std::vector<ValueId> values;
  std::vector<std::size_t> places; ///< of each answer among the values

  explicit Compared(const Graph &graph) : answers(find_answers(graph)) {
    for (const GraphOutput &output : graph.outputs()) values.push_back(output.value);
    for (const Answer &answer : answers) {
      const auto found = std::ranges::find(values, answer.value);
      places.push_back(static_cast<std::size_t>(found - values.begin()));
      if (found == values.end()) values.push_back(answer.value);
    }
  }
};

bool has_codes(const Graph &graph, std::span<const ValueId> values) {
  return std::ranges::any_of(values, [&](ValueId id) { return graph.value(id).type.is_quantized(); });
}

/// A network being run: its outputs, then what its answers are read from where that is not an output.
class Candidate {
public:
  Candidate(const Candidate &) = delete;
  Candidate &operator=(const Candidate &) = delete;
  Candidate(const Graph &graph, const OpRegistry &ops, const FidelityOptions &options)
      : graph_(graph), compared_(graph) {
    if (options.parts) {
      in_parts_ = [&graph, &ops, parts = *options.parts, this](std::span<const RuntimeValue> feeds) {
        return run_in_parts(graph, ops, feeds, compared_.values, parts);
      };
      return;
    }
    PlanOptions plan;
    plan.isa = options.isa;
    plan.reference = options.reference_kernels;
    plan.fetches = compared_.values;
    runner_ = std::make_unique<Runner>(graph, ops, plan);
  }

  /// `beside`: the network whose outputs these are compared with, or null.
  Result<Outputs> run(const Sample &sample, int worker, const Candidate *beside) {
    std::vector<RuntimeValue> feeds;
    for (Tensor &tensor : as_inputs(graph_, sample)) feeds.emplace_back(std::move(tensor));
    EDGEC_ASSIGN(const auto results, in_parts_ ? in_parts_(feeds) : runner_->run(feeds, worker));
    Outputs reals(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto &tensor = results[i].tensor;
      const Type &type = type_of(i), *other = beside != nullptr && i < outputs() ? &beside->type_of(i) : nullptr;
      if (tensor && tensor->dtype != DType::string)
        reals[i] = {tensor->dims, real_values(*tensor, type, other),
                    !is_float(tensor->dtype) && (!type.quant || (other != nullptr && are_plain(*other)))};
    }
    for (const std::size_t place : compared_.places)
      if (std::ranges::any_of(reals[place].values, is_broken))
        return bad_input(fmt::format("output {}: has NaN or infinity", name(place)));
    return reals;
  }

  [[nodiscard]] const std::vector<Answer> &answers() const { return compared_.answers; }
  /// Where the answers of an output are among what run() gives.
  [[nodiscard]] std::size_t place(std::size_t answer) const { return compared_.places[answer]; }
  [[nodiscard]] std::size_t outputs() const { return graph_.outputs().size(); }
  [[nodiscard]] const Type &type_of(std::size_t i) const { return graph_.value(compared_.values[i]).type; }
  [[nodiscard]] bool has_codes() const { return edgec::has_codes(graph_, compared_.values); }
  [[nodiscard]] std::string name(std::size_t i) const {
    return i < outputs() ? graph_.outputs()[i].name : graph_.value(compared_.values[i]).name;
  }

private:
  const Graph &graph_;
  Compared compared_;
  std::unique_ptr<Runner> runner_;
  std::function<Result<std::vector<RuntimeValue>>(std::span<const RuntimeValue>)> in_parts_; // instead of runner_
};

} // namespace

struct ReferenceOutputs::State {
  static constexpr std::size_t most_bytes = std::size_t{16} << 20;
  std::mutex mutex;
  std::map<std::size_t, std::shared_ptr<const Outputs>> of_call;
  std::size_t bytes = 0;
  bool full = false;

  std::shared_ptr<const Outputs> find(std::size_t call) {
    const std::lock_guard lock(mutex);
    const auto found = of_call.find(call);
    return found == of_call.end() ? nullptr : found->second;
  }

  void keep(std::size_t call, const std::shared_ptr<const Outputs> &outputs) {
    std::size_t size = 0;
    for (const Reals &reals : *outputs) size += reals.values.size() * sizeof(double);
    const std::lock_guard lock(mutex);
    full = full || bytes + size > most_bytes;
    if (full || !of_call.emplace(call, outputs).second) return;
    bytes += size;
  }

  [[nodiscard]] bool is_full() {
    const std::lock_guard lock(mutex);
    return full;
  }
};

ReferenceOutputs::ReferenceOutputs() : state_(std::make_unique<State>()) {}
ReferenceOutputs::~ReferenceOutputs() = default;

std::vector<ValueId> compared_values(const Graph &graph) { return Compared(graph).values; }

bool stands_for(const Graph &rewritten, const Graph &reference) {
  const Compared own(rewritten), wanted(reference);
  return own.values.size() == wanted.values.size() && own.places == wanted.places &&
         !has_codes(rewritten, own.values) && !has_codes(reference, wanted.values);
}

void ReferenceOutputs::keep(std::size_t call, std::span<const Tensor> values) const {
  Outputs outputs;
  for (const Tensor &tensor : values) {
    if (tensor.dtype == DType::string) return;
    outputs.push_back({tensor.dims, to_doubles(tensor), !is_float(tensor.dtype)});
    if (std::ranges::any_of(outputs.back().values, is_broken)) return; // to be named where the reference is run
  }
  state_->keep(call, std::make_shared<const Outputs>(std::move(outputs)));
}

namespace {

/// A reference's outputs for a call of the samples, computed where they are not known. Those of a quantized type depend
/// on what they are compared with.
Result<std::shared_ptr<const Outputs>> reference_outputs(Candidate &reference, const Candidate &test,
                                                         const Sample &sample, std::size_t call, int worker,
                                                         const ReferenceOutputs *known) {
  if (reference.has_codes()) known = nullptr;
  if (known != nullptr)
    if (auto found = known->state().find(call)) return found;
  EDGEC_ASSIGN(Outputs computed, reference.run(sample, worker, &test));
  auto outputs = std::make_shared<const Outputs>(std::move(computed));
  if (known != nullptr) known->state().keep(call, outputs);
  return std::shared_ptr<const Outputs>(std::move(outputs));
}

/// What one sample gives; kept for each, so that sums are taken in the samples' order.
struct SampleResult {
  std::vector<Noise> outputs;
  std::vector<OutputNoise> answers;
  std::vector<std::optional<ChangedAnswer>> changed; // of each output
  std::size_t reference_rank = 0, test_rank = 0;
  bool foreign_label = false;
};

/// How many elements come before element `label` when sorted from large to small, equal ones by position.
std::size_t rank_of(std::span<const double> values, std::int64_t label) {
  if (label < 0 || label >= static_cast<std::int64_t>(values.size())) return values.size();
  const double own = values[static_cast<std::size_t>(label)];
  std::size_t rank = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    rank += values[i] > own || (values[i] == own && static_cast<std::int64_t>(i) < label) ? 1 : 0;
  return rank;
}

Status check_sizes(const Candidate &reference, const Outputs &expected, const Candidate &test, const Outputs &got) {
  const auto check = [&](std::size_t i, std::size_t j) -> Status {
    if (expected[i].values.size() == got[j].values.size()) return {};
    return bad_input(fmt::format("output {} has {} elements, the reference's {} has {}: the two cannot be compared",
                                 test.name(j), got[j].values.size(), reference.name(i), expected[i].values.size()));
  };
  for (std::size_t i = 0; i < reference.outputs(); ++i) {
    EDGEC_CHECK(check(i, i));
  }
  return {};
}

/// One of the samples that run side by side in one call.
struct Row {
  std::size_t index, batch;
  [[nodiscard]] bool is_part(const Reals &reals) const { return reals.values.size() % batch == 0; }
  [[nodiscard]] std::span<const double> of(const Reals &reals) const {
    if (!is_part(reals)) return reals.values;
    const std::size_t size = reals.values.size() / batch;
    return std::span(reals.values).subspan(index * size, size);
  }
  [[nodiscard]] Dims dims(const Reals &reals) const {
    Dims dims = reals.dims;
    const auto rows = static_cast<std::int64_t>(batch);
    if (is_part(reals) && !dims.empty() && dims[0] % rows == 0) dims[0] /= rows;
    return dims;
  }
};

/// Counts the answers along an axis: the places of the largest elements.
void count_answers(std::span<const double> wanted, std::span<const double> found, const Dims &dims, std::size_t axis,
                   OutputNoise &result) {
  std::size_t inner = 1;
  for (std::size_t d = axis + 1; d < dims.size(); ++d) inner *= static_cast<std::size_t>(dims[d]);
  const auto classes = static_cast<std::size_t>(dims[axis]);
  const auto largest = [&](std::span<const double> values, std::size_t start) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < classes; ++c)
      if (values[start + c * inner] > values[start + best * inner]) best = c;
    return best;
  };
  for (std::size_t outer = 0; outer + classes * inner <= wanted.size(); outer += classes * inner)
    for (std::size_t i = 0; i < inner; ++i) {
      ++result.answers;
      result.agreeing += largest(wanted, outer + i) == largest(found, outer + i) ? 1 : 0;
    }
}

/// How a final operator reads its scores: rows, classes, elements from one class to the next; nothing: there is none.
std::optional<std::array<std::int64_t, 3>> rows_of(const Answer &answer, const Dims &dims) {
  if (!answer.axis) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t axis = *answer.axis < 0 ? *answer.axis + rank : *answer.axis;
  std::array<std::int64_t, 3> rows{1, 1, 1};
  for (std::int64_t d = 0; d < rank; ++d) rows[d < axis ? 0 : d == axis ? 1 : 2] *= dims[static_cast<std::size_t>(d)];
  return rows;
}

OutputNoise compare_answers(const Answer &answer, const Reals &expected, const Reals &got, Row row) {
  OutputNoise result;
  const auto wanted = row.of(expected), found = row.of(got);
  const Dims dims = row.dims(expected);
  const auto judged = [&](std::span<const double> values) {
    return judged_numbers(answer, dims, {values.begin(), values.end()});
  };
  if (answer.shares)
    result.noise.add(judged(wanted), judged(found));
  else
    result.noise.add(wanted, found);
  result.numbers = !expected.integers;
  if (const auto axis = class_axis(answer, dims)) {
    count_answers(wanted, found, dims, *axis, result);
  } else if (expected.integers) {
    result.answers = wanted.size();
    for (std::size_t i = 0; i < wanted.size(); ++i) result.agreeing += wanted[i] == found[i] ? 1 : 0;
  }
  return result;
}

/// Where the one answer of a sample is another one.
std::optional<ChangedAnswer> changed_answer(const OutputNoise &compared, std::span<const double> wanted,
                                            std::span<const double> found) {
  if (compared.answers != 1 || compared.agreeing == 1 || wanted.size() < 2) return std::nullopt;
  const auto place = [](std::span<const double> scores) {
    return static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
  };
  const std::size_t before = place(wanted), after = place(found);
  return ChangedAnswer{0, before, after, wanted[before] - wanted[after], found[after] - found[before]};
}

void compare(const Candidate &reference, const Outputs &expected, const Candidate &test, const Outputs &got, Row row,
             SampleResult &result) {
  result.outputs.resize(reference.outputs());
  for (std::size_t i = 0; i < reference.outputs(); ++i) {
    result.outputs[i].add(row.of(expected[i]), row.of(got[i]));
    // Where a rewrite moved what a final ArgMax reads, or hid it, the outputs themselves are compared.
    const Reals &wanted = expected[reference.place(i)], &found = got[test.place(i)];
    const bool alike = wanted.values.size() == found.values.size() &&
                       rows_of(reference.answers()[i], wanted.dims) == rows_of(test.answers()[i], found.dims);
    result.answers.push_back(alike ? compare_answers(reference.answers()[i], wanted, found, row)
                                   : compare_answers({}, expected[i], got[i], row));
    result.changed.push_back(alike ? changed_answer(result.answers.back(), row.of(wanted), row.of(found))
                                   : changed_answer(result.answers.back(), row.of(expected[i]), row.of(got[i])));
  }
}

/// Of one output.
std::optional<double> median_sqnr(const std::vector<SampleResult> &results, std::size_t output) {
  std::vector<double> values;
  for (const SampleResult &result : results)
    values.push_back(result.answers[output].noise.sqnr_db().value_or(std::numeric_limits<double>::infinity()));
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  if (!std::isfinite(median)) return std::nullopt;
  return median;
}

/// Outputs that suffered most come first: numbers before integers, those that are always 0 last.
double order_of_loss(const OutputNoise &output) {
  constexpr double no_signal = 1e30, integers = 2e30;
  if (!output.numbers) return integers;
  if (output.noise.signal == 0) return output.noise.noise > 0 ? no_signal : no_signal * 1.5;
  return output.noise.sqnr_db().value_or(no_signal / 2);
}

void sum_up_answers(const std::vector<SampleResult> &results, const Candidate &reference, Fidelity &fidelity) {
  std::vector<OutputNoise> answers(reference.outputs());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i].name = reference.name(reference.place(i));
    for (const SampleResult &result : results) {
      answers[i].noise.add(result.answers[i].noise);
      answers[i].answers += result.answers[i].answers;
      answers[i].agreeing += result.answers[i].agreeing;
      answers[i].numbers = answers[i].numbers && result.answers[i].numbers;
    }
  }
  const auto worst = std::ranges::min_element(answers, {}, order_of_loss);
  fidelity.logits = *worst;
  fidelity.median_sqnr_db = median_sqnr(results, static_cast<std::size_t>(worst - answers.begin()));
  const OutputNoise *least = nullptr;
  for (const OutputNoise &output : answers)
    if (output.answers > 0 && (least == nullptr || output.share() < least->share())) least = &output;
  if (least == nullptr) return;
  fidelity.answers = least->answers, fidelity.agreeing = least->agreeing;
  for (const SampleResult &result : results)
    if (const auto &changed = result.changed[static_cast<std::size_t>(least - answers.data())])
      fidelity.changed.push_back(*changed);
}

Fidelity sum_up(const std::vector<SampleResult> &results, const Candidate *reference, bool labelled) {
  Fidelity fidelity;
  fidelity.samples = results.size();
  if (labelled) fidelity.test_accuracy = Accuracy{results.size(), 0, 0};
  if (labelled && reference != nullptr) fidelity.reference_accuracy = Accuracy{results.size(), 0, 0};
  if (reference != nullptr) {
    fidelity.compared = true;
    for (std::size_t i = 0; i < reference->outputs(); ++i) fidelity.outputs.push_back({reference->name(i), {}});
    sum_up_answers(results, *reference, fidelity);
  }
  const auto count = [](std::optional<Accuracy> &accuracy, std::size_t rank) {
    if (!accuracy) return;
    accuracy->top1 += rank < 1 ? 1 : 0;
    accuracy->top5 += rank < 5 ? 1 : 0;
  };
  const auto compare_ranks = [&](Changes &changes, const SampleResult &result, std::size_t right) {
    const bool before = result.reference_rank < right, after = result.test_rank < right;
    changes.lost += labelled && before && !after ? 1 : 0;
    changes.gained += labelled && !before && after ? 1 : 0;
  };
  for (const SampleResult &result : results) {
    compare_ranks(fidelity.top1_changes, result, 1);
    compare_ranks(fidelity.top5_changes, result, 5);
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
    if (is_endless(r) || is_endless(t)) { // the same infinity, or NaN on both sides, is no difference
      const bool same = r == t || (std::isnan(r) && std::isnan(t)) || (is_endless(r) && is_endless(t) && r * t > 0);
      if (!same) max_error = noise = std::numeric_limits<double>::infinity();
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

double Fidelity::sqnr_db() const { return logits.noise.sqnr_db().value_or(std::numeric_limits<double>::infinity()); }

Sample as_inputs(const Graph &graph, Sample sample) {
  for (std::size_t i = 0; i < std::min(sample.size(), graph.inputs().size()); ++i) {
    const DType wanted = graph.value(graph.inputs()[i]).type.dtype;
    const bool half = wanted == DType::float16 || wanted == DType::bfloat16;
    if (half && sample[i].dtype == DType::float32)
      sample[i] = from_doubles(wanted, sample[i].dims, to_doubles(sample[i]));
  }
  return sample;
}

std::vector<double> real_values(const Tensor &tensor, const Type &type, const Type *beside) {
  std::vector<double> values = to_doubles(tensor);
  if (!type.quant || !type.quant->is_per_tensor() || (beside != nullptr && are_plain(*beside))) return values;
  for (double &value : values)
    value = static_cast<double>(type.quant->scale() * static_cast<float>(value - type.quant->zero_point()));
  return values;
}

namespace {

/// What a network said, for a metric that reads it.
class Recorder {
public:
  Recorder(const Graph &graph, std::size_t calls) {
    for (const GraphOutput &output : graph.outputs()) said_.names.push_back(output.name);
    said_.calls.resize(calls);
  }
  void record(std::size_t call, std::string label, std::size_t rows, std::size_t batch, const Outputs &outputs) {
    CallOutputs &said = said_.calls[call];
    said.label = std::move(label);
    said.rows = rows;
    for (std::size_t i = 0; i < said_.names.size(); ++i) {
      OutputNumbers one = outputs[i];
      if (rows < batch && !one.dims.empty() && one.dims[0] == static_cast<std::int64_t>(batch)) { // filled up
        one.values.resize(one.values.size() / batch * rows);
        one.dims[0] = static_cast<std::int64_t>(rows);
      }
      said.outputs.push_back(std::move(one));
    }
  }
  [[nodiscard]] const NetworkOutputs &said() const { return said_; }

private:
  NetworkOutputs said_;
};

/// Networks with fewer bytes of weights may be held side by side.
constexpr std::size_t large_network = std::size_t{16} << 20;

/// Runs a large reference before what it is compared with, as far as `known` has room for its outputs, and gives up the
/// weights that were packed for its kernels: both networks' would be the most memory that a job takes. What fails is
/// left for the comparison to name.
Status run_first(std::optional<Candidate> &reference, const Graph &graph, const OpRegistry &ops,
                 const SampleSet &samples, const FidelityOptions &options, const ReferenceOutputs &known) {
  const Status ran = parallel_for(options.indices.size(), options.threads, [&](std::size_t item, int worker) -> Status {
    const std::size_t index = options.indices[item];
    if (known.state().is_full()) return {};
    EDGEC_ASSIGN(const Sample sample, samples.load(index));
    EDGEC_ASSIGN(Outputs outputs, reference->run(sample, worker, nullptr));
    known.state().keep(index, std::make_shared<const Outputs>(std::move(outputs)));
    return {};
  });
  reference.emplace(graph, ops, options);
  return !ran && ran.error().code == Code::interrupted ? ran : Status();
}

/// `reference` may be null where there is one test network.
Result<Fidelity> measure(const Graph *reference, std::span<const Graph *const> tests, const OpRegistry &ops,
                         const SampleSet &samples, const FidelityOptions &options) {
  for (const Graph *test : tests) EDGEC_CHECK(check_networks(reference, *test));
  std::optional<Candidate> expected;
  if (reference != nullptr) expected.emplace(*reference, ops, options);
  const ReferenceOutputs own;
  const ReferenceOutputs *known = options.reference_outputs;
  if (expected && known == nullptr && !expected->has_codes() && constant_bytes(*reference) > large_network) {
    EDGEC_CHECK(run_first(expected, *reference, ops, samples, options, own));
    known = &own;
  }
  std::deque<Candidate> candidates;
  for (const Graph *test : tests) candidates.emplace_back(*test, options.test_ops ? *options.test_ops : ops, options);
  const std::size_t batch = samples.batch();
  std::vector<std::size_t> first_row{0}; // of each call among the results
  for (const std::size_t index : options.indices) first_row.push_back(first_row.back() + samples.rows(index));
  std::vector<SampleResult> results(first_row.back());
  const bool records = options.metric != nullptr && options.metric->of;
  Recorder test_said(*tests.front(), options.indices.size()),
      reference_said(reference != nullptr ? *reference : *tests.front(), options.indices.size());
  const auto run = [&](std::size_t item, int worker) -> Status {
    Candidate &candidate = candidates[item % candidates.size()];
    const std::size_t index = options.indices[item];
    const std::string label = samples.label(index);
    EDGEC_ASSIGN(const Sample sample, samples.load(index));
    EDGEC_ASSIGN(const Outputs got, candidate.run(sample, worker, expected ? &*expected : nullptr).in(label));
    std::shared_ptr<const Outputs> wanted;
    if (expected) {
      EDGEC_ASSIGN(wanted,
                   reference_outputs(*expected, candidate, sample, index, worker, known).in(label + ", reference"));
      EDGEC_CHECK(check_sizes(*expected, *wanted, candidate, got).in(label));
    }
    const std::size_t rows = first_row[item + 1] - first_row[item];
    if (records) test_said.record(item, label, rows, batch, got);
    if (records && expected) reference_said.record(item, label, rows, batch, *wanted);
    for (std::size_t at = first_row[item]; at < first_row[item + 1]; ++at) {
      const Row row{at - first_row[item], batch};
      if (expected) compare(*expected, *wanted, candidate, got, row, results[at]);
      for (auto &changed : results[at].changed)
        if (changed) changed->row = index * batch + row.index;
      if (options.labels == nullptr) continue;
      const std::int64_t label_of_row = (*options.labels)[index * batch + row.index];
      const auto logits = row.of(got[candidate.place(0)]);
      results[at].foreign_label = label_of_row < 0 || label_of_row >= static_cast<std::int64_t>(logits.size());
      results[at].test_rank = rank_of(logits, label_of_row);
      if (expected) results[at].reference_rank = rank_of(row.of((*wanted)[expected->place(0)]), label_of_row);
    }
    if (options.step) options.step();
    return {};
  };
  EDGEC_CHECK(parallel_for(options.indices.size(), options.threads, run));
  Fidelity fidelity = sum_up(results, expected ? &*expected : nullptr, options.labels != nullptr);
  if (records) {
    fidelity.score = Score{.metric = options.metric->name, .answers = fidelity.samples};
    EDGEC_ASSIGN(fidelity.score->test, options.metric->of(test_said.said()));
    if (expected) {
      EDGEC_ASSIGN(fidelity.score->reference, options.metric->of(reference_said.said()));
    }
  } else if (options.metric != nullptr) {
    fidelity.score = score_of(fidelity, options.metric->name);
  }
  return fidelity;
}

} // namespace

Result<Fidelity> measure_fidelity(const Graph *reference, const Graph &test, const OpRegistry &ops,
                                  const SampleSet &samples, const FidelityOptions &options) {
  const Graph *const tests[] = {&test};
  return measure(reference, tests, ops, samples, options);
}

Result<Fidelity> measure_fidelity(const Graph &reference, std::span<const Graph *const> tests, const OpRegistry &ops,
                                  const SampleSet &samples, const FidelityOptions &options) {
  return measure(&reference, tests, ops, samples, options);
}

} // namespace edgec
