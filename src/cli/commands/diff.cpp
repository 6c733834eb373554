// edgec diff: what differs between two networks as they are written, without running them.
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "job/model_file.h"
#include "measure/fidelity_text.h"
#include "measure/graph_diff.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "support/cancel.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string a, b;
  bool json = false;
};

/// Figures of sizes that are compared side by side.
struct Size {
  const char *name;
  std::uint64_t a, b;
};

std::vector<Size> sizes_of(const Model &a, const Model &b) {
  const GraphSizes of_a = measure_sizes(a.graph, all_ops()), of_b = measure_sizes(b.graph, all_ops());
  return {{"bytes", a.source_bytes, b.source_bytes},
          {"nodes", of_a.nodes, of_b.nodes},
          {"parameters", of_a.parameters, of_b.parameters},
          {"non-zero parameters", of_a.nonzero_parameters, of_b.nonzero_parameters},
          {"parameter bytes", of_a.parameter_bytes, of_b.parameter_bytes},
          {"MACs", static_cast<std::uint64_t>(of_a.macs), static_cast<std::uint64_t>(of_b.macs)}};
}

std::string shown(const std::string &text) { return text.empty() ? "-" : text; }

std::string weight_text(const WeightDifference &weight) {
  std::string text = fmt::format("operand {} {}: ", weight.operand, weight.name);
  text += weight.type_a == weight.type_b ? weight.type_a : fmt::format("{} -> {}", weight.type_a, weight.type_b);
  if (!weight.noise) return text;
  return text + fmt::format(", largest change {:.3g} of {:.3g}, SQNR {}", weight.noise->max_error,
                            weight.noise->max_reference, sqnr_text(*weight.noise));
}

std::string text_of(const Arguments &arguments, const GraphDiff &diff, const std::vector<Size> &sizes) {
  std::string text = fmt::format("- {}\n+ {}\n", arguments.a, arguments.b);
  Table table({"", "-", "+"});
  for (const Size &size : sizes)
    if (size.a != size.b) table.add({size.name, grouped(size.a), grouped(size.b)});
  for (const auto &[op, count] : diff.operators) table.add({op, grouped(count.first), grouped(count.second)});
  if (!table.empty()) text += table.text(output_width());
  for (const Difference &change : diff.model)
    text += fmt::format("{}: {} -> {}\n", change.what, shown(change.a), shown(change.b));
  for (const std::string &node : diff.only_a) text += fmt::format("- {}\n", node);
  for (const std::string &node : diff.only_b) text += fmt::format("+ {}\n", node);
  for (const NodeDiff &node : diff.nodes) {
    text += fmt::format("{} ({})\n", node.label, node.op);
    for (const Difference &change : node.changes)
      text += fmt::format("  {}: {} -> {}\n", change.what, shown(change.a), shown(change.b));
    for (const WeightDifference &weight : node.weights) text += fmt::format("  {}\n", weight_text(weight));
  }
  return text + (diff.same() ? "the same network\n" : fmt::format("{} nodes are the same\n", diff.equal_nodes));
}

Json to_json(const std::vector<Difference> &changes) {
  Json list = Json::array();
  for (const Difference &change : changes)
    list.push_back({{"what", change.what},
                    {"a", change.a.empty() ? Json() : Json(change.a)},
                    {"b", change.b.empty() ? Json() : Json(change.b)}});
  return list;
}

Json to_json(const WeightDifference &weight) {
  Json object{{"operand", weight.operand}, {"name", weight.name}, {"type_a", weight.type_a}, {"type_b", weight.type_b}};
  const auto finite = [](double number) { return std::isfinite(number) ? Json(number) : Json(); };
  object["max_error"] = weight.noise ? finite(weight.noise->max_error) : Json();
  const auto sqnr = weight.noise ? weight.noise->sqnr_db() : std::nullopt;
  object["sqnr_db"] = sqnr ? finite(*sqnr) : Json();
  return object;
}

std::string json_of(const Arguments &arguments, const GraphDiff &diff, const std::vector<Size> &sizes) {
  Json object{{"schema", "edgec-diff/1"}, {"a", arguments.a}, {"b", arguments.b}, {"same", diff.same()}};
  object["sizes"] = Json::object();
  for (const Size &size : sizes) object["sizes"][size.name] = {size.a, size.b};
  object["operators"] = Json::object();
  for (const auto &[op, count] : diff.operators) object["operators"][op] = {count.first, count.second};
  object["model"] = to_json(diff.model);
  object["only_a"] = diff.only_a;
  object["only_b"] = diff.only_b;
  object["nodes"] = Json::array();
  for (const NodeDiff &node : diff.nodes) {
    Json entry{
        {"node", node.label}, {"operator", node.op}, {"changes", to_json(node.changes)}, {"weights", Json::array()}};
    for (const WeightDifference &weight : node.weights) entry["weights"].push_back(to_json(weight));
    object["nodes"].push_back(std::move(entry));
  }
  object["equal_nodes"] = diff.equal_nodes;
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Outcome> run(const Arguments &arguments) {
  EDGEC_ASSIGN(const Model a, read_model(arguments.a));
  EDGEC_ASSIGN(const Model b, read_model(arguments.b));
  const GraphDiff diff = diff_models(a, b);
  const std::vector<Size> sizes = sizes_of(a, b);
  EDGEC_CHECK(check_interrupted());
  arguments.json ? print(json_of(arguments, diff, sizes)) : print_text(text_of(arguments, diff, sizes));
  return diff.same() ? Outcome::done : Outcome::missed;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("A", &arguments->a, "a network, .onnx or .edgec");
  options.argument("B", &arguments->b, "the network to compare with it");
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef diff;
const CommandDef diff{
    "diff", "What differs between two networks: operators, attributes, connections, weights, sizes; status 1 if any",
    "  edgec diff model.onnx model.optimized.onnx\n", declare};

} // namespace edgec::commands
