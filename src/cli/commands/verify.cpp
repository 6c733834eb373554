// edgec verify: are two networks the same function?
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "job/dataset.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "job/target_flags.h"
#include "measure/fidelity.h"
#include "measure/fidelity_text.h"
#include "measure/node_compare.h"
#include "ops/registry.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string reference, test;
  double rtol = 1e-4, atol = 0;
  bool per_node = false, json = false;
  DataFlags data;
  RunFlags run;
  TargetFlags target;
  EditFlags edits;
};

constexpr std::size_t synthetic_samples = 8;

bool within(const Arguments &arguments, const Noise &noise) {
  return noise.max_error <= arguments.atol + arguments.rtol * noise.max_reference;
}

struct Verdict {
  Fidelity fidelity;
  std::vector<NodeDifference> nodes; ///< with --per-node
  std::string samples;
  bool same = true;
  [[nodiscard]] const NodeDifference *first(const Arguments &arguments) const {
    const auto found =
        std::ranges::find_if(nodes, [&](const NodeDifference &node) { return !within(arguments, node.noise); });
    return found == nodes.end() ? nullptr : &*found;
  }
  /// The node whose noise is largest beside its signal.
  [[nodiscard]] const NodeDifference *worst() const {
    const auto ratio = [](const NodeDifference &node) {
      return node.noise.noise == 0 ? 0 : node.noise.signal > 0 ? node.noise.noise / node.noise.signal : INFINITY;
    };
    const auto found = std::ranges::max_element(nodes, {}, ratio);
    return found == nodes.end() || found->noise.noise == 0 ? nullptr : &*found;
  }
};

std::string node_line(const char *what, const NodeDifference &node) {
  return fmt::format("{}: {} ({}) against {}: SQNR {}, largest error {:.3g} of {:.3g}\n", what, node.node, node.op,
                     node.reference, sqnr_text(node.noise), node.noise.max_error, node.noise.max_reference);
}

std::string nodes_text(const Arguments &arguments, const Verdict &verdict) {
  Table table({"node", "operator", "against", "SQNR", "largest error", "largest value", ""});
  for (const NodeDifference &node : verdict.nodes) {
    const bool compared = node.noise.count > 0;
    const auto number = [&](double value) { return compared ? fmt::format("{:.3g}", value) : "-"; };
    table.add({node.node, node.op, node.reference, compared ? sqnr_text(node.noise) : "-", number(node.noise.max_error),
               number(node.noise.max_reference), node.remark()});
  }
  std::string text = "\n" + table.text(output_width());
  const NodeDifference *first = verdict.first(arguments), *worst = verdict.worst();
  text += first != nullptr ? node_line("first difference", *first) : "first difference: none beyond the tolerance\n";
  if (worst != nullptr) text += node_line("worst difference", *worst);
  return text;
}

std::string text_of(const Arguments &arguments, const Verdict &verdict) {
  std::string text = fmt::format("{} against {} on {}\n", arguments.test, arguments.reference, verdict.samples);
  text += fidelity_text(verdict.fidelity);
  for (const OutputNoise &output : verdict.fidelity.outputs)
    if (!within(arguments, output.noise))
      text += fmt::format("DIFFERENT: {}: largest error {:.3g}, allowed {:.3g}\n", output.name, output.noise.max_error,
                          arguments.atol + arguments.rtol * output.noise.max_reference);
  if (verdict.same) text += "the same within the tolerance\n";
  return arguments.per_node ? text + nodes_text(arguments, verdict) : text;
}

Json to_json(const NodeDifference &node) {
  const auto sqnr = node.noise.sqnr_db();
  const auto number = [&](double value) { return node.noise.count > 0 && std::isfinite(value) ? Json(value) : Json(); };
  return {{"node", node.node},
          {"operator", node.op},
          {"reference", node.reference},
          {"sqnr_db", sqnr && std::isfinite(*sqnr) ? Json(*sqnr) : Json()},
          {"max_error", number(node.noise.max_error)},
          {"max_reference", number(node.noise.max_reference)},
          {"remark", node.remark().empty() ? Json() : Json(node.remark())}};
}

std::string json_of(const Arguments &arguments, const Verdict &verdict) {
  Json object{{"schema", "edgec-verify/1"}, {"reference", arguments.reference}, {"model", arguments.test},
              {"data", verdict.samples},    {"rtol", arguments.rtol},           {"atol", arguments.atol},
              {"same", verdict.same}};
  object.update(edgec::to_json(verdict.fidelity));
  if (arguments.per_node) {
    const NodeDifference *first = verdict.first(arguments), *worst = verdict.worst();
    object["first_difference"] = first != nullptr ? to_json(*first) : Json();
    object["worst_difference"] = worst != nullptr ? to_json(*worst) : Json();
    object["nodes"] = Json::array();
    for (const NodeDifference &node : verdict.nodes) object["nodes"].push_back(to_json(node));
  }
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Outcome> run(const Arguments &arguments) {
  ProgressLine line({{"reading", 1}, {"running samples", 10}, {"comparing nodes", 2}});
  line.begin("reading");
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  EDGEC_ASSIGN(const Model reference, read_model(arguments.reference, {}, &arguments.edits));
  const EditFlags beside = arguments.edits.beside();
  EDGEC_ASSIGN(const Model test, read_model(arguments.test, {}, &beside));
  if (arguments.data.path.empty()) warn(fmt::format("without --data: {} synthetic samples", synthetic_samples));
  EDGEC_ASSIGN(const Dataset data, arguments.data.path.empty()
                                       ? synthetic_dataset(reference.graph, synthetic_samples, arguments.run.seed)
                                       : open_dataset(arguments.data, reference.graph, arguments.run.seed));
  const FidelityOptions options{.threads = arguments.run.threads(),
                                .isa = isa,
                                .test_ops = &arguments.target.ops(),
                                .indices = data.indices,
                                .step = line.counter("running samples", data.indices.size())};
  Verdict verdict;
  verdict.samples = data.description;
  EDGEC_ASSIGN(verdict.fidelity, measure_fidelity(&reference.graph, test.graph, all_ops(), *data.samples, options));
  for (const OutputNoise &output : verdict.fidelity.outputs)
    verdict.same = verdict.same && within(arguments, output.noise);
  if (arguments.per_node) {
    line.begin("comparing nodes");
    EDGEC_ASSIGN(const auto samples, first_samples(data, node_samples));
    EDGEC_ASSIGN(verdict.nodes, compare_nodes(reference.graph, test.graph, all_ops(), samples, isa));
  }
  if (arguments.json)
    print(json_of(arguments, verdict));
  else
    (verdict.same ? print_report : print_text)(text_of(arguments, verdict));
  return verdict.same ? Outcome::done : Outcome::missed;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("A", &arguments->reference, "the reference, .onnx or .edgec");
  options.argument("B", &arguments->test, "the network to compare with it");
  arguments->data.declare(options, false);
  options.group("Comparing");
  options
      .add("--rtol", "X", &arguments->rtol, "an error may be so much of the output's largest element; more is status 1")
      .between(0, 1e6);
  options.add("--atol", "X", &arguments->atol, "plus so much").between(0, 1e30);
  options.flag("--per-node", &arguments->per_node,
               "compare node by node on the first samples; names the first and the worst difference");
  arguments->target.declare(options);
  arguments->run.declare(options);
  arguments->edits.declare_fixed(options);
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef verify;
const CommandDef verify{"verify",
                        "Are two networks the same function? Largest error, SQNR and agreement of each output",
                        "  edgec verify model.onnx model.int8.onnx --data x.npz --rtol 0.05 --per-node\n", declare};

} // namespace edgec::commands
