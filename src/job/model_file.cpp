#include "job/model_file.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "job/edit_flags.h"
#include "job/opset.h"
#include "formats/flat/flat.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "passes/edit.h"
#include "passes/pass.h"
#include "support/file.h"
#include "support/text.h"
#include "support/log.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

bool same_file(const std::string &a, const std::string &b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored) || fs::weakly_canonical(a, ignored) == fs::weakly_canonical(b, ignored);
}

/// Told by content, not by name; a stream is taken as ONNX.
Result<bool> holds_flat(const std::string &path) {
  if (path == "-") return false;
  EDGEC_ASSIGN(const Storage file, map_file(path));
  return is_flat(file.bytes());
}

/// Whether a file spells integer operators as QLinearConv, QGemm and so on.
bool spells_qoperators(const Graph &graph) {
  return std::ranges::any_of(graph.nodes(), [&](NodeId id) {
    const std::string &op = graph.node(id).op;
    return op.starts_with("QLinear") || op == "QGemm";
  });
}

/// Shapes that the file declares are believed unless they contradict what the operators give.
Status infer(Model &model) {
  Graph as_declared = model.graph;
  if (infer_types(as_declared, all_ops())) {
    model.graph = std::move(as_declared);
    return {};
  }
  Graph inferred = model.graph;
  forget_declared_shapes(inferred);
  EDGEC_CHECK(infer_types(inferred, all_ops()));
  model.graph = std::move(inferred);
  model.notes.push_back("the file's shapes contradict what its operators give: they are not believed");
  return {};
}

} // namespace

Status check_ending(const std::string &path, std::span<const std::string_view> endings) {
  const std::string ending = lower_ending(path);
  std::error_code ignored;
  if (std::ranges::find(endings, ending) != endings.end() || fs::is_directory(path, ignored)) return {};
  const std::string what = ending.empty() ? "has no ending, which says the format" : "'" + ending + "' is no format that is written here";
  return usage_error(fmt::format("{}: {}; {} {}", path, what, endings.size() == 1 ? "there is" : "there are",
                                 fmt::join(endings, ", ")));
}

const char *name_of(ModelFormat format) {
  return format == ModelFormat::flat ? "flat" : format == ModelFormat::qoperator ? "qoperator" : "qdq";
}

Result<ModelFormat> output_format(const std::string &path, const std::string &wanted) {
  static constexpr std::string_view onnx = ".onnx", flat = ".edgec", endings[] = {onnx, flat};
  const ModelFormat format = wanted == "flat" ? ModelFormat::flat
                             : wanted == "qoperator" ? ModelFormat::qoperator : ModelFormat::qdq;
  if (path == "-") return format;
  EDGEC_CHECK(check_ending(path, endings));
  const bool flat_name = lower_ending(path) == flat;
  if (wanted.empty()) return flat_name ? ModelFormat::flat : ModelFormat::qdq;
  if (flat_name != (format == ModelFormat::flat))
    return usage_error(fmt::format("{}: {} file cannot hold --format {}; name it {}", path,
                                   flat_name ? "an .edgec" : "an .onnx", wanted, flat_name ? onnx : flat));
  return format;
}

Status fold_quantization(Graph &graph) {
  const PassDef *fold = find_pass("fold-qdq");
  if (fold == nullptr) return internal_error("the pass fold-qdq is missing");
  EDGEC_CHECK(fold->run(graph, PassContext{.ops = all_ops()}));
  return graph.sort();
}

Result<Model> read_model(const std::string &path, const ReadOptions &options, const EditFlags *edits, StoredGraph *stored) {
  EDGEC_ASSIGN(const bool flat, holds_flat(path));
  EDGEC_ASSIGN(Model model, flat ? read_flat(path) : read_onnx(path, options.onnx));
  EDGEC_CHECK(infer(model).in(path));
  if (edits && edits->any()) EDGEC_CHECK(edits->apply(model).in(path));
  if (stored) stored->nodes = count_nodes(model.graph), stored->coded = flat;
  const std::int64_t present = model.graph.opset(), least = present > 0 ? std::max(present, options.least_opset) : 0;
  const std::int64_t opset = options.exact_opset > 0 ? options.exact_opset : least;
  if (stored && opset != present) {
    stored->graph = model.graph;
    if (!flat) EDGEC_CHECK(fold_quantization(stored->graph).in(path));
  }
  if (opset != present) EDGEC_CHECK(change_opset(model, opset).in(path));
  model.qoperator = spells_qoperators(model.graph);
  if (!flat && options.fold) EDGEC_CHECK(fold_quantization(model.graph).in(path));
  if (stored && opset == present) stored->graph = model.graph;
  for (const std::string &note : model.notes) log_info(fmt::format("{}: {}", path, note));
  return model;
}

Status check_output(const std::string &path, std::span<const std::string> inputs, bool force) {
  if (path == "-") return {};
  std::error_code ignored;
  for (const std::string &input : inputs) {
    if (same_file(path, input))
      return usage_error(fmt::format("{}: is an input; an input is never overwritten, name another file", path));
  }
  if (fs::is_directory(path, ignored)) return usage_error(fmt::format("{}: is a folder; name a file in it", path));
  if (!force && fs::exists(fs::symlink_status(path, ignored)))
    return usage_error(fmt::format("{}: exists already; give --force to replace it", path));
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored))
    return usage_error(fmt::format("{}: there is no folder {}; make it first", path, folder.string()));
  return check_writable(path);
}

Status write_model(const Model &model, const std::string &path, ModelFormat format, bool force, bool inner_names) {
  if (format == ModelFormat::flat) {
    FlatWriteOptions options;
    options.force = force;
    options.inner_names = inner_names;
    options.threads = hardware_threads();
    return write_flat(model, path, options);
  }
  OnnxWriteOptions options;
  options.spelling = format == ModelFormat::qoperator ? OnnxSpelling::qoperator : OnnxSpelling::qdq;
  options.ops = &all_ops();
  options.force = force;
  std::vector<std::string> warnings;
  EDGEC_CHECK(write_onnx(model, path, options, &warnings));
  for (const std::string &warning : warnings) warn(fmt::format("{}: {}", path, warning));
  return {};
}

std::uint64_t file_bytes(const std::string &path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

} // namespace edgec
