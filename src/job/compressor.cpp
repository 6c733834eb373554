#include "job/compressor.h"

#include <algorithm>
#include <iterator>

#include "job/proof.h"
#include "ops/registry.h"
#include "runtime/parts.h"
#include "schemes/fitting/weights.h"
#include "schemes/half/widened.h"
#include "schemes/int8/uncoded.h"

namespace edgec {
namespace {

bool contains(const std::vector<std::string> &names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Bytes of samples' values that fit beside the program, both networks (with weights packed for kernels), what each
/// tensor takes, and the second moments of the widest layer.
std::size_t value_memory(const Graph &graph, std::size_t most) {
  constexpr std::size_t program = std::size_t{64} << 20, per_tensor = std::size_t{64} << 10, copies = 4;
  constexpr std::size_t least = std::size_t{16} << 20;
  std::size_t taken = program + copies * constant_bytes(graph), widest = 0;
  for (const NodeId id : graph.nodes()) taken += graph.node(id).outputs.size() * per_tensor;
  for (const WeightTensor &weight : float_weights(graph, Job{{.ops = all_ops()}}, {})) {
    const Tensor &data = *graph.constant(weight.value);
    const std::int64_t rows = data.dims[static_cast<std::size_t>(weight.readers.front().info.channel_axis)];
    widest = std::max(widest, static_cast<std::size_t>(data.size() / std::max<std::int64_t>(rows, 1)));
  }
  taken += copies * widest * widest * sizeof(double);
  return std::max(most - std::min(most, taken), least);
}

class Compressor {
public:
  Compressor(const Graph &source, const CompressRequest &request, const Dataset &data)
      : request_(request), data_(data), schemes_(wanted_schemes(request.settings)),
        job_(job_of(source)), result_{source, {}, {}} {}

  Result<Compressed> run() {
    EDGEC_CHECK(widen_network());
    EDGEC_CHECK(run_exact());
    if (request_.coded.uncodes && !stopped_) EDGEC_CHECK(uncode_network());
    EDGEC_CHECK(run_phase(Phase::structure));
    const Graph original = result_.graph; // shares its tensors
    job_.original = &original;
    EDGEC_CHECK(run_phase(Phase::weights));
    if (of(Phase::weights).empty()) job_.original = nullptr; // the graph itself
    EDGEC_CHECK(run_phase(Phase::numbers));
    EDGEC_CHECK(run_exact());
    return std::move(result_);
  }

private:
  const CompressRequest &request_;
  const Dataset &data_;
  std::vector<const SchemeDef *> schemes_;
  Job job_;
  Compressed result_;
  std::shared_ptr<const Graph> trained_; // SchemeReport
  bool stopped_ = false;                 // --stop-after was reached
  KeptCodes kept_;

  /// Its float32 form, which answers as it does but for the last bits.
  Status widen_network() {
    job_.original_answers = job_.original_answers && request_.widened.empty();
    return widen(result_.graph, all_ops(), request_.widened);
  }

  /// The reals of a network of codes, which answer as it does but for the last bits.
  Status uncode_network() {
    const CodedInput &coded = request_.coded;
    EDGEC_ASSIGN(kept_, uncode(result_.graph, all_ops(), coded.frees ? Saturation::freed : Saturation::kept));
    if (coded.keeps) job_.kept = &kept_;
    job_.original_answers = false;
    return {};
  }

  [[nodiscard]] Job job_of(const Graph &source) const {
    Job job{{.ops = all_ops(), .channel_multiple = request_.channel_multiple}};
    job.settings = request_.settings;
    job.scope = request_.scope;
    job.calibration = data_.samples.get();
    job.samples = data_.indices;
    job.more_samples.assign(data_.more().begin(), data_.more().end());
    job.labels = data_.labels ? &data_.labels->classes : nullptr;
    job.made_up = data_.synthetic;
    job.ranges = request_.ranges;
    job.reference = request_.reference != nullptr ? request_.reference : &source;
    job.reference_outputs = std::make_shared<const ReferenceOutputs>();
    job.original_answers = request_.reference == nullptr && of(Phase::structure).empty();
    job.cross_fit = request_.cross_fit;
    job.judge_each = request_.judge_each;
    job.evaluation = request_.evaluation;
    job.border_nodes = request_.border_nodes;
    job.file_bytes = request_.file_bytes;
    job.threads = request_.threads;
    job.isa = request_.isa;
    job.seed = request_.seed;
    job.memory = value_memory(source, request_.max_memory);
    if (ProgressSink *line = request_.progress) {
      job.progress = [line](std::string_view what, std::size_t done, std::size_t all) { line->show(what, done, all); };
      job.stages = [line](std::string_view what, std::size_t done, std::size_t all) { line->stage(what, done, all); };
    }
    return job;
  }

  [[nodiscard]] std::vector<const SchemeDef *> of(Phase phase) const {
    std::vector<const SchemeDef *> found;
    std::ranges::copy_if(schemes_, std::back_inserter(found),
                         [&](const SchemeDef *scheme) { return scheme->phase == phase; });
    return found;
  }

  Status run_phase(Phase phase) {
    const auto schemes = of(phase);
    if (stopped_ || schemes.empty()) return {};
    const auto names = names_of(schemes);
    EDGEC_ASSIGN(SchemeReport report,
                 run_schemes(result_.graph, schemes, job_, request_.passes.pipeline_options(names)));
    if (report.trained) trained_ = std::move(report.trained), job_.original = trained_.get();
    result_.outcome.add(std::move(report.outcome));
    return finish(names, report.passes);
  }

  /// Exact passes are proven on the first samples.
  Status run_exact() {
    if (stopped_) return {};
    if (request_.progress) request_.progress->begin("rewriting");
    constexpr std::size_t few = 4;
    const Graph before = result_.graph;
    FidelityOptions running{.threads = request_.threads, .isa = request_.isa};
    running.indices = std::span(data_.indices).first(std::min(few, data_.indices.size()));
    const Proof proof{before, data_, running};
    const auto run = request_.passes.check_each ? run_checked : run_proven;
    const auto names = names_of(exact_pipeline());
    EDGEC_ASSIGN(const PipelineReport report,
                 run(result_.graph, exact_pipeline(), job_, request_.passes.pipeline_options(names), proof,
                     result_.outcome.warnings));
    return finish(names, report);
  }

  Status finish(std::span<const std::string_view> passes, const PipelineReport &report) {
    stopped_ = request_.passes.stops_in(passes);
    for (PassFigures &pass : pass_figures(report)) merge(std::move(pass));
    return {};
  }

  /// A pass that ran before and after the schemes is one line of the report.
  void merge(PassFigures pass) {
    const auto found = std::ranges::find(result_.passes, pass.name, &PassFigures::name);
    if (found == result_.passes.end()) {
      result_.passes.push_back(std::move(pass));
      return;
    }
    found->changed = found->changed || pass.changed;
    found->seconds += pass.seconds;
    found->notes.insert(found->notes.end(), pass.notes.begin(), pass.notes.end());
  }
};

} // namespace

std::vector<std::string> plan_of(const CompressRequest &request) {
  const auto exact = names_of(exact_pipeline()), schemes = names_of(wanted_schemes(request.settings));
  std::vector<std::string> names;
  for (const auto &part : {exact, schemes, exact})
    for (const std::string_view name : part) {
      if (contains(request.passes.skip, name)) continue;
      names.emplace_back(name);
      if (name == request.passes.stop_after) return names;
    }
  return names;
}

std::vector<ProgressStep> steps_of(const CompressRequest &request) {
  Job job{{.ops = all_ops()}};
  job.settings = request.settings;
  job.cross_fit = request.cross_fit;
  std::vector<ProgressStep> steps{{"rewriting", 2}};
  for (const SchemeDef *scheme : wanted_schemes(request.settings))
    if (scheme->steps != nullptr)
      for (const SchemeStep &step : scheme->steps(job)) steps.push_back({step.what, step.weight});
  steps.push_back({"rewriting", 1});
  return steps;
}

Result<Compressed> compress(const Graph &source, const CompressRequest &request, const Dataset &data) {
  return Compressor(source, request, data).run();
}

} // namespace edgec
