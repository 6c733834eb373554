#include "job/formats.h"

#include <algorithm>

#include "formats/flat/flat.h"
#include "job/spellings.h"
#include "ops/registry.h"
#include "passes/pass.h"
#include "support/file.h"

namespace edgec {
namespace passes {
extern const PassDef fold_qdq;
}
namespace {

Result<Model> read_onnx_file(const std::string &path, const OnnxReadOptions &options) {
  return read_onnx(path, options);
}

Result<Model> read_flat_file(const std::string &path, const OnnxReadOptions &) { return read_flat(path); }

Status fold_quantization(Graph &graph) {
  EDGEC_CHECK(passes::fold_qdq.run(graph, PassContext{.ops = all_ops()}));
  return graph.sort();
}

template <OnnxSpelling spelling>
Status write_onnx_file(const Model &model, const std::string &path, const FormatWriteOptions &options,
                       std::vector<std::string> &warnings) {
  return write_onnx(model, path, {.spelling = spelling, .ops = &all_ops(), .force = options.force}, &warnings);
}

/// Products with weights in blocks of codes as onnxruntime's own operator; the rest as QDQ.
Status write_bits_file(const Model &model, const std::string &path, const FormatWriteOptions &options,
                       std::vector<std::string> &warnings) {
  Model named = model;
  if (name_bit_products(named.graph) == 0)
    warnings.push_back(
        "--format matmulnbits: no MatMul has constant weights of 4 or 8 bits in blocks of 16, 32, 64 ..: "
        "give --weights int4 --block 32");
  EDGEC_CHECK(named.graph.sort());
  return write_onnx_file<OnnxSpelling::qdq>(named, path, options, warnings);
}

Status write_flat_file(const Model &model, const std::string &path, const FormatWriteOptions &options,
                       std::vector<std::string> &) {
  return write_flat(model, path,
                    {.inner_names = options.inner_names, .threads = hardware_threads(), .force = options.force});
}

constexpr int vector_of_channels = 8;

const FormatDef formats[] = {{.name = "qdq",
                              .ending = ".onnx",
                              .read = read_onnx_file,
                              .normalize = fold_quantization,
                              .write = write_onnx_file<OnnxSpelling::qdq>,
                              .border_nodes = true,
                              .channel_multiple = vector_of_channels},
                             {.name = "qoperator",
                              .ending = ".onnx",
                              .read = read_onnx_file,
                              .normalize = fold_quantization,
                              .write = write_onnx_file<OnnxSpelling::qoperator>,
                              .integer_operators = true,
                              .channel_multiple = vector_of_channels},
                             {.name = "matmulnbits",
                              .ending = ".onnx",
                              .read = read_onnx_file,
                              .normalize = fold_quantization,
                              .write = write_bits_file,
                              .border_nodes = true,
                              .channel_multiple = vector_of_channels},
                             {.name = "flat",
                              .ending = ".edgec",
                              .holds = is_flat,
                              .read = read_flat_file,
                              .write = write_flat_file,
                              .coded = true}};

} // namespace

std::span<const FormatDef> all_formats() { return formats; }

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const FormatDef &format : formats) names.emplace_back(format.name);
  return names;
}

const FormatDef *find_format(std::string_view name) {
  const auto found = std::ranges::find(formats, name, &FormatDef::name);
  return found == std::end(formats) ? nullptr : found;
}

Result<const FormatDef *> format_of_file(const std::string &path) {
  const FormatDef *usual = std::ranges::find(formats, nullptr, &FormatDef::holds);
  if (path == "-") return usual;
  EDGEC_ASSIGN(const Storage file, map_file(path));
  for (const FormatDef &format : formats)
    if (format.holds != nullptr && format.holds(file.bytes())) return &format;
  return usual;
}

} // namespace edgec
