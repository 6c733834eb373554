#include "job/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <numeric>

#include "calibrate/input_scale.h"
#include "data/preprocess_help.h"
#include "job/doubts.h"
#include "measure/logits.h"
#include "ops/registry.h"
#include "support/log.h"

namespace edgec {
namespace {

Status check_sample(const Sample &sample, std::span<const InputSpec> inputs) {
  if (sample.size() != inputs.size())
    return bad_input(fmt::format("gives {} tensors, the network has {} inputs", sample.size(), inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Type &wanted = inputs[i].type;
    const Type found = Type::of(sample[i]);
    bool fits = wanted.dtype == found.dtype && (!wanted.shape || wanted.shape->size() == found.shape->size());
    for (std::size_t d = 0; fits && wanted.shape && d < wanted.shape->size(); ++d)
      fits = !(*wanted.shape)[d].is_known() || (*wanted.shape)[d] == (*found.shape)[d];
    if (!fits)
      return bad_input(fmt::format("is {}; input {} takes {}", to_string(found), inputs[i].name, to_string(wanted)));
  }
  return {};
}

/// Samples whose reals are numbers: a NaN is named where it comes in, not where it comes out.
class NumberedSamples : public SampleSet {
public:
  NumberedSamples(std::unique_ptr<SampleSet> from, std::vector<InputSpec> inputs)
      : from_(std::move(from)), inputs_(std::move(inputs)) {}
  using SampleSet::rows;
  [[nodiscard]] std::size_t size() const override { return from_->size(); }
  [[nodiscard]] std::string label(std::size_t index) const override { return from_->label(index); }
  [[nodiscard]] std::size_t rows() const override { return from_->rows(); }
  [[nodiscard]] std::size_t batch() const override { return from_->batch(); }
  [[nodiscard]] std::filesystem::path file(std::size_t row) const override { return from_->file(row); }
  [[nodiscard]] std::optional<Image> picture(std::size_t row) const override { return from_->picture(row); }
  [[nodiscard]] std::string description() const override { return from_->description(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    EDGEC_ASSIGN(Sample sample, from_->load(index));
    for (std::size_t i = 0; i < sample.size(); ++i) {
      if (sample[i].dtype != DType::float32) continue;
      const auto values = sample[i].as<float>();
      const auto bad = std::ranges::find_if(values, [](float value) { return std::isnan(value); });
      if (bad != values.end())
        return bad_input(fmt::format("{}: input {} holds NaN (element {}); numbers were expected", label(index),
                                     i < inputs_.size() ? inputs_[i].name : std::to_string(i), bad - values.begin()));
    }
    return sample;
  }

private:
  std::unique_ptr<SampleSet> from_;
  std::vector<InputSpec> inputs_;
};

} // namespace

void DataFlags::declare(Options &options, bool with_labels) {
  labelled = with_labels;
  options.group("Data");
  options.add(
      "--data", "D", &path,
      "samples: a folder of images or of class folders, a CSV, .npy, .npz, a folder of ONNX test data, or 'synthetic'");
  if (with_labels)
    options.add("--labels", "L", &labels,
                "the right answers: a CSV of file,label or .npy (default y of an .npz, column of a CSV)");
  options.add("--preprocess", "P", &preprocess, preprocess_flag_help);
  options.add("--limit", "N", &limit, "at most N samples (default all)").between(1, 1e9);
}

std::vector<InputSpec> input_specs(const Graph &graph) {
  std::vector<InputSpec> specs;
  for (const ValueId id : graph.inputs()) specs.push_back({graph.value(id).name, graph.value(id).type});
  return specs;
}

Result<std::vector<Sample>> first_samples(const Dataset &data, std::size_t count) {
  std::vector<Sample> samples;
  for (const std::size_t index : std::span(data.indices).first(std::min(count, data.indices.size()))) {
    EDGEC_ASSIGN(Sample sample, data.samples->load(index));
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::string values_text(const Sample &sample, std::span<const InputSpec> inputs) {
  std::string text;
  for (std::size_t i = 0; i < sample.size() && i < inputs.size(); ++i) {
    if (sample[i].dtype == DType::string || sample[i].size() == 0) continue;
    const auto values = to_doubles(sample[i]);
    const auto [low, high] = std::ranges::minmax(values);
    text += fmt::format("{}{} {}, values {:.6g} .. {:.6g}", text.empty() ? "" : "; ", inputs[i].name,
                        to_string(Type::of(sample[i])), low, high);
  }
  return text.empty() ? "no numbers" : text;
}

Result<Dataset> open_dataset(const DataFlags &flags, const Graph &graph, std::uint64_t seed) {
  const auto specs = input_specs(graph);
  EDGEC_ASSIGN(const auto preprocess, parse_preprocess(flags.preprocess));
  Dataset data;
  data.path = flags.path;
  data.synthetic = flags.path.starts_with("synthetic");
  EDGEC_ASSIGN(auto samples, open_samples(flags.path, specs, preprocess, seed));
  data.samples = std::make_unique<NumberedSamples>(std::move(samples), specs);
  const std::size_t count = data.samples->size();
  if (count == 0) return bad_input(fmt::format("{}: has no samples", flags.path));
  const std::size_t batch = data.samples->batch();
  const std::size_t wanted = (static_cast<std::size_t>(flags.limit) + batch - 1) / batch;
  const std::size_t used = flags.limit > 0 ? std::min(count, wanted) : count;
  data.indices.resize(used); // calls
  std::iota(data.indices.begin(), data.indices.end(), 0);
  data.rest.resize(count - used);
  std::iota(data.rest.begin(), data.rest.end(), used);
  EDGEC_ASSIGN(const Sample first, data.samples->load(0));
  EDGEC_CHECK(check_sample(first, specs).in(data.samples->label(0)));
  if (!data.synthetic) say(fmt::format("{}: {}", flags.path, values_text(first, specs)));
  log_info(data.samples->description());
  if (flags.labelled) {
    EDGEC_ASSIGN(data.labels, open_labels(flags.labels, flags.path, *data.samples));
    if (data.labels) EDGEC_CHECK(check_labels(*data.labels, class_count(graph)));
    if (data.labels && !data.labels->names.empty())
      say(fmt::format("{}: the labels are the ranks of {} names: {} = 0 .. {} = {}", data.labels->source,
                      data.labels->names.size(), data.labels->names.front(), data.labels->names.back(),
                      data.labels->names.size() - 1));
  }
  std::size_t rows = 0;
  for (const std::size_t index : data.indices) rows += data.samples->rows(index);
  data.description = used == count
                         ? fmt::format("{}, {} samples", flags.path, rows)
                         : fmt::format("{}, the first {} of {} samples", flags.path, rows, data.samples->rows());
  if (!data.synthetic)
    if (const auto doubt = input_warning(data, graph)) warn(fmt::format("{}: {}", flags.path, *doubt));
  return data;
}

Result<Dataset> synthetic_dataset(const Graph &graph, std::size_t count, std::uint64_t seed) {
  DataFlags flags;
  flags.path = fmt::format("synthetic:{}", count);
  return open_dataset(flags, graph, seed);
}

Result<Dataset> made_up_dataset(const Graph &graph, std::size_t count, int threads, Isa isa, std::uint64_t seed) {
  std::vector<MadeUpInput> inputs = guess_inputs(graph);
  const auto pictures = picture_book(std::max(count, std::size_t{32}), seed);
  EDGEC_ASSIGN(const InputScale scale,
               fit_input_scale(
                   graph, all_ops(), inputs,
                   {.pictures = pictures, .logits = find_logits(graph), .threads = threads, .isa = isa, .seed = seed}));
  std::string evidence = scale.evidence;
  if (evidence.empty())
    for (const MadeUpInput &input : inputs)
      evidence += fmt::format("{}{}: {}", evidence.empty() ? "" : "; ", input.spec.name, describe(input));
  Dataset data;
  data.synthetic = true;
  EDGEC_ASSIGN(data.samples, made_up_samples(count, std::move(inputs), pictures, seed));
  EDGEC_CHECK(data.samples->load(0));
  data.indices.resize(count);
  std::iota(data.indices.begin(), data.indices.end(), 0);
  data.description = fmt::format("{} made-up samples ({})", count, evidence);
  log_info(data.samples->description());
  return data;
}

bool excusable(const Error &error, const Dataset &data) {
  return error.code == Code::unsupported || (data.synthetic && error.code != Code::interrupted);
}

} // namespace edgec
