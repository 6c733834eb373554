// edgec inspect: what a network is, without running it.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "formats/flat/flat.h"
#include "job/model_file.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "support/cancel.h"
#include "support/file.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model;
  bool layers = false, json = false;
};

/// The constant that says most of a layer: the largest.
const TensorSizes *largest(const LayerSizes &layer) {
  const auto found = std::ranges::max_element(layer.constants, {}, &TensorSizes::elements);
  return found == layer.constants.end() ? nullptr : &*found;
}

std::string shape_text(const std::optional<Dims> &dims) {
  return dims ? fmt::format("{}", fmt::join(*dims, "x")) : std::string("-");
}

struct Parameters {
  std::uint64_t count = 0, bytes = 0;
};

Parameters parameters_of(const LayerSizes &layer) {
  Parameters sum;
  for (const TensorSizes &constant : layer.constants) {
    if (!constant.parameter) continue;
    sum.count += constant.elements;
    sum.bytes += constant.bytes;
  }
  return sum;
}

/// As long as a layer's part of the largest one's bytes.
std::string bar(std::uint64_t bytes, std::uint64_t most) {
  constexpr double longest = 8;
  const double share = most == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(most);
  return std::string(static_cast<std::size_t>(std::ceil(longest * share)), '#');
}

std::string layer_table(const GraphSizes &sizes) {
  constexpr std::size_t room_for_bars = 100;
  const std::size_t width = output_width();
  const bool bars = width == 0 || width >= room_for_bars;
  std::vector<std::string> heading{"layer", "operator", "output",   "parameters", "bytes",
                                   "MACs",  "zeros",    "distinct", "bits"};
  if (bars) heading.push_back("of the largest");
  Table table(std::move(heading));
  std::uint64_t most = 0;
  for (const LayerSizes &layer : sizes.layers) most = std::max(most, parameters_of(layer).bytes);
  for (const LayerSizes &layer : sizes.layers) {
    const auto [parameters, bytes] = parameters_of(layer);
    const TensorSizes *weight = largest(layer);
    const auto zeros =
        weight == nullptr ? "-" : percent(static_cast<double>(weight->zeros), static_cast<double>(weight->elements));
    std::vector<std::string> row{layer.label,
                                 layer.op,
                                 shape_text(layer.output),
                                 grouped(parameters),
                                 grouped(bytes),
                                 layer.macs ? grouped(static_cast<std::uint64_t>(*layer.macs)) : "-",
                                 zeros,
                                 weight == nullptr ? "-" : grouped(weight->distinct),
                                 weight == nullptr ? "-" : fmt::to_string(weight->bits)};
    if (bars) row.push_back(bar(bytes, most));
    table.add(std::move(row));
  }
  return table.text(width);
}

std::string operators_text(const GraphSizes &sizes) {
  std::vector<std::pair<std::string, std::size_t>> counts(sizes.operators.begin(), sizes.operators.end());
  std::ranges::stable_sort(counts, std::ranges::greater{}, &std::pair<std::string, std::size_t>::second);
  std::vector<std::string> parts;
  for (const auto &[op, count] : counts) parts.push_back(fmt::format("{} {}", op, count));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string opsets_text(const Opsets &opsets) {
  std::vector<std::string> parts;
  for (const auto &[domain, version] : opsets)
    parts.push_back(domain.empty() ? fmt::to_string(version) : fmt::format("{} {}", domain, version));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// " at batch = 1, sequence = 1": the dims that figures hold for; nothing where all are known.
std::string at_text(const std::vector<std::string> &unit_dims) {
  std::vector<std::string> parts;
  for (const std::string &dim : unit_dims) parts.push_back(dim == "?" ? "unnamed dimensions = 1" : dim + " = 1");
  return parts.empty() ? "" : fmt::format(" at {}", fmt::join(parts, ", "));
}

/// What an .edgec file spends its bytes on: sections by kind, those in parts by how these are packed.
std::string sections_text(const FlatInfo &info, std::uint64_t file_bytes) {
  std::map<std::string, std::uint64_t> spent;
  std::vector<std::string> order;
  std::uint64_t told = 0;
  const auto spend = [&](const std::string &what, std::uint64_t bytes) {
    if (!spent.contains(what)) order.push_back(what);
    spent[what] += bytes;
    told += bytes;
  };
  for (const FlatSection &section : info.sections) {
    if (section.parts.empty()) spend(fmt::format("{} ({})", section.kind, section.encoding), section.stored_bytes);
    for (const FlatSection &part : section.parts)
      spend(fmt::format("{} ({})", section.kind, part.encoding), part.stored_bytes);
  }
  std::vector<std::string> parts;
  for (const std::string &what : order) parts.push_back(fmt::format("{} {}", what, grouped(spent[what])));
  return fmt::format("{}, tables and gaps {}", fmt::join(parts, ", "), grouped(file_bytes - told));
}

std::string text_of(const Arguments &arguments, const Model &model, const GraphSizes &sizes,
                    const std::optional<FlatInfo> &flat) {
  const Graph &graph = model.graph;
  std::string text = fmt::format("{}\n", arguments.model);
  const auto line = [&](std::string_view what, const std::string &value) {
    text += fmt::format("  {:<12}{}\n", what, value);
  };
  line("bytes", grouped(model.source_bytes));
  if (flat) line("spent on", sections_text(*flat, model.source_bytes));
  line("sha256", model.source_sha256);
  line("opset", opsets_text(graph.opsets));
  for (const ValueId id : graph.inputs())
    line("input", fmt::format("{}  {}", graph.value(id).name, to_string(graph.value(id).type)));
  for (const GraphOutput &output : graph.outputs())
    line("output", fmt::format("{}  {}", output.name, to_string(graph.value(output.value).type)));
  line("operators", operators_text(sizes));
  line("nodes", grouped(sizes.nodes));
  if (const std::string precision = precision_text(sizes); !precision.empty()) line("precision", precision);
  line("parameters",
       fmt::format("{} in {} of weights; {} zero", grouped(sizes.parameters), bytes_text(sizes.parameter_bytes),
                   percent(static_cast<double>(sizes.parameters - sizes.nonzero_parameters),
                           static_cast<double>(sizes.parameters))));
  line("MACs",
       grouped(static_cast<std::uint64_t>(sizes.macs)) + at_text(sizes.unit_dims) +
           (sizes.macs_unknown > 0 ? fmt::format(", not counting {} nodes of unknown shape", sizes.macs_unknown) : ""));
  for (const std::string &note : model.notes) line("note", note);
  if (arguments.layers) text += "\n" + layer_table(sizes);
  return text;
}

Json to_json(const TensorSizes &tensor) {
  return {{"name", tensor.name},   {"type", to_string(tensor.type)}, {"elements", tensor.elements},
          {"bytes", tensor.bytes}, {"zeros", tensor.zeros},          {"distinct", tensor.distinct},
          {"bits", tensor.bits},   {"parameter", tensor.parameter}};
}

Json to_json(const LayerSizes &layer) {
  Json object{{"name", layer.label}, {"operator", layer.op}, {"output", nullptr}, {"macs", nullptr}};
  if (layer.output) object["output"] = *layer.output;
  if (layer.macs) object["macs"] = *layer.macs;
  object["tensors"] = Json::array();
  for (const TensorSizes &constant : layer.constants) object["tensors"].push_back(to_json(constant));
  return object;
}

Json to_json(const FlatSection &section) {
  Json object{{"kind", section.kind},
              {"encoding", section.encoding},
              {"bytes", section.stored_bytes},
              {"raw_bytes", section.raw_bytes}};
  if (section.parts.empty()) return object;
  object["parts"] = Json::array();
  for (const FlatSection &part : section.parts) object["parts"].push_back(to_json(part));
  return object;
}

std::string json_of(const Arguments &arguments, const Model &model, const GraphSizes &sizes,
                    const std::optional<FlatInfo> &flat) {
  const Graph &graph = model.graph;
  Json object{{"schema", "edgec-inspect/1"},
              {"file", arguments.model},
              {"bytes", model.source_bytes},
              {"sha256", model.source_sha256}};
  if (flat) {
    object["sections"] = Json::array();
    for (const FlatSection &section : flat->sections) object["sections"].push_back(to_json(section));
  }
  object["opsets"] = Json::object();
  for (const auto &[domain, opset] : graph.opsets) object["opsets"][domain.empty() ? "ai.onnx" : domain] = opset;
  object["inputs"] = Json::array();
  for (const ValueId id : graph.inputs())
    object["inputs"].push_back({{"name", graph.value(id).name}, {"type", to_string(graph.value(id).type)}});
  object["outputs"] = Json::array();
  for (const GraphOutput &output : graph.outputs())
    object["outputs"].push_back({{"name", output.name}, {"type", to_string(graph.value(output.value).type)}});
  object["nodes"] = sizes.nodes;
  object["operators"] = sizes.operators;
  object["parameters"] = sizes.parameters;
  object["nonzero_parameters"] = sizes.nonzero_parameters;
  object["parameter_bytes"] = sizes.parameter_bytes;
  object["macs"] = sizes.macs;
  object["macs_unknown"] = sizes.macs_unknown;
  object["macs_at"] = Json::object();
  for (const std::string &dim : sizes.unit_dims) object["macs_at"][dim] = 1;
  object["precision"] = precision_text(sizes);
  object["notes"] = model.notes;
  object["metadata"] = Json::object();
  for (const auto &[key, value] : model.metadata) object["metadata"][key] = value;
  if (arguments.layers) {
    object["layers"] = Json::array();
    for (const LayerSizes &layer : sizes.layers) object["layers"].push_back(to_json(layer));
  }
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; // names may be no UTF-8
}

/// Of an .edgec file; nothing for others, and for a stream.
Result<std::optional<FlatInfo>> sections_of(const std::string &path) {
  if (path == "-") return std::optional<FlatInfo>();
  EDGEC_ASSIGN(const Storage file, map_file(path));
  if (!is_flat(file.bytes())) return std::optional<FlatInfo>();
  EDGEC_ASSIGN(FlatInfo info, describe_flat(file).in(path));
  return std::optional(std::move(info));
}

Result<Outcome> run(const Arguments &arguments) {
  EDGEC_ASSIGN(const std::optional<FlatInfo> flat, sections_of(arguments.model));
  ReadOptions as_stored;
  as_stored.fold = false;
  EDGEC_ASSIGN(Model model, read_model(arguments.model, as_stored));
  const auto operators = count_operators(model.graph);
  const std::size_t nodes = count_nodes(model.graph);
  EDGEC_ASSIGN(const FormatDef *format, format_of_file(arguments.model));
  if (format->normalize != nullptr) EDGEC_CHECK(format->normalize(model.graph).in(arguments.model));
  GraphSizes sizes = measure_sizes(model.graph, all_ops());
  sizes.operators = operators;
  sizes.nodes = nodes;
  EDGEC_CHECK(check_interrupted());
  arguments.json ? print(json_of(arguments, model, sizes, flat)) : print_text(text_of(arguments, model, sizes, flat));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("MODEL", &arguments->model, "the network, .onnx or .edgec; - is standard input");
  options.flag("--layers", &arguments->layers,
               "each layer with its parameters, bytes and a bar of them, MACs, zeros, distinct values and bits");
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef inspect;
const CommandDef inspect{"inspect",
                         "Show inputs, outputs, operators, parameters, bytes, MACs, zeros and bits of a network",
                         "  edgec inspect model.onnx --layers\n", declare};

} // namespace edgec::commands
