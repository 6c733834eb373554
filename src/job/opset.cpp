#include "job/opset.h"

#include <fmt/format.h>

#include "formats/onnx/onnx.h"
#include "job/dataset.h"
#include "kernels/isa.h"
#include "measure/fidelity.h"
#include "ops/registry.h"

namespace edgec {
namespace {

constexpr std::size_t samples = 2;
constexpr double tolerance = 1e-5;                         // of an output's largest element
constexpr std::size_t most_whole = std::size_t{100} << 20; // weights of networks that are not run in parts

/// How they differ on made-up inputs; empty: they do not. Error: they cannot be run on such.
Result<std::string> compare(const Graph &before, const Graph &after) {
  EDGEC_ASSIGN(const Dataset data, synthetic_dataset(before, samples, 0));
  FidelityOptions options;
  const PartOptions parts{.isa = detect_isa()};
  if (constant_bytes(before) > most_whole) options.parts = &parts;
  options.indices = data.indices;
  options.isa = parts.isa;
  EDGEC_ASSIGN(const Fidelity fidelity, measure_fidelity(&before, after, all_ops(), *data.samples, options));
  for (const OutputNoise &output : fidelity.outputs)
    if (output.noise.max_error > tolerance * output.noise.max_reference)
      return fmt::format("output {} changes by up to {:.3g} of {:.3g}", output.name, output.noise.max_error,
                         output.noise.max_reference);
  return std::string();
}

} // namespace

Status change_opset(Model &model, std::int64_t opset) {
  const std::int64_t present = model.graph.opset();
  if (present == opset) return {};
  const Graph before = model.graph;
  EDGEC_CHECK(convert_opset(model, opset, &all_ops()));
  if (present == 0) return {};
  const std::string what = fmt::format("opset {} instead of {}", opset, present);
  const auto difference = compare(before, model.graph);
  if (!difference)
    model.notes.push_back(fmt::format("{}: not verified by running both: {}", what, difference.error().message));
  else if (!difference->empty())
    return unsupported(fmt::format("{} would change the network: {}", what, *difference));
  return {};
}

} // namespace edgec
