// edgec view: a network as a page to look at.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "job/rewrite.h"
#include "job/version.h"
#include "measure/picture.h"
#include "ops/registry.h"
#include "report/report_file.h"
#include "support/file.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string model;
  OutputFlags output;
};

/// What a report says of a network that is the result of nothing.
Report described(const std::string &path, const Model &model) {
  const GraphSizes sizes = measure_sizes(model.graph, all_ops());
  Report report;
  report.provenance = {.version = version(), .command = "view", .input = path, .input_sha256 = model.source_sha256};
  report.after = ModelFigures::of(sizes, model.source_bytes);
  report.notes = model.notes;
  report.layers = layer_figures(sizes);
  report.nodes = picture_of(model.graph, sizes);
  add_weight_histograms(model.graph, all_ops(), report.layers);
  return report;
}

Result<Outcome> run(const Arguments &arguments) {
  constexpr std::string_view endings[] = {".html"};
  const auto &[given, force] = arguments.output;
  const std::string path = given.empty() ? default_output(arguments.model, ".html") : given;
  EDGEC_CHECK(check_ending(path, endings).in("-o"));
  const std::vector<std::string> inputs{arguments.model};
  EDGEC_CHECK(check_output(path, inputs, force));
  EDGEC_ASSIGN(const Model model, read_model(arguments.model));
  const std::string text = network_page(nlohmann::ordered_json::parse(report_json(described(arguments.model, model))));
  EDGEC_CHECK(write_file(path, text, force));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("MODEL", &arguments->model, "the network, .onnx or .edgec");
  arguments->output.declare(options, "the page to write (default the model's name with .html, in this folder)");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef view;
const CommandDef view{"view", "Write a page to look at a network: sizes by layer, weights, the graph",
                      "  edgec view model.onnx -o model.html\n", declare};

} // namespace edgec::commands
