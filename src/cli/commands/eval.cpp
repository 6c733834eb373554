// edgec eval: how often a network is right, and how faithful it is to a reference.
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "job/dataset.h"
#include "job/doubts.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/metric_flags.h"
#include "job/model_file.h"
#include "job/target_flags.h"
#include "measure/fidelity.h"
#include "measure/fidelity_text.h"
#include "ops/registry.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string model, reference;
  DataFlags data;
  MetricFlags metric;
  RunFlags run;
  TargetFlags target;
  EditFlags edits;
  bool json = false, reference_kernels = false;
};

std::string json_of(const Arguments &arguments, const Dataset &data, const Fidelity &fidelity) {
  nlohmann::ordered_json object{{"schema", "edgec-eval/1"}, {"model", arguments.model}, {"data", data.description}};
  if (!arguments.reference.empty()) object["reference"] = arguments.reference;
  object.update(to_json(fidelity));
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string text_of(const Arguments &arguments, const Dataset &data, const Fidelity &fidelity) {
  std::string text = fmt::format("{} on {}\n", arguments.model, data.description);
  if (fidelity.test_accuracy) text += accuracy_text(*fidelity.test_accuracy);
  if (fidelity.score) text += score_text(*fidelity.score);
  if (!fidelity.compared) return text;
  text += fmt::format("against {}\n", arguments.reference);
  if (fidelity.reference_accuracy) text += accuracy_text(*fidelity.reference_accuracy);
  return text + fidelity_text(fidelity);
}

Result<Outcome> run(const Arguments &arguments) {
  ProgressLine line({{"reading", 1}, {"running samples", 10}});
  line.begin("reading");
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  EDGEC_ASSIGN(const Model model, read_model(arguments.model, {}, &arguments.edits));
  std::optional<Model> reference;
  if (!arguments.reference.empty()) {
    const EditFlags beside = arguments.edits.beside();
    EDGEC_ASSIGN(reference, read_model(arguments.reference, {}, &beside));
  }
  DataFlags flags = arguments.data;
  flags.labelled = !arguments.metric.wants_boxes();
  EDGEC_ASSIGN(const Dataset data, open_dataset(flags, model.graph, arguments.run.seed));
  EDGEC_ASSIGN(const auto metric, arguments.metric.metric(data, arguments.data.labels, model.graph));
  const bool compares = arguments.metric.name == "agreement" || arguments.metric.name == "sqnr";
  if (compares && !reference)
    return usage_error(fmt::format("--metric {}: compares with a network; give --reference", arguments.metric.name));
  if (!data.labels && !reference && !metric)
    return usage_error(fmt::format("{}: has no labels: give --labels to measure accuracy, --reference to compare, or "
                                   "--metric-command",
                                   arguments.data.path));
  FidelityOptions options{.threads = arguments.run.threads(),
                          .isa = isa,
                          .reference_kernels = arguments.reference_kernels,
                          .test_ops = &arguments.target.ops(),
                          .indices = data.indices,
                          .labels = data.labels ? &data.labels->classes : nullptr,
                          .metric = metric ? &*metric : nullptr,
                          .step = line.counter("running samples", data.indices.size())};
  EDGEC_ASSIGN(const Fidelity fidelity, measure_fidelity(reference ? &reference->graph : nullptr, model.graph,
                                                         all_ops(), *data.samples, options));
  if (fidelity.foreign_labels > 0)
    warn(fmt::format("{}: {} of {} labels are not classes of the network: accuracy was not measured",
                     arguments.data.labels.empty() ? arguments.data.path : arguments.data.labels,
                     fidelity.foreign_labels, fidelity.samples));
  const auto &accuracy = fidelity.reference_accuracy ? fidelity.reference_accuracy : fidelity.test_accuracy;
  if (accuracy)
    if (const auto doubt = chance_warning(*accuracy, class_count(model.graph))) warn(*doubt);
  arguments.json ? print(json_of(arguments, data, fidelity)) : print_text(text_of(arguments, data, fidelity));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("MODEL", &arguments->model, "the network, .onnx or .edgec");
  arguments->data.declare(options, true);
  options.group("Comparing");
  arguments->metric.declare(options, "");
  options.add("--reference", "R", &arguments->reference,
              "also measure agreement with this network and the SQNR of its outputs");
  arguments->target.declare(options);
  arguments->run.declare(options);
  arguments->edits.declare_fixed(options);
  options.flag("--reference-kernels", &arguments->reference_kernels,
               "run the plain definition of every operator (slow)");
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments]() -> Result<Outcome> {
    if (arguments->data.path.empty()) return usage_error("--data is missing; see 'edgec eval --help'");
    return run(*arguments);
  };
}

} // namespace

extern const CommandDef eval;
const CommandDef eval{
    "eval", "Measure top-1 and top-5 with labels, agreement and SQNR against a reference",
    "  edgec eval model.onnx --data test.npz\n"
    "  edgec eval model.int8.onnx --reference model.onnx --data images/ --labels labels.csv --preprocess imagenet\n",
    declare};

} // namespace edgec::commands
