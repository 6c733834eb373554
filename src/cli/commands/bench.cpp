// edgec bench: how long one run takes, and what memory it needs.
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "job/dataset.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "kernels/isa.h"
#include "measure/latency.h"
#include "ops/registry.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model;
  DataFlags data;
  RunFlags run;
  EditFlags edits;
  std::int64_t runs = 20;
  double seconds = 1;
  bool profile = false, json = false, reference_kernels = false;
};

/// What was measured under which conditions.
struct Setting {
  int threads;
  Isa isa;
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

std::string text_of(const Arguments &arguments, const Setting &setting, const Latency &latency) {
  const auto milliseconds = [&](double share) { return 1e3 * latency.quantile(share); };
  std::string text = fmt::format("{}, {} thread{}, {}\n", arguments.model, setting.threads,
                                 setting.threads == 1 ? "" : "s", name(setting.isa));
  text += fmt::format("  {:<12}{:.3f} ms\n", "median", milliseconds(0.5));
  text += fmt::format("  {:<12}{:.3f} ms\n", "p90", milliseconds(0.9));
  text += fmt::format("  {:<12}+- {:.1f} % (quartiles), {:.3f} to {:.3f} ms in {} runs\n", "spread",
                      100 * latency.spread(), milliseconds(0), milliseconds(1), latency.seconds.size());
  text +=
      fmt::format("  {:<12}{} of values, {} of scratch; the process held at most {}\n", "memory",
                  bytes_text(latency.arena_bytes), bytes_text(latency.scratch_bytes), bytes_text(peak_memory_bytes()));
  return arguments.profile ? text + profile_text(latency) : text;
}

std::string json_of(const Arguments &arguments, const Setting &setting, const Latency &latency) {
  Json object{{"schema", "edgec-bench/1"},
              {"model", arguments.model},
              {"threads", setting.threads},
              {"isa", name(setting.isa)},
              {"runs", latency.seconds.size()},
              {"median_seconds", latency.quantile(0.5)},
              {"p90_seconds", latency.quantile(0.9)},
              {"least_seconds", latency.quantile(0)},
              {"most_seconds", latency.quantile(1)},
              {"spread", latency.spread()},
              {"arena_bytes", latency.arena_bytes},
              {"scratch_bytes", latency.scratch_bytes},
              {"peak_memory_bytes", peak_memory_bytes()}};
  if (arguments.profile) {
    object["steps"] = Json::array();
    for (const StepTime &step : latency.steps)
      object["steps"].push_back({{"name", step.step.label},
                                 {"operator", step.step.op},
                                 {"kernel", step.step.kernel},
                                 {"seconds", step.seconds},
                                 {"macs", step.step.macs}});
  }
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Outcome> run(const Arguments &arguments) {
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  EDGEC_ASSIGN(const Model model, read_model(arguments.model, {}, &arguments.edits));
  EDGEC_ASSIGN(const Dataset data, arguments.data.path.empty()
                                       ? synthetic_dataset(model.graph, 1, arguments.run.seed)
                                       : open_dataset(arguments.data, model.graph, arguments.run.seed));
  EDGEC_ASSIGN(const Sample sample, data.samples->load(0));
  std::vector<Type> types;
  for (const Tensor &tensor : sample) types.push_back(Type::of(tensor));
  const Setting setting{arguments.run.threads(), isa};
  PlanOptions options;
  options.isa = isa;
  options.threads = setting.threads;
  options.reference = arguments.reference_kernels;
  EDGEC_ASSIGN(const auto plan, Plan::compile(model.graph, all_ops(), types, options).in(arguments.model));
  LatencyOptions wanted;
  wanted.least_runs = static_cast<std::size_t>(arguments.runs);
  wanted.least_seconds = arguments.seconds;
  EDGEC_ASSIGN(const Latency latency, measure_latency(plan, sample, wanted));
  arguments.json ? print(json_of(arguments, setting, latency)) : print_text(text_of(arguments, setting, latency));
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
  options.flag("--profile", &arguments->profile, "the time of each step");
  options.flag("--reference-kernels", &arguments->reference_kernels,
               "run the plain definition of every operator (slow)");
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef bench;
const CommandDef bench{"bench", "Measure latency (median, p90, spread) and memory, and the time of each operator",
                       "  edgec bench model.onnx --threads 1 --profile\n", declare};

} // namespace edgec::commands
