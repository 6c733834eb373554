#include "job/model_file.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "formats/onnx/functions.h"
#include "job/edit_flags.h"
#include "job/opset.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "passes/edit.h"
#include "support/file.h"
#include "support/log.h"
#include "support/text.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

bool same_file(const std::string &a, const std::string &b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored) || fs::weakly_canonical(a, ignored) == fs::weakly_canonical(b, ignored);
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
  const std::string what =
      ending.empty() ? "has no ending, which says the format" : "'" + ending + "' is not a format that is written here";
  return usage_error(fmt::format("{}: {}; {} {}", path, what, endings.size() == 1 ? "there is" : "there are",
                                 fmt::join(endings, ", ")));
}

Result<const FormatDef *> output_format(const std::string &path, const std::string &wanted) {
  const FormatDef *format = wanted.empty() ? all_formats().data() : find_format(wanted);
  if (format == nullptr) return usage_error(fmt::format("--format: there is no format {}", wanted));
  if (path == "-") return format;
  std::vector<std::string_view> endings;
  for (const FormatDef &known : all_formats())
    if (std::ranges::find(endings, known.ending) == endings.end()) endings.push_back(known.ending);
  EDGEC_CHECK(check_ending(path, endings));
  const std::string ending = lower_ending(path);
  if (wanted.empty()) return &*std::ranges::find(all_formats(), ending, &FormatDef::ending);
  if (ending == format->ending) return format;
  return usage_error(
      fmt::format("{}: an {} file cannot hold --format {}; name it {}", path, ending, wanted, format->ending));
}

Result<Model> read_model(const std::string &path, const ReadOptions &options, const EditFlags *edits,
                         StoredGraph *stored) {
  [[maybe_unused]] static const bool bodies_known = (install_function_bodies(onnx_function_body), true);
  EDGEC_ASSIGN(const FormatDef *format, format_of_file(path));
  EDGEC_ASSIGN(Model model, format->read(path, options.onnx));
  EDGEC_CHECK(infer(model).in(path));
  if (edits && edits->any()) EDGEC_CHECK(edits->apply(model).in(path));
  if (stored) stored->nodes = count_nodes(model.graph), stored->coded = format->coded;
  const std::int64_t present = model.graph.opset(), least = present > 0 ? std::max(present, options.least_opset) : 0;
  const std::int64_t opset = options.exact_opset > 0 ? options.exact_opset : least;
  const auto normalize = [&](Graph &graph) {
    return format->normalize != nullptr ? format->normalize(graph).in(path) : Status();
  };
  if (stored && opset != present) {
    stored->graph = model.graph;
    EDGEC_CHECK(normalize(stored->graph));
  }
  if (opset != present) EDGEC_CHECK(change_opset(model, opset).in(path));
  model.qoperator = spells_qoperators(model.graph);
  if (options.fold) EDGEC_CHECK(normalize(model.graph));
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

Status write_model(const Model &model, const std::string &path, const FormatDef &format,
                   const FormatWriteOptions &options) {
  std::vector<std::string> warnings;
  EDGEC_CHECK(format.write(model, path, options, warnings));
  for (const std::string &warning : warnings) warn(fmt::format("{}: {}", path, warning));
  return {};
}

std::uint64_t file_bytes(const std::string &path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

} // namespace edgec
