// edgec compress: the main job. Optimizes, then does what the flags ask for, writes the file, reads it back and says
// how faithful it is.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <memory>

#include "cli/command.h"
#include "cli/compressor.h"
#include "cli/console.h"
#include "cli/edit_flags.h"
#include "cli/judgement.h"
#include "cli/number.h"
#include "cli/rewrite.h"
#include "cli/verification.h"
#include "data/preprocess_help.h"
#include "formats/flat/flat.h"
#include "measure/latency.h"
#include "measure/pareto.h"
#include "ops/registry.h"
#include "support/cancel.h"
#include "support/file.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

constexpr std::int64_t default_memory = 300'000'000;

struct Arguments {
  std::string model, reference, eval, format, report_path, pareto, prune_scope = "auto", prune_mask = "second-order", prune_text;
  std::optional<double> prune, prune_channels, max_macs, low_rank, share_hash, rate;
  std::int64_t share = 0, opset = 0, max_memory = default_memory;
  bool int8 = false, no_bias_correction = false, overridable = false, json = false, dry_run = false;
  bool latency = false;
  int prune_n = 0, prune_m = 0;
  std::string share_codebook = "tensor", range = "percentile", effort = "default", equalize = "auto";
  std::int64_t weight_bits = 8, input_bits = 8;
  double percentile = 99.999, low_rank_sqnr = 30;
  DataFlags calib{.path = {}, .preprocess = {}, .labels = {}, .limit = 200};
  ScopeFlags scope;
  PassFlags passes;
  BudgetFlags budgets;
  EditFlags edits;
  OutputFlags output;
  RunFlags run;

  /// A rate, or a budget and no other lossy flag, or a size that integer codes or split layers are to meet.
  [[nodiscard]] bool rounds_weights() const {
    const bool budget = budgets.max_size || budgets.max_drop;
    return rate || (budget && !prune && !prune_channels && !max_macs && !low_rank && !share_hash && share == 0 && !int8) || ((int8 || low_rank) && budgets.max_size);
  }
};

constexpr std::int64_t made_up_samples = 100;

/// Whether pruning and sharing fit weights to samples, given or made up.
bool refits(const Arguments &a) { return a.effort != "fast"; }

/// "0.5" or "2:4".
Status parse_prune(Arguments &a) {
  const std::string_view text = a.prune_text;
  if (text.empty()) return {};
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    const auto n = number<int>(text.substr(0, colon)), m = number<int>(text.substr(colon + 1));
    if (!n || !m || *n < 1 || *m <= *n || *m > 64)
      return usage_error(fmt::format("--prune: {} is no N:M with 1 <= N < M <= 64", text));
    if (!refits(a)) return usage_error(fmt::format("--prune {} fits what is left: it cannot be combined with --effort fast", text));
    a.prune_n = *n;
    a.prune_m = *m;
    a.prune = 1 - static_cast<double>(*n) / *m;
    return {};
  }
  const auto ratio = parse_fraction(text);
  if (!ratio || !(*ratio >= 0 && *ratio <= 1))
    return usage_error(fmt::format("--prune: {} is not a fraction in [0 - 1], as 0.5 or 50%, nor N:M", text));
  a.prune = *ratio;
  a.prune_text = fmt::format("{}", *ratio);
  return {};
}

/// What needs samples has some, and what was asked for goes together.
Status check_combination(const Arguments &a) {
  for (const auto &[flag, given] : {std::pair{"--low-rank", a.low_rank.has_value()}, {"--share-hash", a.share_hash.has_value()},
                                   {"--share-codebook network", a.share > 0 && a.share_codebook == "network"}})
    if (given && a.calib.path.empty()) return usage_error(fmt::format("{}: layers are fitted to samples, give them with --calib", flag));
  if (a.int8 && a.input_bits == 16 && a.format == "qoperator")
    return usage_error("--input-bits 16: operators in integer form (--format qoperator) read 8 bits");
  if (a.share_hash && (a.int8 || a.prune || a.share > 0 || a.rate))
    return usage_error("--share-hash: stored values stand for weights anywhere in a layer, which --int8, --prune, --share and --rate would part");
  return {};
}

/// Whether anything but exact passes was asked for.
bool is_lossy(const Arguments &a) {
  return a.int8 || a.prune || a.prune_channels || a.max_macs || a.low_rank || a.share_hash || a.share > 0 || a.rounds_weights();
}

/// The options that affect the bytes, as effective; neither paths nor threads.
EffectiveOptions effective_options(const Arguments &a, ModelFormat format) {
  EffectiveOptions options;
  const auto add = [&](const char *key, std::string value) { options.emplace_back(key, std::move(value)); };
  if (a.prune) add("prune", a.prune_text);
  const bool refit = a.prune && refits(a), shares_out = a.prune && a.prune_m == 0;
  if (shares_out) add("prune-scope", a.prune_scope == "auto" && !refit ? "global" : a.prune_scope);
  if (refit) add("prune-mask", a.prune_mask);
  if (a.prune_channels) add("prune-channels", fmt::format("{}", *a.prune_channels));
  if (a.max_macs) add("max-macs", fmt::format("{}", *a.max_macs));
  if (a.low_rank) add("low-rank", fmt::format("{}", *a.low_rank));
  if (a.low_rank) add("low-rank-sqnr", fmt::format("{}", a.low_rank_sqnr));
  if (a.share > 0) add("share", fmt::to_string(a.share));
  if (a.share > 0 && a.share_codebook != "tensor") add("share-codebook", a.share_codebook);
  if (a.share_hash) add("share-hash", fmt::format("{}", *a.share_hash));
  if (a.int8) add("int8", "true");
  if (a.int8) add("range", a.range);
  if (a.int8 && a.range == "percentile") add("percentile", fmt::format("{}", a.percentile));
  if (a.int8 && a.no_bias_correction) add("no-bias-correction", "true");
  if (a.int8 || (is_lossy(a) && a.effort != "default")) add("effort", a.effort);
  if (a.int8 && a.effort != "fast") add("equalize", a.equalize);
  if (a.rounds_weights()) {
    if (a.rate) add("rate", fmt::format("{}", *a.rate));
    else if (a.budgets.max_size) add("max-size", fmt::to_string(*a.budgets.max_size));
    else add("max-drop", fmt::format("{}", *a.budgets.max_drop));
  }
  if (a.int8 && a.input_bits != 8) add("input-bits", fmt::to_string(a.input_bits));
  if (a.int8 && a.weight_bits != 8) add("weight-bits", fmt::to_string(a.weight_bits));
  if (is_lossy(a)) add("calib-limit", fmt::to_string(a.calib.limit));
  if (a.overridable) add("overridable", "true");
  for (const std::string &text : a.scope.include) add("include", text);
  for (const std::string &text : a.scope.exclude) add("exclude", text);
  if (!a.scope.op_types.empty()) add("op-types", fmt::format("{}", fmt::join(a.scope.op_types, ",")));
  if (a.passes.channel_multiple > 0) add("channel-multiple", fmt::to_string(a.passes.channel_multiple));
  for (const std::string &text : a.passes.skip) add("skip-pass", text);
  if (!a.passes.stop_after.empty()) add("stop-after", a.passes.stop_after);
  add("format", format == ModelFormat::flat ? "flat" : format == ModelFormat::qoperator ? "qoperator" : "qdq");
  if (a.opset > 0) add("opset", fmt::to_string(a.opset));
  for (auto &[key, value] : a.edits.effective()) options.emplace_back(key, value);
  return options;
}

/// Says of each flag that could not have an effect why not.
void warn_of_idle_flags(const Arguments &a, const Options &options, ModelFormat format) {
  const bool lossy = is_lossy(a);
  const auto idle = [&](const char *flag, bool no_effect, const char *reason) {
    if (no_effect && options.given(flag)) warn(fmt::format("{} has no effect {}", flag, reason));
  };
  idle("--prune-scope", !a.prune || a.prune_m > 0, "without --prune R");
  idle("--prune-mask", !a.prune || !refits(a), "without --prune, or with --effort fast");
  idle("--share-codebook", a.share == 0, "without --share");
  idle("--low-rank-sqnr", !a.low_rank, "without --low-rank");
  if (a.share_hash && format != ModelFormat::flat) warn("--share-hash: an .onnx file stores every weight; only .edgec gets smaller");
  idle("--range", !a.int8, "without --int8");
  idle("--effort", !a.int8 && !a.prune && a.share == 0, "without --int8, --prune or --share");
  idle("--equalize", !a.int8 || a.effort == "fast", "without --int8 or with --effort fast");
  idle("--weight-bits", !a.int8, "without --int8");
  idle("--input-bits", !a.int8, "without --int8");
  idle("--percentile", !a.int8 || a.range != "percentile", "without --int8 --range percentile");
  idle("--no-bias-correction", !a.int8, "without --int8");
  idle("--include", !lossy, "without --int8, --prune or --share");
  idle("--exclude", !lossy, "without --int8, --prune or --share");
  idle("--op-types", !lossy, "without --int8, --prune or --share");
  idle("--pareto", !a.rounds_weights(), "without a search: give --max-size or --max-drop");
  idle("--max-memory", !lossy, "without --int8, --prune, --share or a budget");
  idle("--labels", a.eval.empty(), "without --eval");
  idle("--preprocess", a.calib.path.empty() && a.eval.empty(), "without --calib or --eval");
  idle("--format", a.format == "qoperator" && !a.int8, "as qoperator without --int8");
}

std::int64_t least_opset(const Arguments &a, ModelFormat format) {
  if (a.share > 0 && a.share <= 4 && format != ModelFormat::flat) return 21; // 4-bit tensors
  if (a.int8 && (a.weight_bits == 4 || a.input_bits == 16)) return 21;
  return a.int8 || a.rounds_weights() ? 13 : 0;                                                    // QuantizeLinear per channel
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
  request.int8 = a.int8;
  request.lossy.prune_ratio = a.prune.value_or(0);
  request.lossy.prune_scope = a.prune_scope;
  request.lossy.prune_n = a.prune_n;
  request.lossy.prune_m = a.prune_m;
  request.lossy.prune_mask = a.prune_mask;
  request.lossy.prune_by_magnitude = !refits(a);
  request.lossy.prune_channels = a.prune_channels.value_or(0);
  request.lossy.max_macs = a.max_macs.value_or(0);
  request.lossy.low_rank = a.low_rank.value_or(0);
  request.lossy.low_rank_sqnr = a.low_rank_sqnr;
  request.lossy.share_bits = static_cast<int>(a.share);
  request.lossy.share_network = a.share_codebook == "network";
  request.lossy.share_hash = a.share_hash.value_or(0);
  request.lossy.range = a.range;
  request.lossy.percentile = a.percentile;
  request.lossy.bias_correction = !a.no_bias_correction;
  request.lossy.second_order = a.effort != "fast";
  if (a.effort == "high") request.lossy.positions = 512, request.lossy.rounding_sweeps = 12;
  request.lossy.equalize = a.equalize == "auto" ? Choice::automatic : a.equalize == "on" ? Choice::on : Choice::off;
  request.lossy.weight_bits = static_cast<int>(a.weight_bits);
  request.lossy.input_bits = static_cast<int>(a.input_bits);
  request.lossy.integer_results = format == ModelFormat::qoperator;
  if (a.rounds_weights()) {
    request.rate.emplace();
    request.rate->rate = a.rate;
    request.rate->judge_each = !a.pareto.empty();
    // An .onnx file takes a byte a code whatever the rate.
    if (a.budgets.max_size && format == ModelFormat::flat) request.rate->max_size = static_cast<std::size_t>(*a.budgets.max_size);
    if (a.budgets.max_drop && !a.budgets.max_size) request.rate->max_drop = *a.budgets.max_drop / 100;
  }
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
  if (data || a.int8) return data;
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
  report.warnings = compressed.warnings;
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
  if (a.pareto.empty() || compressed.curve.empty()) return {};
  Pareto pareto{std::filesystem::path(a.model).filename().string(), {}, {}, {}};
  for (const RatePoint &point : compressed.curve)
    pareto.points.push_back({point.rate, point.bytes, point.agreement, point.sqnr_db, point.chosen});
  if (a.budgets.max_size) pareto.max_bytes = static_cast<double>(*a.budgets.max_size);
  if (a.budgets.max_drop) pareto.least_agreement = 1 - *a.budgets.max_drop / 100;
  if (a.budgets.min_agreement) pareto.least_agreement = *a.budgets.min_agreement;
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
  if (budget.name != "--max-size" || compressed.smallest == 0) return {};
  return fmt::format(": the smallest that this network becomes here is about {} bytes; prune or share its weights for less", compressed.smallest);
}

/// The recipe: read, rewrite, write, verify, report.
Result<Outcome> run(const Arguments &a, const Options &options) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string path =
      a.output.path.empty() ? default_output(a.model, a.format == "flat" ? ".edgec" : ".edgec.onnx") : a.output.path;
  EDGEC_ASSIGN(const ModelFormat format, output_format(path, a.format));
  EDGEC_CHECK(a.passes.check());
  CompressRequest request = request_of(a, format);
  const EffectiveOptions effective = effective_options(a, format);
  EDGEC_CHECK(check_outputs(a, path));
  warn_of_idle_flags(a, options, format);
  ProgressLine line(progress_plan(a, request, format));
  request.progress = &line;
  line.begin("reading");
  EDGEC_ASSIGN(request.isa, a.run.isa());
  EDGEC_ASSIGN(const ReadOptions reading_options, reading(a, format));
  StoredGraph stored; // what the result is measured against
  EDGEC_ASSIGN(const Model source, read_model(a.model, reading_options, &a.edits, &stored));
  EDGEC_CHECK(check_weights(source.graph).in(a.model));
  EDGEC_ASSIGN(request.scope, a.scope.scope(source.graph));
  request.lossy.include_depthwise = a.scope.included(source.graph);
  EDGEC_ASSIGN(Measuring with, open_measuring(a, source.graph, request.isa));
  if (a.dry_run) {
    print(fmt::format("{}, {} -> {}\nsamples {}\noptions {}\n{}", a.model, bytes_text(source.source_bytes), path,
                      with.calibration.description, options_text(effective), plan_text(plan_of(request), options.given("--verbose"))));
    return Outcome::done;
  }
  with.file = std::move(stored);
  with.stored = source;
  with.stored.graph = with.file.graph;
  request.cross_fit = with.calibration.rest.empty() && (!with.calibration.synthetic || request.rate);
  if (!with.calibration.samples) request.lossy.prune_by_magnitude = true;
  log_info(fmt::format("plan: {}; samples {}", options_text(effective), with.calibration.description));

  if (request.rate && format == ModelFormat::flat)
    request.rate->bytes = [&](const Graph &graph) -> Result<std::size_t> {
      Model model = source;
      model.graph = graph;
      add_provenance(model, effective, a.run.seed, request.isa, source.source_sha256);
      EDGEC_ASSIGN(const auto bytes, serialize_flat(model, {.inner_names = false, .threads = request.threads}));
      return bytes.size();
    };
  if (with.other) request.reference = &with.other->graph;
  EDGEC_ASSIGN(const Compressed compressed, compress(source.graph, request, with.calibration));
  Model result = source;
  result.graph = compressed.graph;
  add_provenance(result, effective, a.run.seed, request.isa, source.source_sha256);
  EDGEC_CHECK(check_interrupted());
  line.begin("writing");
  EDGEC_ASSIGN(const Written written, write_and_read_back(result, path, format, a.output.force, !(a.rounds_weights() && format == ModelFormat::flat)));

  const bool each_layer = a.json || !a.report_path.empty() || options.given("--verbose");
  const std::vector<std::string> idle = idle_passes(compressed, a.prune_channels ? 0 : a.max_macs.value_or(0));
  EDGEC_ASSIGN(Report report, measure(a, source, compressed, written, with, idle, request.isa, each_layer, line));
  report.provenance = provenance_of("compress", effective, a.run.seed, request.isa, a.model, source, written);
  const bool met = judge_budgets(a.budgets, report);
  if (compressed.interrupted) report.warnings.push_back("INTERRUPTED: the search was stopped; this is the best that it had found");
  judge_quality(a.int8, a.prune || a.prune_channels || a.max_macs, report);
  if (a.prune && format != ModelFormat::flat)
    report.next.push_back("-o OUT.edgec: an .onnx file stores zeros like other weights and gets no smaller by --prune");
  report.peak_memory_bytes = peak_memory_bytes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EDGEC_CHECK(write_report(report, a));
  EDGEC_CHECK(write_pareto(a, compressed));
  if (a.passes.time_passes) say(pass_times(report.passes));
  if (path != "-") a.json ? print(report_json(report)) : print_report(report_text(report, options.given("--verbose"), output_width()));
  const bool done = met && idle.empty() && !compressed.interrupted;
  for (const std::string &text : report.warnings) (done ? warn : miss)(text);
  for (const BudgetFigures &budget : report.budgets) {
    if (!budget.met)
      miss(fmt::format("BUDGET MISSED: {} {:.10g} was asked, {:.10g} was found; {} is written all the same{}", budget.name,
                       budget.limit, budget.found, path, smallest_text(budget, compressed)));
  }
  return compressed.interrupted ? Outcome::interrupted : met && idle.empty() ? Outcome::done : Outcome::missed;
}

void declare_job(Options &options, Arguments &a) {
  options.group("What to do");
  options.flag("--int8", &a.int8,
               "static int8: weights per output channel symmetric, activations per tensor asymmetric");
  options.add("--prune", "R|N:M", &a.prune_text,
              "set the fraction R (0.5 or 50%) of prunable weights to zero, or all but N of M neighbours; with --calib the others make up");
  options.add("--prune-scope", "SCOPE", &a.prune_scope,
              "auto: what layers mean to the answers decides (global without --calib); global: one magnitude for all "
              "layers; layer: each layer its share")
      .one_of({"auto", "global", "layer"});
  options.add("--prune-mask", "WHICH", &a.prune_mask, "weights of a layer that go: those that others make up for, or the smallest")
      .one_of({"second-order", "magnitude"});
  options.add("--prune-channels", "R", &a.prune_channels, "cut whole channels, the fraction R of the multiply-accumulates")
      .between(0, 1)
      .in(Unit::fraction);
  options.add("--max-macs", "N", &a.max_macs, "cut whole channels until at most N multiply-accumulates are left").between(1, 1e18);
  options.add("--low-rank", "R", &a.low_rank,
              "split 1x1 Conv, Gemm and MatMul into two with the fraction R of a layer's weights, where the answers "
              "keep --low-rank-sqnr; needs --calib")
      .between(0, 1)
      .in(Unit::fraction);
  options.add("--low-rank-sqnr", "DB", &a.low_rank_sqnr, "decibels over the error that --low-rank leaves on held-out samples")
      .between(0, 200);
  options.add("--share", "BITS", &a.share, "weights share 2^BITS values a tensor").between(2, 8);
  options.add("--share-codebook", "WHAT", &a.share_codebook,
              "tensor: values of its own for each; network: the same for all, each tensor with a scale; needs --calib")
      .one_of({"tensor", "network"});
  options.add("--share-hash", "RATIO", &a.share_hash,
              "weights share RATIO stored values a weight, which one says a hash; fitted to --calib; smaller in .edgec only")
      .between(0, 1)
      .in(Unit::fraction);
  options.add("--rate", "L", &a.rate, "weights as codes; a bit of the file may cost this much squared error of the logits (.edgec: without inner "
              "names)")
      .between(0, 1e30);
  options.add("--range", "METHOD", &a.range, "how activation ranges are chosen")
      .one_of({"minmax", "percentile", "entropy", "mse", "auto"});
  options.add("--effort", "LEVEL", &a.effort, "fast: no second order; default: rounding and pruning by second order; high: from more of each sample")
      .one_of({"fast", "default", "high"});
  options.add("--equalize", "WHEN", &a.equalize, "channels of neighbouring layers made of like size; auto: where it gains")
      .one_of({"off", "on", "auto"});
  options.add("--weight-bits", "BITS", &a.weight_bits, "of int8: 8, or 4 (opset 21)").one_of({"4", "8"});
  options.add("--input-bits", "BITS", &a.input_bits, "of int8: 8, or 16 for inputs that 8 cannot hold exactly (opset 21); layers that read them compute "
              "on floats")
      .one_of({"8", "16"});
  options.add("--percentile", "P", &a.percentile, "of --range percentile").between(50, 100);
  options.flag("--no-bias-correction", &a.no_bias_correction, "leave the means of channels as rounding shifts them");
}

void declare_data(Options &options, Arguments &a) {
  options.group("Data");
  options.add(
      "--calib", "D", &a.calib.path,
      "samples: a folder of images or of class folders, a CSV, .npy, .npz, a folder of ONNX test data, or 'synthetic'");
  options.add("--calib-limit", "N", &a.calib.limit, "at most N samples").between(1, 1e9);
  options.add("--preprocess", "P", &a.calib.preprocess, preprocess_flag_help);
  options.add("--eval", "D", &a.eval, "samples to measure accuracy on, before and after");
  options.add("--labels", "L", &a.calib.labels,
              "their right answers: a CSV of file,label or .npy (default y of an .npz, column of a CSV)");
  options.add("--reference", "R", &a.reference, "compare with this network instead of the input");
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  Arguments &a = *arguments;
  options.argument("MODEL", &a.model, "the network, .onnx or .edgec");
  declare_job(options, a);
  declare_data(options, a);
  options.add("--pareto", "FILE", &a.pareto, "write the sizes and losses that the search saw: .json, .csv or .svg");
  options
      .add("--max-memory", "SIZE", &a.max_memory,
           "hold no more of the samples' values in memory than fits with the rest; others go to a temporary file")
      .between(0, 1e15)
      .in(Unit::bytes);
  options.flag("--latency", &a.latency, "also measure one-thread latency before and after");
  a.scope.declare(options);
  a.budgets.declare(options);
  a.output.declare(options, "the file to write (default STEM.edgec.onnx in the current folder)");
  options.add("--format", "FORMAT", &a.format, "how to write it (default qdq; flat for a name in .edgec)")
      .one_of({"qdq", "qoperator", "flat"});
  options
      .add("--opset", "N", &a.opset,
           "write this version of ONNX's operators (default the input's, raised as far as needed)")
      .between(1, 1000);
  options.flag("--overridable", &a.overridable, "keep weights that are also graph inputs as inputs");
  options.add("--report", "FILE.json", &a.report_path, "write the report as JSON");
  options.flag("--json", &a.json, "print the report as JSON");
  options.flag("--dry-run", &a.dry_run, "read everything, say what would be done and stop; -v lists every pass");
  a.edits.declare(options);
  a.passes.declare(options);
  a.run.declare(options);
  return [arguments, &options]() -> Result<Outcome> {
    EDGEC_CHECK(parse_prune(*arguments));
    EDGEC_CHECK(check_combination(*arguments));
    return run(*arguments, options);
  };
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
