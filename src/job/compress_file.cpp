#include "job/compress_file.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <optional>

#include "data/made_up.h"
#include "formats/flat/flat.h"
#include "job/answer_changes.h"
#include "job/calibrate_file.h"
#include "job/float_input.h"
#include "job/judgement.h"
#include "job/spellings.h"
#include "job/traces.h"
#include "job/verification.h"
#include "measure/latency.h"
#include "measure/pareto.h"
#include "measure/picture.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "report/report_file.h"
#include "runtime/plan.h"
#include "schemes/fitting/options.h"
#include "schemes/half/borders.h"
#include "schemes/half/options.h"
#include "schemes/int8/options.h"
#include "schemes/int8/target.h"
#include "schemes/prune/options.h"
#include "schemes/rate/options.h"
#include "schemes/stored/options.h"
#include "schemes/tune/options.h"
#include "schemes/tune/tuning.h"
#include "support/cancel.h"
#include "support/file.h"
#include "support/log.h"
#include "support/table.h"

namespace edgec {
namespace {

/// Where a scheme works with them, and where they only show that the file computes what it should.
constexpr std::int64_t made_up_samples = 100, few_made_up_samples = 4;

/// More where they are cheap and say little each: series of a small network are features, not pictures of many places.
std::int64_t made_up_count(const Graph &graph) {
  constexpr double most = 1000, most_macs = 3e9;
  const auto is_series = [](const MadeUpInput &input) { return input.kind == InputKind::series; };
  if (!std::ranges::all_of(guess_inputs(graph), is_series)) return made_up_samples;
  const double macs = measure_sizes(with_unit_dims(graph, all_ops()), all_ops(), false).macs;
  return static_cast<std::int64_t>(
      std::clamp(most_macs / std::max(1.0, macs), static_cast<double>(made_up_samples), most));
}

/// Whether anything but exact passes was asked for.
bool is_lossy(const CompressFile &a) { return !wanted_schemes(a.settings).empty(); }

/// What needs samples of its own has some, and what was asked for goes together.
Status check_combination(const CompressFile &a) {
  if (a.metric.name == "sqnr" && a.settings.get<RateOptions>().max_drop)
    return usage_error("--max-drop counts hundredths of a metric, and --metric sqnr is in decibels");
  for (const SchemeDef *scheme : wanted_schemes(a.settings)) {
    if (scheme->needs == Needs::data && a.calib.path.empty())
      return usage_error(fmt::format("{}: layers are fitted to samples, give them with --calib", scheme->flag));
    if (!a.ranges.empty() && a.calib.path.empty())
      return usage_error("--ranges: layers are fitted to samples all the same, give some with --calib");
    if (scheme->check != nullptr) EDGEC_CHECK(scheme->check(a.settings));
  }
  if (a.settings.get<RateOptions>().max_latency && a.calib.path.empty())
    return usage_error("--max-latency: what it chooses is fitted to samples, give them with --calib");
  return {};
}

/// The least opset that has what the flags ask for.
std::int64_t least_opset(const CompressFile &a) {
  std::int64_t least = 0;
  Settings settings = a.settings;
  if (auto &int8 = settings.edit<Int8Options>(); settings.get<RateOptions>().max_latency && !int8.wanted())
    int8.mode = "static"; // which it may choose
  for (const SchemeDef *scheme : wanted_schemes(settings))
    if (scheme->least_opset != nullptr) least = std::max(least, scheme->least_opset(settings, a.format->coded));
  return least;
}

Result<ReadOptions> reading(const CompressFile &a) {
  ReadOptions options;
  options.exact_opset = a.opset;
  options.least_opset = least_opset(a);
  options.onnx.overridable = a.overridable;
  if (a.opset > 0 && a.opset < options.least_opset)
    return usage_error(
        fmt::format("--opset: {} is too low: what the flags ask for needs {}", a.opset, options.least_opset));
  if (a.opset > 0) options.least_opset = 0;
  return options;
}

/// Codes of 4 or 16 bits, which need a newer opset.
bool has_other_codes(const Graph &graph) {
  return std::ranges::any_of(graph.values(), [&](ValueId id) {
    const Type &type = graph.value(id).type;
    return type.quant && (bits(type.dtype) < 8 || bits(type.dtype) == 16);
  });
}

/// Where no other codes than those of 8 bits came of the flags, the file needs no newer opset than these do.
Status lower_opset(const CompressFile &a, const Graph &stored, Written &written) {
  CompressFile with_bytes = a;
  auto &int8 = with_bytes.settings.edit<Int8Options>();
  int8.input_bits = int8.activation_bits = int8.weight_bits = 8;
  with_bytes.settings.edit<RateOptions>().max_latency.reset();
  const std::int64_t enough = std::max(stored.opset(), least_opset(with_bytes));
  const bool raised = a.opset == 0 && stored.opset() > 0 && written.stored.graph.opset() > enough;
  if (!raised || a.format->coded || a.path == "-" || has_other_codes(written.model.graph)) return {};
  ReadOptions lower;
  lower.exact_opset = enough;
  const auto model = read_model(a.path, lower);
  if (!model) return {}; // the newer one does no harm
  EDGEC_ASSIGN(written, write_and_read_back(*model, a.path, *a.format, {.force = true}));
  return {};
}

/// The size that a file of whole codes is to have; nothing: none, or codes take as many bytes as they need. What comes
/// from standard input cannot be read again in the opset of smaller codes.
std::optional<WholeCodes> whole_codes(const CompressFile &a, const Model &source) {
  const auto &size = a.settings.get<RateOptions>().max_size;
  if (!size || a.format->coded || a.model == "-") return std::nullopt;
  return WholeCodes{source.source_bytes, static_cast<std::size_t>(*size)};
}

/// Completes what was asked for where the network has codes; it is read again where that needs a newer opset.
Result<CodedInput> complete_for_codes(CompressFile &a, const ReadOptions &first, Model &source, StoredGraph &stored) {
  EDGEC_ASSIGN(const CodedInput coded, take_codes(source.graph, a.settings, whole_codes(a, source)));
  EDGEC_CHECK(check_combination(a));
  EDGEC_ASSIGN(const ReadOptions again, reading(a));
  if (again.least_opset <= first.least_opset) return coded;
  EDGEC_ASSIGN(source, read_model(a.model, again, &a.edits, &stored));
  return coded;
}

CompressRequest request_of(const CompressFile &a) {
  CompressRequest request;
  request.settings = a.settings;
  request.judge_each = !a.pareto.empty();
  request.max_memory = static_cast<std::size_t>(a.max_memory);
  request.passes = a.passes;
  request.channel_multiple = a.passes.multiple_for(*a.format);
  request.border_nodes = a.format->border_nodes;
  request.threads = a.run.threads();
  request.seed = a.run.seed;
  return request;
}

/// Whether bare --int8 may still choose what becomes codes.
bool is_open(const CompressFile &a) {
  const bool data = !a.calib.path.empty() || !a.ranges.empty();
  return a.settings.get<Int8Options>().mode == "auto" && !data && !a.format->integer_operators &&
         !rounds_weights(a.settings);
}

/// Where a size is asked for with training, what goes first.
void choose_pruning(CompressFile &a, const Graph &graph) {
  if (!a.settings.get<TuneOptions>().wanted() || tunes_floats(a.settings) || !rounds_weights(a.settings)) return;
  const double ratio = zeros_before_training(graph, all_ops(), a.settings);
  if (ratio <= 0) return warn("--tune: nothing is trained: at this --max-size coding alone loses less");
  a.settings.edit<PruneOptions>().ratio = ratio;
  say(fmt::format("--max-size with --tune: {:.0f} % of the weights go first (--prune says otherwise), what is left is "
                  "trained, then coded",
                  100 * ratio));
}

void choose_mode(CompressFile &a, const std::string &mode, const std::string &why) {
  a.settings.edit<Int8Options>().mode = mode;
  a.settings.edit<StoredOptions>().type = "int8";
  for (auto &[key, value] : a.recorded)
    if (key == "int8") value = mode;
  warn(fmt::format("--int8: {} (--int8 {}); --calib SAMPLES for --int8 static", why, mode));
}

/// The samples of --calib; else made-up ones, or none where none are needed and the inputs cannot be made up.
Result<Dataset> open_calibration(const CompressFile &a, const Graph &graph, Isa isa) {
  DataFlags flags = a.calib;
  flags.labels = a.sample_labels; // its own are of --eval
  flags.labelled = a.settings.get<TuneOptions>().labels > 0;
  const bool made_up = flags.path.empty() || flags.path == "synthetic";
  if (made_up && flags.labelled) return usage_error("made-up samples have no right answers to learn");
  if (!made_up) {
    auto data = open_dataset(flags, graph, a.run.seed);
    if (data && flags.labelled && !data->labels)
      return usage_error(fmt::format("{}: these samples have no right answers to learn (an array y, class folders, "
                                     "--labels of 'edgec tune')",
                                     flags.path));
    return data;
  }
  const auto wanted = wanted_schemes(a.settings);
  const bool used = wanted.empty() || std::ranges::any_of(wanted, [](const SchemeDef *scheme) {
                      return scheme->needs != Needs::nothing;
                    });
  const std::int64_t wanted_samples = !used         ? few_made_up_samples
                                      : is_lossy(a) ? made_up_count(graph)
                                                    : made_up_samples;
  const bool limited = flags.limit != CompressFile().calib.limit;
  const auto count = static_cast<std::size_t>(limited ? std::min(flags.limit, wanted_samples) : wanted_samples);
  auto data = is_lossy(a) ? made_up_dataset(graph, count, a.run.threads(), isa, a.run.seed)
                          : synthetic_dataset(graph, count, a.run.seed);
  if (data && is_lossy(a)) warn(fmt::format("NO SAMPLES: without --calib they are {}", data->description));
  if (data || (a.asks("quantize-int8") && !is_open(a))) return data;
  warn("not verified: " + data.error().message);
  Dataset none;
  none.description = "none";
  return none;
}

/// Nobody knows the ranges of a network of tokens, bytes or the like without samples: made-up ones are not language.
/// Its products find them as they run.
void choose_for_tokens(CompressFile &a, const Graph &graph) {
  const auto reads_tokens = [](const MadeUpInput &input) {
    return input.kind == InputKind::tokens ||
           (input.kind == InputKind::noise && input.spec.type.is_tensor() && !is_float(input.spec.type.dtype));
  };
  if (is_open(a) && std::ranges::any_of(guess_inputs(graph), reads_tokens))
    choose_mode(a, "dynamic",
                "the network reads tokens or codes and there are no samples, so that activations become codes by the "
                "ranges that "
                "they have when it runs");
}

/// Where no inputs can be made up that the network takes, only weights become codes: static ones would rest on nothing.
void choose_for_made_up(CompressFile &a, const Graph &graph, const Dataset &data, Isa isa) {
  if (!is_open(a)) return;
  std::string why = "no inputs can be made up";
  if (data.samples) {
    auto sample = data.samples->load(data.indices.front());
    PlanOptions options;
    options.isa = isa;
    const auto run = sample ? Runner(graph, all_ops(), options).run_tensors(*sample) : std::move(sample).error();
    if (run || run.error().code == Code::interrupted) return;
    why = fmt::format("made-up inputs do not run ({})", run.error().message);
  }
  choose_mode(a, "weights", why + ", so that activations stay float");
}

/// What the result is measured with; opened before anything is written.
struct Measuring {
  Dataset calibration;
  std::optional<Dataset> evaluation;
  std::optional<Metric> metric; ///< of them; what --max-drop counts
  std::optional<Model> other;   ///< of --reference
  Model stored;                 ///< the input in the opset of its file
  StoredGraph file;             ///< the same, and how it is stored
};

Result<Measuring> open_measuring(const CompressFile &a, const Graph &graph, Isa isa) {
  Measuring with;
  EDGEC_ASSIGN(with.calibration, open_calibration(a, graph, isa));
  if (!a.eval.empty()) {
    const DataFlags eval{.path = a.eval,
                         .preprocess = a.calib.preprocess,
                         .labels = a.calib.labels,
                         .limit = 0,
                         .labelled = !a.metric.wants_boxes()};
    EDGEC_ASSIGN(with.evaluation, open_dataset(eval, graph, a.run.seed));
    EDGEC_ASSIGN(with.metric, a.metric.metric(*with.evaluation, a.calib.labels, graph));
    const bool counted = a.settings.get<RateOptions>().max_drop.has_value();
    if (!with.metric && counted && with.evaluation->labels) with.metric = Metric{"top1", nullptr};
  }
  if (!a.reference.empty()) {
    const EditFlags beside = a.edits.beside();
    EDGEC_ASSIGN(with.other, read_model(a.reference, {}, &beside));
  }
  return with;
}

/// What a search judges networks by; nothing: agreement on the calibration samples, as where they are those of --eval.
std::optional<Evaluation> evaluation_of(const CompressFile &a, const Measuring &with) {
  if (!with.metric || a.eval == a.calib.path) return std::nullopt;
  const Dataset &data = *with.evaluation;
  return Evaluation{data.samples.get(), data.indices, data.labels ? &data.labels->classes : nullptr, *with.metric};
}

/// What only the report of each layer shows: both networks' layers and the written one as a picture.
void draw(const Graph &before, const Graph &after, const GraphSizes &sizes, Report &report) {
  for (LayerFigures &layer : layer_figures(measure_sizes(before, all_ops(), false)))
    if (layer.parameters > 0)
      report.layers_before.push_back({std::move(layer.name), std::move(layer.op), layer.parameters, layer.bytes});
  report.nodes = picture_of(after, sizes);
  add_weight_histograms(after, all_ops(), report.layers);
}

/// Everything after the file was written: what is measured, and the report of it. `tried`: to be fast enough.
Result<Report> measure(const CompressFile &a, const Model &source, const Compressed &compressed, const Written &written,
                       const Measuring &with, std::span<const std::string> idle, Isa isa, bool each_layer,
                       const PassFigures &tried, ProgressSink &line) {
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
  report.activations = compressed.outcome.activations;
  if (each_layer) draw(with.stored.graph, written.model.graph, sizes, report);
  list_float_nodes(compressed, report);
  const bool other = with.other.has_value();
  const Reference reference{other ? *with.other : with.stored, other ? a.reference : a.model, other};
  const FidelityOptions options{.threads = a.run.threads(), .isa = isa};
  EDGEC_CHECK(verify_written(reference, compressed, written, with.calibration, options, line, report));
  if (with.evaluation)
    EDGEC_CHECK(evaluate_written(reference, written, *with.evaluation, with.metric ? &*with.metric : nullptr, options,
                                 line, report));
  if (each_layer && report.evaluated)
    report.changes = answer_changes(report.evaluated->fidelity, *with.evaluation);
  else if (each_layer && report.verified)
    report.changes = answer_changes(report.verified->fidelity, with.calibration);
  if (each_layer) EDGEC_CHECK(measure_layers(source, written, with.calibration, isa, report));
  if (!tried.name.empty()) report.passes.insert(report.passes.begin(), tried);
  if (a.latency) line.begin("measuring latency");
  if (a.latency) EDGEC_CHECK(measure_latencies(with.stored, written, with.calibration, options, report));
  return report;
}

/// The curve that the search saw; nothing where there was none.
std::optional<Pareto> curve_of(const CompressFile &a, const Compressed &compressed) {
  if (compressed.outcome.curve.empty()) return std::nullopt;
  Pareto pareto{std::filesystem::path(a.model).filename().string(), {}, {}, {}};
  for (const RatePoint &point : compressed.outcome.curve)
    pareto.points.push_back({point.rate, point.bytes, point.agreement, point.sqnr_db, point.chosen});
  const auto &rate = a.settings.get<RateOptions>();
  if (rate.max_size) pareto.max_bytes = static_cast<double>(*rate.max_size);
  if (rate.max_drop) pareto.least_agreement = 1 - *rate.max_drop / 100;
  if (rate.min_agreement) pareto.least_agreement = *rate.min_agreement;
  return pareto;
}

Status write_text(const std::string &path, const std::string &text, bool force) {
  return write_file(path, text, force);
}

/// What was asked for beside the network.
Status write_reports(const Report &report, const CompressFile &a) {
  if (!a.report_path.empty()) {
    EDGEC_ASSIGN(const std::string text, report_file_text(report_json(report), a.report_path));
    EDGEC_CHECK(write_text(a.report_path, text, a.force));
  }
  if (a.pareto.empty() || !report.search) return {};
  EDGEC_ASSIGN(const std::string text, pareto_text(*report.search, a.pareto));
  return write_text(a.pareto, text, a.force);
}

Status check_outputs(const CompressFile &a, const std::string &path) {
  constexpr std::string_view pareto_endings[] = {".json", ".csv", ".svg"};
  if (!a.report_path.empty()) EDGEC_CHECK(check_ending(a.report_path, report_endings()).in("--report"));
  if (!a.pareto.empty()) EDGEC_CHECK(check_ending(a.pareto, pareto_endings).in("--pareto"));
  std::vector<std::string> inputs{a.model};
  for (const std::string &input : {a.reference, a.calib.path, a.eval, a.calib.labels}) {
    if (!input.empty()) inputs.push_back(input);
  }
  inputs.insert(inputs.end(), a.ranges.begin(), a.ranges.end());
  EDGEC_CHECK(check_output(path, inputs, a.force));
  inputs.push_back(path);
  for (const std::string &more : {a.report_path, a.pareto}) {
    if (more.empty()) continue;
    EDGEC_CHECK(check_output(more, inputs, a.force));
    inputs.push_back(more);
  }
  return {};
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

/// Adds the flags that --max-latency chooses to what was asked for; what was tried.
Result<PassFigures> be_fast_enough(CompressFile &a, CompressRequest &request, const Graph &source,
                                   const Dataset &data) {
  EDGEC_ASSIGN(LatencyChoice choice,
               choose_for_latency(source, request, data, *a.settings.get<RateOptions>().max_latency));
  a.settings = request.settings = std::move(choice.settings);
  a.latency = true;
  if (a.record_with) {
    EDGEC_ASSIGN(a.recorded, a.record_with(choice.flags));
  } else {
    a.recorded.insert(a.recorded.end(), choice.flags.begin(), choice.flags.end());
  }
  return std::move(choice.tried);
}

/// Writes a network, with how it was made, and reads it back.
Result<Written> write_result(const CompressFile &a, const Model &source, const Graph &graph, Isa isa,
                             const Graph &stored) {
  Model result = source;
  result.graph = graph;
  if (const auto &half = a.settings.get<HalfOptions>(); half.io) narrow_borders(result.graph, half.dtype());
  add_provenance(result, a.recorded, a.run.seed, isa, source.source_sha256);
  if (const Target *target = find_target(a.settings.get<Int8Options>().target); target && target->float_biases)
    give_float_biases(result.graph);
  const FormatWriteOptions writing{.force = a.force, .inner_names = !rounds_weights(a.settings)};
  EDGEC_ASSIGN(Written written, write_and_read_back(result, a.path, *a.format, writing));
  EDGEC_CHECK(lower_opset(a, stored, written));
  return written;
}

/// The plan of a dry run.
std::string dry_run_text(const CompressFile &a, const CompressRequest &request, const Model &source,
                         const Dataset &samples) {
  return fmt::format("{}, {} -> {}\nsamples {}\noptions {}\n{}", a.model, bytes_text(source.source_bytes), a.path,
                     samples.description, options_text(a.recorded), plan_text(plan_of(request), a.verbose));
}

/// Whether the file's products of uint8 with int8 are more than a sum of 16 bits holds, and onnxruntime may compute
/// them.
bool saturates_without_vnni(const CompressFile &a) {
  const auto &int8 = a.settings.get<Int8Options>();
  return a.asks("quantize-int8") && !a.format->coded && int8.target.empty() && int8.weight_bits == 8 &&
         int8.activation_bits == 8;
}

/// Budgets, warnings and advice.
void judge(const CompressFile &a, CompressedFile &done) {
  done.met = judge_budgets(a.settings.get<RateOptions>(), done.report) && done.met;
  if (done.interrupted)
    done.report.warnings.push_back("INTERRUPTED: it was stopped on the way; this is the best that had been found");
  const auto wanted = wanted_schemes(a.settings);
  const bool prunes =
      std::ranges::any_of(wanted, [](const SchemeDef *scheme) { return scheme->name.starts_with("prune-"); });
  if (a.settings.get<TuneOptions>().labels < 1) judge_quality(a.asks("quantize-int8"), prunes, done.report);
  if (saturates_without_vnni(a))
    done.report.next.push_back("--target ort-avx2 where processors lack VNNI: sums of this file saturate in "
                               "onnxruntime there, and answers are lost");
  for (const SchemeDef *scheme : wanted)
    if (!scheme->only_flat.empty() && !a.format->coded)
      done.report.next.push_back(fmt::format("-o OUT.edgec: {}", scheme->only_flat));
}

} // namespace

Status CompressFile::name_output() {
  const FormatDef *wanted = find_format(format_name);
  if (path.empty()) path = default_output(model, wanted != nullptr && wanted->coded ? ".edgec" : ".edgec.onnx");
  EDGEC_ASSIGN(format, output_format(path, format_name));
  format_name = format->name;
  settings.edit<Int8Options>().integer_results = format->integer_operators;
  settings.edit<StoredOptions>().own_samples = !calib.path.empty() && calib.path != "synthetic";
  return {};
}

bool CompressFile::asks(std::string_view scheme) const {
  return std::ranges::any_of(wanted_schemes(settings), [&](const SchemeDef *wanted) { return wanted->name == scheme; });
}

std::vector<ProgressStep> CompressFile::steps() const {
  std::vector<ProgressStep> plan{{"reading", 1}};
  std::ranges::copy(steps_of(request_of(*this)), std::back_inserter(plan));
  plan.push_back({"writing", format->coded ? 4.0 : 1.0});
  plan.push_back({"verifying", 3});
  plan.push_back({"reading back", .5});
  if (!eval.empty()) plan.push_back({"evaluating", 4});
  if (settings.get<RateOptions>().max_latency) plan.insert(plan.begin() + 1, {"measuring what is fast enough", 20});
  if (latency) plan.push_back({"measuring latency", 2});
  return plan;
}

namespace {

/// Where more was taken than the user allowed: the flag bounds the samples' values, which are not all that is needed.
std::optional<std::string> memory_warning(std::int64_t allowed, std::uint64_t peak) {
  if (allowed == CompressFile().max_memory || peak <= static_cast<std::uint64_t>(allowed)) return std::nullopt;
  return fmt::format("--max-memory: {} were needed, {} allowed: samples' values were kept in a temporary file as far "
                     "as they can be, but both "
                     "networks, ranges, and second moments (K x K of a layer with K inputs) stay in memory",
                     bytes_text(peak), bytes_text(static_cast<std::uint64_t>(allowed)));
}

} // namespace

Result<CompressedFile> compress_file(const CompressFile &given, ProgressSink &line) {
  const auto begin = std::chrono::steady_clock::now();
  CompressFile a = given;
  EDGEC_CHECK(check_combination(a));
  EDGEC_CHECK(a.passes.check());
  EDGEC_CHECK(check_outputs(a, a.path));
  line.begin("reading");
  EDGEC_ASSIGN(const Isa isa, a.run.isa());
  if (const auto &tune = a.settings.get<TuneOptions>(); tune.wanted() || tune.alone) EDGEC_CHECK(tune.check(isa));
  EDGEC_ASSIGN(const ReadOptions reading_options, reading(a));
  StoredGraph stored; // what the result is measured against
  EDGEC_ASSIGN(Model source, read_model(a.model, reading_options, &a.edits, &stored));
  EDGEC_CHECK(check_weights(source.graph).in(a.model));
  EDGEC_ASSIGN(Scope scope, a.scope.scope(source.graph));
  RangeTable ranges;
  if (!a.ranges.empty()) {
    EDGEC_ASSIGN(ranges, read_range_tables(a.ranges, source.source_sha256));
  }
  EDGEC_ASSIGN(const CodedInput coded, complete_for_codes(a, reading_options, source, stored));
  leave_out_traces(source.graph);
  const std::set<DType> widened = take_floats(source.graph, a.settings);
  choose_for_tokens(a, source.graph);
  choose_pruning(a, source.graph);
  EDGEC_ASSIGN(Measuring with, open_measuring(a, source.graph, isa));
  choose_for_made_up(a, source.graph, with.calibration, isa);
  CompressRequest request = request_of(a);
  request.coded = coded;
  request.widened = widened;
  request.progress = &line;
  request.isa = isa;
  request.scope = std::move(scope);
  if (!a.ranges.empty()) request.ranges = &ranges;
  CompressedFile done;
  if (a.dry_run) {
    done.plan = dry_run_text(a, request, source, with.calibration);
    return done;
  }
  with.file = std::move(stored);
  with.stored = source;
  with.stored.graph = with.file.graph;
  request.cross_fit = with.calibration.rest.empty() && (!with.calibration.synthetic || rounds_weights(a.settings));
  if (a.settings.get<FitOptions>().effort == "fast") with.calibration.judging = enough_judging;
  if (!with.calibration.samples) request.settings.edit<FitOptions>().set_effort("fast");
  log_info(fmt::format("plan: {}; samples {}", options_text(a.recorded), with.calibration.description));

  PassFigures tried;
  if (a.settings.get<RateOptions>().max_latency) {
    line.begin("measuring what is fast enough");
    EDGEC_ASSIGN(tried, be_fast_enough(a, request, source.graph, with.calibration));
  }
  if (a.format->coded) request.file_bytes = file_bytes(source, a.recorded, request);
  const std::optional<Evaluation> evaluation = evaluation_of(a, with);
  if (evaluation) request.evaluation = &*evaluation;
  if (with.other) request.reference = &with.other->graph;
  EDGEC_ASSIGN(const Compressed compressed, compress(source.graph, request, with.calibration));
  EDGEC_CHECK(check_interrupted());
  line.begin("writing");
  Unverified unverified(a.path);
  EDGEC_ASSIGN(const Written written, write_result(a, source, compressed.graph, request.isa, with.stored.graph));

  const std::vector<std::string> idle = idle_passes(compressed);
  done.met = idle.empty();
  done.interrupted = compressed.outcome.interrupted;
  done.smallest = compressed.outcome.smallest;
  EDGEC_ASSIGN(done.report,
               measure(a, source, compressed, written, with, idle, request.isa, a.each_layer, tried, line));
  unverified.keep();
  done.report.provenance = provenance_of(a.command, a.recorded, a.run.seed, request.isa, a.model, source, written);
  judge(a, done);
  done.report.peak_memory_bytes = peak_memory_bytes();
  if (auto more = memory_warning(a.max_memory, done.report.peak_memory_bytes))
    done.report.warnings.push_back(*std::move(more));
  done.report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  done.report.search = curve_of(a, compressed);
  EDGEC_CHECK(write_reports(done.report, a));
  return done;
}

} // namespace edgec
