#include "job/rewrite.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tuple>

#include "formats/onnx/file_bytes.h"
#include "job/version.h"
#include "kernels/isa.h"
#include "ops/registry.h"

namespace edgec {
namespace {

void set_metadata(Metadata &metadata, const std::string &key, std::string value) {
  const auto found = std::ranges::find(metadata, key, &std::pair<std::string, std::string>::first);
  if (found != metadata.end())
    found->second = std::move(value);
  else
    metadata.emplace_back(key, std::move(value));
}

/// A bias may mask channels with -infinity.
Status check_weight(const Node &node, const Value &value, bool bias) {
  if (!is_float(value.data->dtype)) return {};
  const auto numbers = to_floats(*value.data);
  const auto bad = std::ranges::find_if(
      numbers, [&](float number) { return std::isnan(number) || (std::isinf(number) && !(bias && number < 0)); });
  if (bad == numbers.end()) return {};
  return bad_input(fmt::format("node {}: its weight {} holds {} at element {}", node.label(), value.name,
                               std::isnan(*bad) ? "a NaN" : "an infinity", bad - numbers.begin()));
}

/// Gives what is at `path` a second name beside it, or the name alone where the file system has no links; empty: there
/// is nothing.
std::string second_name(const std::string &path) {
  namespace fs = std::filesystem;
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(path, failed))) return {};
  std::string name;
  for (int i = 0; name.empty() || fs::exists(fs::symlink_status(name, failed)); ++i)
    name = fmt::format("{}.before{}", path, i);
  fs::create_hard_link(path, name, failed);
  if (failed) fs::rename(path, name, failed);
  return failed ? std::string() : name;
}

} // namespace

std::string default_output(const std::string &input, const std::string &ending) {
  const std::string stem = input == "-" ? "model" : std::filesystem::path(input).stem().string();
  return stem + ending;
}

Status check_weights(const Graph &graph) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = all_ops().find(node);
    if (op == nullptr || op->weights == nullptr) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (graph.constant(input) != nullptr) EDGEC_CHECK(check_weight(node, graph.value(input), i > 1));
    }
  }
  return {};
}

std::string options_text(const EffectiveOptions &options) {
  std::vector<std::string> texts;
  for (const auto &[key, value] : options) texts.push_back(key + "=" + value);
  return fmt::format("{}", fmt::join(texts, " "));
}

void add_provenance(Model &model, const EffectiveOptions &options, std::uint64_t seed, Isa isa,
                    const std::string &source_sha256) {
  set_metadata(model.metadata, "edgec.version", version());
  set_metadata(model.metadata, "edgec.options", options_text(options));
  set_metadata(model.metadata, "edgec.seed", fmt::to_string(seed));
  set_metadata(model.metadata, "edgec.isa", std::string(name(isa)));
  set_metadata(model.metadata, "edgec.source_sha256", source_sha256);
}

Result<Written> write_and_read_back(const Model &model, const std::string &path, const FormatDef &format,
                                    const FormatWriteOptions &options) {
  Written written;
  written.path = path;
  EDGEC_CHECK(write_model(model, path, format, options));
  if (path == "-") { // a stream cannot be read again
    written.model = model;
    written.stored = {model.graph, count_nodes(model.graph), false};
    return written;
  }
  // What was not changed is not read into memory a second time.
  std::vector<Storage> known;
  for (const ValueId id : model.graph.values())
    if (const Tensor *data = model.graph.constant(id)) known.push_back(data->data);
  ReadOptions reading;
  reading.onnx.known = &known;
  auto again = read_model(path, reading, nullptr, &written.stored);
  if (!again) return internal_error(fmt::format("the file written cannot be read again: {}", again.error().message));
  written.model = *std::move(again);
  written.bytes = written.model.source_bytes;
  return written;
}

Unverified::Unverified(const std::string &path) {
  if (path == "-") return;
  for (const std::string &file : {path, weights_beside(path).string()}) files_.push_back({file, second_name(file)});
}

Unverified::~Unverified() {
  std::error_code none;
  for (const auto &[path, before] : files_) {
    if (!kept_ && before.empty()) std::filesystem::remove(path, none);
    if (!kept_ && !before.empty()) std::filesystem::rename(before, path, none);
    if (!before.empty()) std::filesystem::remove(before, none); // two names of one file stay two when one is renamed
  }
}

ModelFigures figures_of(const GraphSizes &sizes, const StoredGraph &stored, std::uint64_t bytes) {
  ModelFigures figures = ModelFigures::of(sizes, bytes);
  figures.nodes = stored.nodes;
  figures.coded = stored.coded;
  return figures;
}

std::optional<std::string> growth_warning(const std::string &input, const Model &source, const Written &written) {
  if (written.bytes <= source.source_bytes) return std::nullopt;
  std::string text = fmt::format("the file is larger than the input, by {} bytes", written.bytes - source.source_bytes);
  const auto before = count_onnx_bytes(input), after = count_onnx_bytes(written.path);
  if (!before || !after) return text; // other formats spend bytes on other things
  const std::tuple<const char *, std::uint64_t, std::uint64_t> parts[] = {
      {"QuantizeLinear, DequantizeLinear and their scales", before->quantization, after->quantization},
      {"weights", before->weights, after->weights},
      {"nodes and names", before->nodes(), after->nodes()},
      {"metadata (how it was made)", before->metadata, after->metadata}};
  std::vector<std::string> grown;
  for (const auto &[what, was, is] : parts)
    if (is > was) grown.push_back(fmt::format("{} take {} more", what, is - was));
  if (after->quantization > before->quantization) grown.emplace_back("a file OUT.edgec has no such nodes");
  return fmt::format("{}: {}", text, fmt::join(grown, "; "));
}

Provenance provenance_of(const std::string &command, const EffectiveOptions &options, std::uint64_t seed, Isa isa,
                         const std::string &input, const Model &source, const Written &written) {
  Provenance provenance;
  provenance.version = version();
  provenance.command = command;
  provenance.options = options;
  provenance.seed = seed;
  provenance.isa = name(isa);
  provenance.input = input;
  provenance.input_sha256 = source.source_sha256;
  provenance.output = written.path;
  provenance.output_sha256 = written.model.source_sha256;
  return provenance;
}

} // namespace edgec
