// edgec compress: the main job. Optimizes, then does what the flags ask for, writes the file, reads it back and says
// how faithful it is.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <memory>

#include "cli/command.h"
#include "cli/compressor.h"
#include "cli/console.h"
#include "cli/edit_flags.h"
#include "cli/judgement.h"
#include "cli/rewrite.h"
#include "cli/verification.h"
#include "data/preprocess_help.h"
#include "formats/flat/flat.h"
#include "measure/latency.h"
#include "measure/pareto.h"
#include "ops/registry.h"
#include "schemes/fitting/options.h"
#include "schemes/int8/options.h"
#include "schemes/rate/options.h"
#include "support/cancel.h"
#include "support/file.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

constexpr std::int64_t default_memory = 300'000'000;

struct Arguments {
  std::string model, reference, eval, format, report_path, pareto;
  std::int64_t opset = 0, max_memory = default_memory;
  bool overridable = false, json = false, dry_run = false, latency = false;
  DataFlags calib{.path = {}, .preprocess = {}, .labels = {}, .limit = 200};
  Settings settings; ///< of the schemes
  ScopeFlags scope;
  PassFlags passes;
  EditFlags edits;
  OutputFlags output;
  RunFlags run;

  [[nodiscard]] const RateOptions &budgets() const { return settings.get<RateOptions>(); }
};

constexpr std::int64_t made_up_samples = 100;

bool asks(const Arguments &a, std::string_view scheme) {
  return std::ranges::any_of(wanted_schemes(a.settings), [&](const SchemeDef *wanted) { return wanted->name == scheme; });
}

/// Whether anything but exact passes was asked for.
bool is_lossy(const Arguments &a) { return !wanted_schemes(a.settings).empty(); }

/// What needs samples of its own has some, and what was asked for goes together.
Status check_combination(const Arguments &a) {
  for (const SchemeDef *scheme : wanted_schemes(a.settings)) {
    if (scheme->needs == Needs::data && a.calib.path.empty())
      return usage_error(fmt::format("{}: layers are fitted to samples, give them with --calib", scheme->flag));
    if (scheme->check != nullptr) EDGEC_CHECK(scheme->check(a.settings));
  }
  return {};
}

/// The least opset that has what the flags ask for.
std::int64_t least_opset(const Arguments &a, ModelFormat format) {
  std::int64_t least = 0;
  for (const SchemeDef *scheme : wanted_schemes(a.settings))
    if (scheme->least_opset != nullptr) least = std::max(least, scheme->least_opset(a.settings, format == ModelFormat::flat));
  return least;
}

Result<ReadOptions> reading(const Arguments &a, ModelFormat format) {
  ReadOptions options;
  options.exact_opset = a.opset;
  options.least_opset = least_opset(a, format);
  options.onnx.overridable = a.overridable;
  if (a.opset > 0 && a.opset < options.least_opset)
    return usage_error(
        fmt::format("--opset: {} is too low: what the flags ask for needs {}", a.opset, options.least_opset));
  if (a.opset > 0) options.least_opset = 0;
  return options;
}

CompressRequest request_of(const Arguments &a, ModelFormat format) {
  CompressRequest request;
  request.settings = a.settings;
  request.judge_each = !a.pareto.empty();
  request.max_memory = static_cast<std::size_t>(a.max_memory);
  request.passes = a.passes;
  request.channel_multiple = a.passes.multiple_for(format);
  request.border_nodes = format == ModelFormat::qdq;
  request.threads = a.run.threads();
  request.seed = a.run.seed;
  return request;
}

/// The samples of --calib; else made-up ones, or none where none are needed and the inputs cannot be made up.
Result<Dataset> open_calibration(const Arguments &a, const Graph &graph, Isa isa) {
  DataFlags flags = a.calib;
  flags.labels.clear(); // those are of --eval
  const bool made_up = flags.path.empty() || flags.path == "synthetic";
  if (!made_up) return open_dataset(flags, graph, a.run.seed);
  const auto count = static_cast<std::size_t>(std::min(flags.limit, made_up_samples));
  auto data = is_lossy(a) ? made_up_dataset(graph, count, a.run.threads(), isa, a.run.seed) : synthetic_dataset(graph, count, a.run.seed);
  if (data && is_lossy(a)) warn(fmt::format("NO SAMPLES: without --calib they are {}", data->description));
  if (data || asks(a, "quantize-int8")) return data;
  warn("not verified: " + data.error().message);
  Dataset none;
  none.description = "none";
  return none;
}

/// What the result is measured with; opened before anything is written.
struct Measuring {
  Dataset calibration;
  std::optional<Dataset> evaluation;
  std::optional<Model> other; ///< of --reference
  Model stored;               ///< the input in the opset of its file
  StoredGraph file;           ///< the same, and how it is stored
};

Result<Measuring> open_measuring(const Arguments &a, const Graph &graph, Isa isa) {
  Measuring with;
  EDGEC_ASSIGN(with.calibration, open_calibration(a, graph, isa));
  if (!a.eval.empty()) {
    const DataFlags eval{
        .path = a.eval, .preprocess = a.calib.preprocess, .labels = a.calib.labels, .limit = 0, .labelled = true};
    EDGEC_ASSIGN(with.evaluation, open_dataset(eval, graph, a.run.seed));
  }
  if (!a.reference.empty()) {
    const EditFlags beside = a.edits.beside();
    EDGEC_ASSIGN(with.other, read_model(a.reference, {}, &beside));
  }
  return with;
}

/// Everything after the file was written: what is measured, and the report of it.
Result<Report> measure(const Arguments &a, const Model &source, const Compressed &compressed, const Written &written,
                       const Measuring &with, std::span<const std::string> idle, Isa isa, bool each_layer, ProgressLine &line) {
  Report report;
  report.notes = source.notes;
  report.passes = compressed.passes;
  report.warnings = compressed.outcome.warnings;
  report.warnings.insert(report.warnings.end(), idle.begin(), idle.end());
  report.before = figures_of(measure_sizes(with.stored.graph, all_ops()), with.file, source.source_bytes);
  const GraphSizes sizes = measure_sizes(written.model.graph, all_ops());
  report.after = figures_of(sizes, written.stored, written.bytes);
  if (auto grown = growth_warning(a.model, source, written)) report.warnings.push_back(*std::move(grown));
  report.layers = layer_figures(sizes);
  list_float_nodes(compressed, report);
  const bool other = with.other.has_value();
  const Reference reference{other ? *with.other : with.stored, other ? a.reference : a.model, other};
  const FidelityOptions options{.threads = a.run.threads(), .isa = isa};
  EDGEC_CHECK(verify_written(reference, compressed, written, with.calibration, options, line, report));
  if (with.evaluation) EDGEC_CHECK(evaluate_written(reference, written, *with.evaluation, a.eval, options, line, report));
  if (each_layer) EDGEC_CHECK(measure_layers(source, written, with.calibration, isa, report));
  if (a.latency) line.begin("measuring latency");
  if (a.latency) EDGEC_CHECK(measure_latencies(with.stored, written, with.calibration, options, report));
  return report;
}

/// The curve that the search saw; nothing where there was none.
Status write_pareto(const Arguments &a, const Compressed &compressed) {
  if (a.pareto.empty() || compressed.outcome.curve.empty()) return {};
  Pareto pareto{std::filesystem::path(a.model).filename().string(), {}, {}, {}};
  for (const RatePoint &point : compressed.outcome.curve)
    pareto.points.push_back({point.rate, point.bytes, point.agreement, point.sqnr_db, point.chosen});
  if (a.budgets().max_size) pareto.max_bytes = static_cast<double>(*a.budgets().max_size);
  if (a.budgets().max_drop) pareto.least_agreement = 1 - *a.budgets().max_drop / 100;
  if (a.budgets().min_agreement) pareto.least_agreement = *a.budgets().min_agreement;
  EDGEC_ASSIGN(const std::string text, pareto_text(pareto, a.pareto));
  const ByteView bytes = std::as_bytes(std::span(text));
  return write_file(a.pareto, {&bytes, 1}, a.output.force);
}

Status write_report(const Report &report, const Arguments &a) {
  if (a.report_path.empty()) return {};
  const std::string text = report_json(report);
  const ByteView bytes = std::as_bytes(std::span(text));
  return write_file(a.report_path, {&bytes, 1}, a.output.force);
}

Status check_outputs(const Arguments &a, const std::string &path) {
  constexpr std::string_view report_ending[] = {".json"}, pareto_endings[] = {".json", ".csv", ".svg"};
  if (!a.report_path.empty()) EDGEC_CHECK(check_ending(a.report_path, report_ending).in("--report"));
  if (!a.pareto.empty()) EDGEC_CHECK(check_ending(a.pareto, pareto_endings).in("--pareto"));
  std::vector<std::string> inputs{a.model};
  for (const std::string &input : {a.reference, a.calib.path, a.eval, a.calib.labels}) {
    if (!input.empty()) inputs.push_back(input);
  }
  EDGEC_CHECK(check_output(path, inputs, a.output.force));
  inputs.push_back(path);
  for (const std::string &more : {a.report_path, a.pareto}) {
    if (more.empty()) continue;
    EDGEC_CHECK(check_output(more, inputs, a.output.force));
    inputs.push_back(more);
  }
  return {};
}

/// Everything that takes time.
std::vector<ProgressStep> progress_plan(const Arguments &a, const CompressRequest &request, ModelFormat format) {
  std::vector<ProgressStep> plan{{"reading", 1}};
  std::ranges::copy(steps_of(request), std::back_inserter(plan));
  plan.push_back({"writing", format == ModelFormat::flat ? 4.0 : 1.0});
  plan.push_back({"verifying", 3});
  plan.push_back({"reading back", .5});
  if (!a.eval.empty()) plan.push_back({"evaluating", 4});
  if (a.latency) plan.push_back({"measuring latency", 2});
  return plan;
}

/// Where a search saw that a size cannot be met: what can be.
std::string smallest_text(const BudgetFigures &budget, const Compressed &compressed) {
  if (budget.name != "--max-size" || compressed.outcome.smallest == 0) return {};
  return fmt::format(": the smallest that this network becomes here is about {} bytes; prune or share its weights for less", compressed.outcome.smallest);
}

/// Bytes of the file that a graph becomes.
std::function<Result<std::size_t>(const Graph &)> file_bytes(const Model &source, const EffectiveOptions &effective,
                                                             const CompressRequest &request) {
  return [&](const Graph &graph) -> Result<std::size_t> {
    Model model = source;
    model.graph = graph;
    add_provenance(model, effective, request.seed, request.isa, source.source_sha256);
    EDGEC_ASSIGN(const auto bytes, serialize_flat(model, {.inner_names = false, .threads = request.threads}));
    return bytes.size();
  };
}

/// What the user is told at the end; whether everything that was asked for was met.
bool tell(const Arguments &a, const Report &report, const Compressed &compressed, const std::string &path, bool verbose,
          bool done) {
  if (a.passes.time_passes) say(pass_times(report.passes));
  if (path != "-") a.json ? print(report_json(report)) : print_report(report_text(report, verbose, output_width()));
  for (const std::string &text : report.warnings) (done ? warn : miss)(text);
  for (const BudgetFigures &budget : report.budgets) {
    if (!budget.met)
      miss(fmt::format("BUDGET MISSED: {} {:.10g} was asked, {:.10g} was found; {} is written all the same{}", budget.name,
                       budget.limit, budget.found, path, smallest_text(budget, compressed)));
  }
  return done;
}

/// The recipe: read, rewrite, write, verify, report.
Result<Outcome> run(Arguments &a, const Options &options) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string path =
      a.output.path.empty() ? default_output(a.model, a.format == "flat" ? ".edgec" : ".edgec.onnx") : a.output.path;
  EDGEC_ASSIGN(const ModelFormat format, output_format(path, a.format));
  a.format = name_of(format);
  a.settings.edit<Int8Options>().integer_results = format == ModelFormat::qoperator;
  EDGEC_CHECK(check_combination(a));
  EDGEC_CHECK(a.passes.check());
  CompressRequest request = request_of(a, format);
  const EffectiveOptions effective = options.effective();
  EDGEC_CHECK(check_outputs(a, path));
  for (const std::string &sentence : options.idle()) warn(sentence);
  ProgressLine line(progress_plan(a, request, format));
  request.progress = &line;
  line.begin("reading");
  EDGEC_ASSIGN(request.isa, a.run.isa());
  EDGEC_ASSIGN(const ReadOptions reading_options, reading(a, format));
  StoredGraph stored; // what the result is measured against
  EDGEC_ASSIGN(const Model source, read_model(a.model, reading_options, &a.edits, &stored));
  EDGEC_CHECK(check_weights(source.graph).in(a.model));
  EDGEC_ASSIGN(request.scope, a.scope.scope(source.graph));
  EDGEC_ASSIGN(Measuring with, open_measuring(a, source.graph, request.isa));
  const bool verbose = options.given("--verbose");
  if (a.dry_run) {
    print(fmt::format("{}, {} -> {}\nsamples {}\noptions {}\n{}", a.model, bytes_text(source.source_bytes), path,
                      with.calibration.description, options_text(effective), plan_text(plan_of(request), verbose)));
    return Outcome::done;
  }
  with.file = std::move(stored);
  with.stored = source;
  with.stored.graph = with.file.graph;
  request.cross_fit = with.calibration.rest.empty() && (!with.calibration.synthetic || rounds_weights(a.settings));
  if (!with.calibration.samples) request.settings.edit<FitOptions>().set_effort("fast");
  log_info(fmt::format("plan: {}; samples {}", options_text(effective), with.calibration.description));

  if (format == ModelFormat::flat) request.file_bytes = file_bytes(source, effective, request);
  if (with.other) request.reference = &with.other->graph;
  EDGEC_ASSIGN(const Compressed compressed, compress(source.graph, request, with.calibration));
  Model result = source;
  result.graph = compressed.graph;
  add_provenance(result, effective, a.run.seed, request.isa, source.source_sha256);
  EDGEC_CHECK(check_interrupted());
  line.begin("writing");
  const bool inner_names = !(rounds_weights(a.settings) && format == ModelFormat::flat);
  EDGEC_ASSIGN(const Written written, write_and_read_back(result, path, format, a.output.force, inner_names));

  const bool each_layer = a.json || !a.report_path.empty() || verbose;
  const std::vector<std::string> idle = idle_passes(compressed);
  EDGEC_ASSIGN(Report report, measure(a, source, compressed, written, with, idle, request.isa, each_layer, line));
  report.provenance = provenance_of("compress", effective, a.run.seed, request.isa, a.model, source, written);
  const bool met = judge_budgets(a.budgets(), report) && idle.empty();
  if (compressed.outcome.interrupted) report.warnings.push_back("INTERRUPTED: the search was stopped; this is the best that it had found");
  const bool pruned = options.holds("prune|prune-channels|max-macs");
  judge_quality(asks(a, "quantize-int8"), pruned, report);
  for (const SchemeDef *scheme : wanted_schemes(a.settings))
    if (!scheme->only_flat.empty() && format != ModelFormat::flat)
      report.next.push_back(fmt::format("-o OUT.edgec: {}", scheme->only_flat));
  report.peak_memory_bytes = peak_memory_bytes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EDGEC_CHECK(write_report(report, a));
  EDGEC_CHECK(write_pareto(a, compressed));
  const bool done = tell(a, report, compressed, path, verbose, met && !compressed.outcome.interrupted);
  return done ? Outcome::done : compressed.outcome.interrupted ? Outcome::interrupted : Outcome::missed;
}

void declare_data(Options &options, Arguments &a) {
  options.group("Data");
  options.add(
      "--calib", "D", &a.calib.path,
      "samples: a folder of images or of class folders, a CSV, .npy, .npz, a folder of ONNX test data, or 'synthetic'");
  options.add("--calib-limit", "N", &a.calib.limit, "at most N samples").between(1, 1e9).records([&a] {
    return is_lossy(a) ? fmt::to_string(a.calib.limit) : std::string();
  });
  options.add("--preprocess", "P", &a.calib.preprocess, preprocess_flag_help).needs("calib|eval");
  options.add("--eval", "D", &a.eval, "samples to measure accuracy on, before and after");
  options.add("--labels", "L", &a.calib.labels,
              "their right answers: a CSV of file,label or .npy (default y of an .npz, column of a CSV)")
      .needs("eval");
  options.add("--reference", "R", &a.reference, "compare with this network instead of the input");
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  Arguments &a = *arguments;
  options.argument("MODEL", &a.model, "the network, .onnx or .edgec");
  declare_schemes(options, a.settings);
  declare_data(options, a);
  options.add("--pareto", "FILE", &a.pareto, "write the sizes and losses that the search saw: .json, .csv or .svg")
      .needs("without a search: give --max-size or --max-drop", [&a] { return rounds_weights(a.settings); });
  options
      .add("--max-memory", "SIZE", &a.max_memory,
           "hold no more of the samples' values in memory than fits with the rest; others go to a temporary file")
      .between(0, 1e15)
      .in(Unit::bytes)
      .needs("lossy");
  options.flag("--latency", &a.latency, "also measure one-thread latency before and after");
  options.group("Output");
  options.flag("--overridable", &a.overridable, "keep weights that are also graph inputs as inputs").records();
  a.scope.declare(options);
  a.passes.declare(options);
  a.output.declare(options, "the file to write (default STEM.edgec.onnx in the current folder)");
  options.add("--format", "FORMAT", &a.format, "how to write it (default qdq; flat for a name in .edgec)")
      .one_of({"qdq", "qoperator", "flat"})
      .needs("as qoperator without --int8", [&] { return a.format != "qoperator" || asks(a, "quantize-int8"); })
      .records();
  options
      .add("--opset", "N", &a.opset,
           "write this version of ONNX's operators (default the input's, raised as far as needed)")
      .between(1, 1000)
      .records();
  options.add("--report", "FILE.json", &a.report_path, "write the report as JSON");
  options.flag("--json", &a.json, "print the report as JSON");
  options.flag("--dry-run", &a.dry_run, "read everything, say what would be done and stop; -v lists every pass");
  a.edits.declare(options);
  a.run.declare(options);
  return [arguments, &options] { return run(*arguments, options); };
}

} // namespace

extern const CommandDef compress;
const CommandDef compress{
    "compress", "Make a network small: optimize, prune, share weights, quantize; verify the file written",
    "  edgec compress model.onnx --int8 --calib images/ --preprocess imagenet\n"
    "  edgec compress model.onnx -o model.edgec --int8 --prune 0.5 --calib x.npz --eval test.npz\n"
    "  edgec compress model.onnx --share 4 --max-drop 1 --eval test.npz --report report.json\n",
    declare};

} // namespace edgec::commands
