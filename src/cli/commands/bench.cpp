// edgec bench: how long one run takes, what memory and energy it needs, and whether another network is faster.
#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/command.h"
#include "cli/console.h"
#include "data/csv.h"
#include "job/dataset.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "kernels/isa.h"
#include "measure/paired_latency.h"
#include "measure/throughput.h"
#include "ops/registry.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model, compare;
  DataFlags data;
  RunFlags run;
  EditFlags edits;
  std::int64_t runs = 20, streams = 0;
  double seconds = 1;
  bool energy = false, profile = false, json = false, csv = false, reference_kernels = false;

  [[nodiscard]] LatencyOptions latency() const {
    LatencyOptions options;
    options.least_runs = static_cast<std::size_t>(runs);
    options.least_seconds = seconds;
    return options;
  }
};

/// What was measured under which conditions.
struct Setting {
  int threads;
  Isa isa;
};

/// A network that is ready to run.
struct Candidate {
  Model model;
  Sample sample;
  std::shared_ptr<const Plan> plan;
};

struct Figures {
  std::string model;
  Latency latency;
  std::optional<Throughput> throughput; ///< of --streams and --energy
  std::string energy_unread;            ///< why energy could not be measured

  [[nodiscard]] int streams() const { return throughput ? throughput->streams : 1; }
  [[nodiscard]] double per_second() const {
    const double total = std::accumulate(latency.seconds.begin(), latency.seconds.end(), 0.0);
    return throughput ? throughput->per_second() : static_cast<double>(latency.seconds.size()) / total;
  }
};

std::string profile_text(const Latency &latency) {
  double total = 0;
  for (const StepTime &step : latency.steps) total += step.seconds;
  Table table({"step", "operator", "us", "share", "GMAC/s", "kernel"});
  for (const StepTime &step : latency.steps) {
    const double rate = step.seconds > 0 ? step.step.macs / step.seconds / 1e9 : 0;
    table.add({step.step.label, step.step.op, fmt::format("{:.1f}", 1e6 * step.seconds), percent(step.seconds, total),
               step.step.macs > 0 ? fmt::format("{:.1f}", rate) : "-", step.step.kernel});
  }
  return "\n" + table.text(output_width());
}

std::string count_of(int count, const char *what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

std::string energy_text(const Figures &figures) {
  if (!figures.energy_unread.empty()) return fmt::format("  {:<12}not measured: {}\n", "energy", figures.energy_unread);
  if (!figures.throughput || !figures.throughput->energy) return {};
  const EnergyFigures &energy = *figures.throughput->energy;
  return fmt::format("  {:<12}{:.4g} mJ an inference above the {:.4g} W at rest, {:.4g} mJ with them ({})\n", "energy",
                     1e3 * *figures.throughput->joules_each_above_idle(), energy.idle_watts,
                     1e3 * *figures.throughput->joules_each(), energy.zones);
}

std::string text_of(const Arguments &arguments, const Setting &setting, const Figures &figures) {
  const Latency &latency = figures.latency;
  const auto milliseconds = [&](double share) { return 1e3 * latency.quantile(share); };
  std::string text = fmt::format("{}, {}, {}\n", figures.model, count_of(setting.threads, "thread"), name(setting.isa));
  text += fmt::format("  {:<12}{:.3f} ms\n", "median", milliseconds(0.5));
  text += fmt::format("  {:<12}{:.3f} ms\n", "p90", milliseconds(0.9));
  text += fmt::format("  {:<12}+- {:.1f} % (quartiles), {:.3f} to {:.3f} ms in {} runs\n", "spread",
                      100 * latency.spread(), milliseconds(0), milliseconds(1), latency.seconds.size());
  const double rate = figures.per_second();
  text += fmt::format("  {:<12}{} inferences a second, {}\n", "throughput",
                      rate < 100 ? fmt::format("{:.3g}", rate) : grouped(static_cast<std::uint64_t>(rate)),
                      count_of(figures.streams(), "stream"));
  text += energy_text(figures);
  text +=
      fmt::format("  {:<12}{} of values, {} of scratch; the process held at most {}\n", "memory",
                  bytes_text(latency.arena_bytes), bytes_text(latency.scratch_bytes), bytes_text(peak_memory_bytes()));
  return arguments.profile ? text + profile_text(latency) : text;
}

std::string ratio_text(const std::string &other, const LatencyRatio &ratio, std::size_t rounds) {
  const bool faster = ratio.ratio >= 1;
  const auto turned = [&](double value) { return faster ? value : 1 / value; };
  const std::string bounds = fmt::format("95 %: {:.3f} to {:.3f}", turned(faster ? ratio.low : ratio.high),
                                         turned(faster ? ratio.high : ratio.low));
  if (!ratio.shown())
    return fmt::format(
        "{} and the first take as long as far as {} rounds show ({:.3f} times, 95 %: {:.3f} to {:.3f})\n", other,
        rounds, ratio.ratio, ratio.low, ratio.high);
  return fmt::format("{} is {:.3f} times {} ({}, {} rounds in turns)\n", other, turned(ratio.ratio),
                     faster ? "faster" : "slower", bounds, rounds);
}

Json energy_json(const Figures &figures) {
  if (!figures.throughput || !figures.throughput->energy) return {};
  return {{"joules_per_inference", *figures.throughput->joules_each()},
          {"joules_per_inference_above_idle", *figures.throughput->joules_each_above_idle()},
          {"idle_watts", figures.throughput->energy->idle_watts},
          {"zones", figures.throughput->energy->zones}};
}

Json json_of(const Arguments &arguments, const Setting &setting, const Figures &figures) {
  const Latency &latency = figures.latency;
  Json object{{"schema", "edgec-bench/1"},
              {"model", figures.model},
              {"threads", setting.threads},
              {"isa", name(setting.isa)},
              {"runs", latency.seconds.size()},
              {"median_seconds", latency.quantile(0.5)},
              {"p90_seconds", latency.quantile(0.9)},
              {"least_seconds", latency.quantile(0)},
              {"most_seconds", latency.quantile(1)},
              {"spread", latency.spread()},
              {"streams", figures.streams()},
              {"inferences_per_second", figures.per_second()},
              {"arena_bytes", latency.arena_bytes},
              {"scratch_bytes", latency.scratch_bytes},
              {"peak_memory_bytes", peak_memory_bytes()}};
  if (arguments.energy) object["energy"] = energy_json(figures);
  if (!figures.energy_unread.empty()) object["energy_unread"] = figures.energy_unread;
  if (arguments.profile) {
    object["steps"] = Json::array();
    for (const StepTime &step : latency.steps)
      object["steps"].push_back({{"name", step.step.label},
                                 {"operator", step.step.op},
                                 {"kernel", step.step.kernel},
                                 {"seconds", step.seconds},
                                 {"macs", step.step.macs}});
  }
  return object;
}

std::string csv_of(const Setting &setting, const std::vector<Figures> &all, const LatencyRatio *ratio) {
  std::string text = "model,threads,isa,runs,median_seconds,p90_seconds,least_seconds,most_seconds,streams,"
                     "inferences_per_second,joules_per_inference,joules_per_inference_above_idle,arena_bytes,"
                     "scratch_bytes,peak_memory_bytes,faster,faster_low,faster_high\n";
  const auto number = [](std::optional<double> value) { return value ? fmt::format("{:.6g}", *value) : ""; };
  for (const Figures &figures : all) {
    const Latency &latency = figures.latency;
    const auto joules = figures.throughput ? figures.throughput->joules_each() : std::nullopt;
    const auto above = figures.throughput ? figures.throughput->joules_each_above_idle() : std::nullopt;
    const bool compared = ratio != nullptr && &figures == &all.back();
    text += fmt::format("{},{},{},{},{:.6g},{:.6g},{:.6g},{:.6g},{},{:.6g},{},{},{},{},{},{}\n",
                        csv_cell(figures.model), setting.threads, name(setting.isa), latency.seconds.size(),
                        latency.quantile(0.5), latency.quantile(0.9), latency.quantile(0), latency.quantile(1),
                        figures.streams(), figures.per_second(), number(joules), number(above), latency.arena_bytes,
                        latency.scratch_bytes, peak_memory_bytes(),
                        compared ? fmt::format("{:.6g},{:.6g},{:.6g}", ratio->ratio, ratio->low, ratio->high) : ",,");
  }
  return text;
}

Result<Candidate> open_candidate(const Arguments &arguments, const std::string &path, const Setting &setting) {
  Candidate found;
  EDGEC_ASSIGN(found.model, read_model(path, {}, &arguments.edits));
  EDGEC_ASSIGN(const Dataset data, arguments.data.path.empty()
                                       ? synthetic_dataset(found.model.graph, 1, arguments.run.seed)
                                       : open_dataset(arguments.data, found.model.graph, arguments.run.seed));
  EDGEC_ASSIGN(found.sample, data.samples->load(0));
  PlanOptions options;
  options.isa = setting.isa;
  options.threads = setting.threads;
  options.reference = arguments.reference_kernels;
  EDGEC_ASSIGN(found.plan, plan_for(found.model.graph, all_ops(), found.sample, options).in(path));
  return found;
}

/// Streams share the threads; energy is counted where it can be, and told why where it cannot.
Status add_throughput(const Arguments &arguments, const Setting &setting, Figures &figures) {
  if (arguments.streams == 0 && !arguments.energy) return {};
  const int streams = static_cast<int>(std::max<std::int64_t>(1, arguments.streams));
  EDGEC_ASSIGN(const Candidate candidate,
               open_candidate(arguments, figures.model, {std::max(1, setting.threads / streams), setting.isa}));
  std::optional<EnergyMeter> meter;
  if (arguments.energy) {
    auto opened = EnergyMeter::open(EnergyMeter::system_root());
    if (opened)
      meter = *std::move(opened);
    else
      figures.energy_unread = opened.error().message;
  }
  EDGEC_ASSIGN(figures.throughput, measure_throughput(candidate.plan, candidate.sample, streams, arguments.seconds,
                                                      meter ? &*meter : nullptr));
  return {};
}

Latency latency_of(std::vector<double> seconds, const Plan &plan) {
  std::ranges::sort(seconds);
  return {std::move(seconds), {}, plan.arena_bytes(), plan.scratch_bytes()};
}

/// One network, or two in turns with how many times as long the first takes.
Result<std::vector<Figures>> measure(const Arguments &arguments, const Setting &setting,
                                     std::optional<LatencyRatio> &ratio) {
  EDGEC_ASSIGN(const Candidate first, open_candidate(arguments, arguments.model, setting));
  std::vector<Figures> all;
  if (arguments.compare.empty()) {
    EDGEC_ASSIGN(Latency latency, measure_latency(first.plan, first.sample, arguments.latency()));
    all.push_back({arguments.model, std::move(latency), {}, {}});
  } else {
    EDGEC_ASSIGN(const Candidate second, open_candidate(arguments, arguments.compare, setting));
    EDGEC_ASSIGN(const PairedLatency pair,
                 measure_pair(first.plan, first.sample, second.plan, second.sample, arguments.latency()));
    ratio = latency_ratio(pair);
    all.push_back({arguments.model, latency_of(pair.first, *first.plan), {}, {}});
    all.push_back({arguments.compare, latency_of(pair.second, *second.plan), {}, {}});
  }
  for (Figures &figures : all) EDGEC_CHECK(add_throughput(arguments, setting, figures));
  return all;
}

std::string json_text(const Arguments &arguments, const Setting &setting, const std::vector<Figures> &all,
                      const std::optional<LatencyRatio> &ratio) {
  Json object = json_of(arguments, setting, all.front());
  if (ratio) {
    object["compared"] = json_of(arguments, setting, all.back());
    object["compared"].erase("schema");
    object["faster"] = {{"ratio", ratio->ratio}, {"low", ratio->low}, {"high", ratio->high}};
  }
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Outcome> run(const Arguments &arguments) {
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  const Setting setting{arguments.run.threads(), isa};
  std::optional<LatencyRatio> ratio;
  EDGEC_ASSIGN(const std::vector<Figures> all, measure(arguments, setting, ratio));
  if (arguments.json)
    print(json_text(arguments, setting, all, ratio));
  else if (arguments.csv)
    print(csv_of(setting, all, ratio ? &*ratio : nullptr));
  else {
    for (const Figures &figures : all) print_text(text_of(arguments, setting, figures));
    if (ratio) print_text(ratio_text(arguments.compare, *ratio, all.front().latency.seconds.size()));
  }
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("MODEL", &arguments->model, "the network, .onnx or .edgec");
  arguments->data.declare(options, false);
  arguments->run.declare(options);
  arguments->edits.declare_fixed(options);
  options.add("--runs", "N", &arguments->runs, "at least so many runs").between(1, 100'000);
  options.add("--seconds", "S", &arguments->seconds, "and at least so long").between(0, 3600);
  options
      .add("--streams", "N", &arguments->streams,
           "also run so many networks side by side, which share the threads: inferences a second")
      .between(1, 4096);
  options.flag("--energy", &arguments->energy,
               "also measure joules of an inference, by the processor's counters (RAPL), what it takes at rest apart");
  options.add("--compare", "OTHER", &arguments->compare,
              "another network, run in turns with the first: how many times faster, with 95 % confidence");
  options.flag("--profile", &arguments->profile, "the time of each step").needs("with --compare", [arguments] {
    return arguments->compare.empty();
  });
  options.flag("--reference-kernels", &arguments->reference_kernels,
               "run the plain definition of every operator (slow)");
  options.flag("--json", &arguments->json, "as JSON");
  options.flag("--csv", &arguments->csv, "as CSV: a heading and a line for each network");
  return [arguments, &options] {
    for (const std::string &sentence : options.idle()) warn(sentence);
    return run(*arguments);
  };
}

} // namespace

extern const CommandDef bench;
const CommandDef bench{"bench", "Measure latency, throughput, energy and memory, and the time of each operator",
                       "  edgec bench model.onnx --threads 1 --profile\n"
                       "  edgec bench model.onnx --compare model.int8.onnx --threads 1\n"
                       "  edgec bench model.onnx --streams 4 --energy\n",
                       declare};

} // namespace edgec::commands
