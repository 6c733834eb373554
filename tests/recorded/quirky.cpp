// quirky FOLDER [--reference]: runs every FOLDER/NAME.onnx on the call that is recorded in NAME.npz (arrays in_0...,
// out_0..., and in_names, out_names) and prints a table: the largest error of its outputs, or why it is refused. A
// model without a recorded call is read and prepared as far as that goes. Outputs are equal where floats differ by no
// more than 1e-4 of the largest (of 16 bits: one last place), quantized ones by no more than one step of their scale.
// Exit status 1 if something else differs.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>

#include "data/npy.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/onnx.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "tests/recorded/verdict.h"

namespace edgec::recorded {
namespace {

namespace fs = std::filesystem;

/// How much may differ, of the largest element: roundings of other sums, one last place of 16-bit floats.
double allowed(DType dtype) { return dtype == DType::float16 ? 1e-3 : dtype == DType::bfloat16 ? 8e-3 : 1e-4; }

/// The recorded array of the input or output of that name.
Result<std::optional<Tensor>> recorded(const NpzFile &file, std::string_view kind, const std::string &name) {
  EDGEC_ASSIGN(const Tensor names, file.read(fmt::format("{}_names", kind)));
  for (std::size_t i = 0; names.strings && i < names.strings->size(); ++i) {
    const std::string array = fmt::format("{}_{}", kind, i);
    if ((*names.strings)[i] != name || !file.has(array)) continue;
    EDGEC_ASSIGN(Tensor tensor, file.read(array));
    return std::optional(std::move(tensor));
  }
  return std::optional<Tensor>();
}

/// One step of an output's scale where the graph computes it in codes; else nothing.
double step_of(const Graph &graph, ValueId output) {
  const Node *node = graph.producer(output);
  if (!node || node->inputs.empty()) return 0;
  const Type &type = graph.value(node->inputs[0]).type;
  const auto scale = [](const Type &of) {
    return of.quant ? static_cast<double>(*std::ranges::max_element(of.quant->scales)) : 0.0;
  };
  if (node->is("DequantizeLinear")) {
    const Tensor *stored = graph.constant(node->input(1));
    return std::max(scale(type), stored ? std::ranges::max(to_doubles(*stored)) : 0);
  }
  return scale(graph.value(output).type);
}

/// The largest difference, or what else is wrong.
Result<double> error_of(const Tensor &found, const Tensor &wanted) {
  if (found.dims != wanted.dims || found.dtype != wanted.dtype)
    return bad_input(fmt::format("is {}, {} was expected", to_string(Type::of(found)), to_string(Type::of(wanted))));
  if (found.dtype == DType::string)
    return *found.strings == *wanted.strings ? Result<double>(0.0) : bad_input("other strings were expected");
  const auto a = numbers(found), b = numbers(wanted);
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double error = std::abs(a[i] - b[i]);
    if (!(error < INFINITY)) return bad_input("not finite where a number was expected");
    most = std::max(most, error);
  }
  return most;
}

double largest(const Tensor &tensor) {
  double most = 0;
  if (tensor.dtype != DType::string)
    for (const double value : numbers(tensor)) most = std::max(most, std::isfinite(value) ? std::abs(value) : 0);
  return most;
}

Verdict compare(const Graph &graph, const NpzFile &file, const std::vector<RuntimeValue> &results,
                std::span<const std::size_t> fetched) {
  double most = 0;
  bool steps = false;
  for (std::size_t k = 0; k < fetched.size(); ++k) {
    const GraphOutput &output = graph.outputs()[fetched[k]];
    const auto wanted = recorded(file, "out", output.name);
    if (!wanted) return refused_or_wrong(wanted.error());
    if (!results[k].tensor) return {Verdict::Kind::wrong, fmt::format("output {} is not a tensor", output.name)};
    const auto error = error_of(*results[k].tensor, **wanted);
    if (!error) return {Verdict::Kind::wrong, fmt::format("output {}: {}", output.name, error.error().message)};
    const double step = step_of(graph, output.value);
    if (*error > std::max(allowed((*wanted)->dtype) * largest(**wanted), step * 1.001))
      return {Verdict::Kind::wrong,
              fmt::format("output {} differs by {:.3g} of {:.3g}{}", output.name, *error, largest(**wanted),
                          step > 0 ? fmt::format(" (a step is {:.3g})", step) : "")};
    steps = steps || *error > allowed((*wanted)->dtype) * largest(**wanted);
    most = std::max(most, *error);
  }
  const std::string left_out = fetched.size() == graph.outputs().size()
                                   ? ""
                                   : fmt::format("; {} of {} outputs recorded", fetched.size(), graph.outputs().size());
  return {Verdict::Kind::pass,
          fmt::format("equal, max error {:.2g}{}{}", most, steps ? " (within one step)" : "", left_out)};
}

Verdict run_model(const fs::path &path, PlanOptions options) {
  fs::path stored = path;
  stored.replace_extension(".npz");
  const auto model = read_onnx(path, {.overridable = false});
  if (!model) return {Verdict::Kind::refused, model.error().message};
  const Graph &graph = model->graph;
  if (!fs::exists(stored)) {
    for (const NodeId id : graph.nodes())
      if (const Node &node = graph.node(id); !all_ops().find(node))
        return {Verdict::Kind::refused,
                fmt::format("read; operator {}{}{} is unknown", node.domain, node.domain.empty() ? "" : ":", node.op)};
    return {Verdict::Kind::pass, "read; no call is recorded"};
  }
  const auto file = NpzFile::open(stored);
  if (!file) return refused_or_wrong(file.error());
  std::vector<RuntimeValue> feeds;
  for (const ValueId id : graph.inputs()) {
    const auto feed = recorded(*file, "in", graph.value(id).name);
    if (!feed) return refused_or_wrong(feed.error());
    if (!*feed)
      return {Verdict::Kind::refused,
              fmt::format("input {} is {}: no array holds it", graph.value(id).name, to_string(graph.value(id).type))};
    feeds.emplace_back(std::move(**feed));
  }
  std::vector<std::size_t> fetched;
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    const auto wanted = recorded(*file, "out", graph.outputs()[i].name);
    if (!wanted || !*wanted) continue;
    fetched.push_back(i);
    options.fetches.push_back(graph.outputs()[i].value);
  }
  if (fetched.empty()) return {Verdict::Kind::refused, "none of its outputs is a tensor"};
  const auto results = Runner(graph, all_ops(), options).run(feeds);
  if (!results) return refused_or_wrong(results.error());
  return compare(graph, *file, *results, fetched);
}

int run_all(const fs::path &folder, const PlanOptions &options) {
  std::vector<fs::path> models;
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  std::ranges::sort(models);
  std::size_t count[4] = {};
  for (const fs::path &path : models) {
    Verdict verdict = run_apart([&] { return run_model(path, options); });
    if (verdict.text.starts_with(path.string() + ": ")) verdict.text = verdict.text.substr(path.string().size() + 2);
    fmt::print("| {} | {}{} |\n", path.filename().string(),
               verdict.kind == Verdict::Kind::pass ? "" : fmt::format("{}: ", word(verdict.kind)), verdict.text);
    ++count[static_cast<int>(verdict.kind)];
  }
  fmt::print("{} models: {} equal or read, {} refused, {} wrong\n", models.size(), count[0], count[1],
             count[2] + count[3]);
  return models.empty() || count[2] + count[3] > 0 ? 1 : 0;
}

} // namespace
} // namespace edgec::recorded

int main(int argc, char **argv) {
  std::string folder;
  edgec::PlanOptions options;
  options.isa = edgec::detect_isa();
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--reference")
      options.reference = true;
    else
      folder = argv[i];
  }
  if (folder.empty()) {
    fmt::print("usage: quirky FOLDER [--reference]\n");
    return 2;
  }
  edgec::install_function_bodies(edgec::onnx_function_body);
  return edgec::recorded::run_all(folder, options);
}
