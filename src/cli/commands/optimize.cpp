// edgec optimize: exact graph rewrites only; outputs do not change.
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "job/dataset.h"
#include "job/edit_flags.h"
#include "job/pass_flags.h"
#include "job/proof.h"
#include "job/rewrite.h"
#include "job/traces.h"
#include "measure/latency.h"
#include "ops/registry.h"
#include "runtime/parts.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string model, format;
  std::int64_t opset = 0, max_memory = 0;
  std::vector<std::string> recognize;
  bool overridable = false, json = false, dry_run = false, verbose = false;
  double rtol = exact_tolerance;
  OutputFlags output;
  EditFlags edits;
  DataFlags data;
  PassFlags passes;
  RunFlags run;
};

constexpr std::size_t synthetic_samples = 4;

/// The samples of --data; else a few synthetic ones, or none where the inputs are of a kind that cannot be made up.
Result<Dataset> open_data(const Arguments &arguments, const Graph &graph, Report &report) {
  if (!arguments.data.path.empty()) return open_dataset(arguments.data, graph, arguments.run.seed);
  auto data = synthetic_dataset(graph, synthetic_samples, arguments.run.seed);
  if (data) return data;
  report.unverified = data.error().message;
  return Dataset{};
}

constexpr std::size_t part_bytes = std::size_t{64} << 20;

/// Bytes that verification may take: --max-memory, else what fits beside weights that are mapped once.
std::uint64_t most_memory(const Arguments &arguments, std::uint64_t weights) {
  if (arguments.max_memory > 0) return static_cast<std::uint64_t>(arguments.max_memory);
  return weights + weights / 5 + (std::uint64_t{300} << 20);
}

/// The exact pipeline, and the passes that --recognize adds to it.
std::vector<const PassDef *> pipeline_of(const Arguments &arguments) {
  const auto usual = exact_pipeline();
  std::vector<const PassDef *> passes(usual.begin(), usual.end());
  const auto place = std::ranges::find(passes, find_pass("recognize-softmax")); // whose result it looks for
  for (const std::string &name : arguments.recognize) passes.insert(place + 1, find_pass("recognize-" + name));
  return passes;
}

/// The names of the passes that would run.
std::vector<std::string> plan_of(const Arguments &arguments) {
  std::vector<std::string> names;
  for (const PassDef *pass : pipeline_of(arguments)) {
    if (std::ranges::find(arguments.passes.skip, pass->name) != arguments.passes.skip.end()) continue;
    names.emplace_back(pass->name);
    if (pass->name == arguments.passes.stop_after) break;
  }
  return names;
}

/// Says of each flag that had no effect that it had none; true: all had.
bool warn_of_unrecognized(const Arguments &arguments, const Graph &graph, Report &report) {
  bool all = true;
  for (const std::string &name : arguments.recognize) {
    const auto pass = std::ranges::find(report.passes, "recognize-" + name, &PassFigures::name);
    if (pass != report.passes.end() && pass->changed) continue;
    report.warnings.push_back(fmt::format("--recognize {}: nothing was found{}", name,
                                          graph.opset() < 23 ? "; the operator needs --opset 23" : ""));
    all = false;
  }
  return all;
}

struct Job {
  const Arguments &arguments;
  const Model &source;
  const Dataset &data;
  FidelityOptions running;
  std::string path;
  const FormatDef *format;
  ProgressLine &line;
};

/// The written file against the input; nothing where the network cannot be run, or not on made-up inputs.
Result<std::optional<MeasuredFidelity>> verify(const Job &job, const Model &result, Report &report) {
  const Dataset &data = job.data;
  if (!data.samples) return std::optional<MeasuredFidelity>();
  FidelityOptions options = job.running;
  options.indices = data.indices;
  options.step = job.line.counter("verifying", data.indices.size());
  auto fidelity = measure_fidelity(&job.source.graph, result.graph, all_ops(), *data.samples, options);
  if (fidelity)
    return std::optional(MeasuredFidelity{*fidelity, data.description, job.arguments.model, data.synthetic});
  if (!excusable(fidelity.error(), data) && fidelity.error().code != Code::resource) return std::move(fidelity).error();
  report.unverified = fidelity.error().message;
  return std::optional<MeasuredFidelity>();
}

/// What one run of the passes gave, and which of its outputs is not what it was.
struct Attempt {
  PipelineReport passes;
  Written written;
  std::optional<MeasuredFidelity> verified;
  std::optional<std::string> moved;
};

/// Runs the passes (each checked against the source, or not), writes the result and verifies what was written.
Result<Attempt> attempt(const Job &job, bool checked, bool force, Report &report) {
  const Arguments &arguments = job.arguments;
  const auto pipeline = pipeline_of(arguments);
  const PassContext context{.ops = all_ops(), .channel_multiple = arguments.passes.multiple_for(*job.format)};
  const PipelineOptions options = arguments.passes.pipeline_options(names_of(pipeline));
  const Proof proof{job.source.graph, job.data, job.running, arguments.rtol};
  Model result = job.source;
  const auto run_passes = [&] {
    if (checked) return run_checked(result.graph, pipeline, context, options, proof, report.warnings);
    if (job.path == "-") return run_proven(result.graph, pipeline, context, options, proof, report.warnings);
    return run_pipeline(result.graph, pipeline, context, options); // verified when it is written
  };
  Attempt done;
  job.line.begin("rewriting");
  EDGEC_ASSIGN(done.passes, run_passes());
  job.line.begin("writing");
  EDGEC_ASSIGN(done.written, write_and_read_back(result, job.path, *job.format, {.force = force}));
  EDGEC_ASSIGN(done.verified, verify(job, done.written.model, report));
  if (done.verified) done.moved = moved_output(job.source.graph, done.verified->fidelity, arguments.rtol);
  return done;
}

/// Where an output has moved, the passes run again, each checked, and the guilty one is left out.
Result<Attempt> optimize_and_verify(const Job &job, Report &report) {
  const bool check_each = job.arguments.passes.check_each, force = job.arguments.output.force;
  Unverified file(job.path);
  EDGEC_ASSIGN(Attempt done, attempt(job, check_each, force, report));
  if (done.moved && !check_each && job.path != "-") {
    EDGEC_ASSIGN(done, attempt(job, true, true, report)); // the file that it replaces is the first attempt's
  }
  file.keep();
  if (done.moved) report.warnings.push_back(*done.moved + ": this must not be; please report it");
  return done;
}

Result<Outcome> run(const Arguments &arguments, const EffectiveOptions &recorded) {
  const auto begin = std::chrono::steady_clock::now();
  EDGEC_CHECK(arguments.passes.check());
  const std::string path =
      arguments.output.path.empty() ? default_output(arguments.model, ".optimized.onnx") : arguments.output.path;
  EDGEC_ASSIGN(const FormatDef *format, output_format(path, arguments.format));
  const std::vector<std::string> inputs{arguments.model};
  EDGEC_CHECK(check_output(path, inputs, arguments.output.force));
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  ProgressLine line({{"reading", 1}, {"rewriting", 4}, {"writing", format->coded ? 10.0 : 1.0}, {"verifying", 2}});
  line.begin("reading");
  ReadOptions reading;
  reading.exact_opset = arguments.opset;
  reading.onnx.overridable = arguments.overridable;
  StoredGraph stored;
  EDGEC_ASSIGN(Model source, read_model(arguments.model, reading, &arguments.edits, &stored));
  leave_out_traces(source.graph);
  if (arguments.format.empty() && format->border_nodes && source.qoperator) format = find_format("qoperator");
  Report report;
  report.notes = source.notes;
  EDGEC_ASSIGN(const Dataset data, open_data(arguments, source.graph, report));
  if (arguments.dry_run) {
    print(fmt::format("{}, {} -> {}\nsamples {}\n{}", arguments.model, bytes_text(source.source_bytes), path,
                      data.samples ? data.description : "none", plan_text(plan_of(arguments), arguments.verbose)));
    return Outcome::done;
  }
  const std::uint64_t weights = constant_bytes(source.graph), most = most_memory(arguments, weights);
  const PartOptions parts{.isa = isa, .weight_bytes = part_bytes, .most_bytes = most - std::min(most, weights)};
  const bool large = 3 * weights > most; // the file's, and each network's packed for its kernels
  const FidelityOptions running{
      .threads = large ? 1 : arguments.run.threads(), .isa = isa, .parts = large ? &parts : nullptr};
  EDGEC_ASSIGN(const Attempt result,
               optimize_and_verify({arguments, source, data, running, path, format, line}, report));
  const Written &written = result.written;
  report.passes = pass_figures(result.passes);
  const bool recognized = warn_of_unrecognized(arguments, written.model.graph, report);
  report.verified = result.verified;
  report.provenance = provenance_of("optimize", recorded, arguments.run.seed, isa, arguments.model, source, written);
  report.before = figures_of(measure_sizes(source.graph, all_ops(), false), stored, source.source_bytes);
  report.after = figures_of(measure_sizes(written.model.graph, all_ops(), false), written.stored, written.bytes);
  if (auto grown = growth_warning(arguments.model, source, written)) report.warnings.push_back(*std::move(grown));
  report.peak_memory_bytes = peak_memory_bytes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (arguments.passes.time_passes) fmt::print(stderr, "{}", pass_times(report.passes, output_width()));
  if (path != "-")
    arguments.json ? print(report_json(report)) : print_report(report_text(report, arguments.verbose, output_width()));
  for (const std::string &text : report.warnings) result.moved ? miss(text) : warn(text);
  return result.moved || !recognized ? Outcome::missed : Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("MODEL", &arguments->model, "the network, .onnx or .edgec");
  arguments->output.declare(options, "the file to write (default STEM.optimized.onnx in the current folder)");
  options
      .add("--format", "FORMAT", &arguments->format, "how to write it (default as it was; flat for a name in .edgec)")
      .one_of(format_names());
  options.add("--opset", "N", &arguments->opset, "write this version of ONNX's operators (default that of the input)")
      .between(1, 1000);
  options.flag("--overridable", &arguments->overridable, "keep weights that are also graph inputs as inputs");
  options
      .add("--recognize", "NAME", &arguments->recognize,
           "also find operators that few runtimes have a fast form of: attention (opset 23)")
      .one_of({"attention"})
      .split(',');
  options.flag("--json", &arguments->json, "print the report as JSON");
  options.flag("--dry-run", &arguments->dry_run,
               "read everything, say what would be done and stop; -v lists every pass");
  arguments->edits.declare(options);
  arguments->data.declare(options, false);
  options
      .add("--rtol", "X", &arguments->rtol, "an output may change by so much of its largest element; more is status 1")
      .between(0, 1);
  arguments->passes.declare(options);
  arguments->run.declare(options);
  options
      .add("--max-memory", "SIZE", &arguments->max_memory,
           "verify with no more memory than this, in parts; what takes more is not verified (default 1.2 times the "
           "weights plus 300 MB)")
      .between(0, 1e15)
      .in(Unit::bytes);
  return [arguments, &options] {
    arguments->verbose = options.given("--verbose");
    return run(*arguments, options.effective());
  };
}

} // namespace

extern const CommandDef optimize;
const CommandDef optimize{"optimize", "Rewrite a network exactly: fold, fuse and eliminate; its outputs do not change",
                          "  edgec optimize model.onnx -o smaller.onnx\n", declare};

} // namespace edgec::commands
