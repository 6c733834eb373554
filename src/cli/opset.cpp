#include "cli/opset.h"

#include <fmt/format.h>

#include "cli/dataset.h"
#include "formats/onnx/onnx.h"
#include "kernels/isa.h"
#include "measure/fidelity.h"
#include "ops/registry.h"

namespace edgec {
namespace {

constexpr std::size_t samples = 2;
constexpr double tolerance = 1e-5;                           // of an output's largest element
constexpr std::size_t most_whole = std::size_t{100} << 20;   // weights of networks that are not run in parts

/// Whether both compute the same on made-up inputs.
Status compare(const Graph &before, const Graph &after) {
  EDGEC_ASSIGN(const Dataset data, synthetic_dataset(before, samples, 0));
  FidelityOptions options;
  const PartOptions parts{.isa = detect_isa()};
  if (constant_bytes(before) > most_whole) options.parts = &parts;
  options.indices = data.indices;
  options.isa = parts.isa;
  EDGEC_ASSIGN(const Fidelity fidelity, measure_fidelity(&before, after, all_ops(), *data.samples, options));
  for (const OutputNoise &output : fidelity.outputs)
    if (output.noise.max_error > tolerance * output.noise.max_reference)
      return internal_error(fmt::format("output {} changes by up to {:.3g} of {:.3g}", output.name, output.noise.max_error,
                                        output.noise.max_reference));
  return {};
}

} // namespace

Status change_opset(Model &model, std::int64_t opset) {
  const std::int64_t present = model.graph.opset();
  if (present == opset) return {};
  const Graph before = model.graph;
  EDGEC_CHECK(convert_opset(model, opset));
  if (present == 0) return {};
  const std::string what = fmt::format("opset {} instead of {}", opset, present);
  if (const Status typed = infer_types(model.graph, all_ops()); !typed)
    return unsupported(fmt::format("{} cannot say the network: {}", what, typed.error().message));
  const Status same = compare(before, model.graph);
  if (!same && same.error().code == Code::internal) return unsupported(fmt::format("{} would change the network: {}", what, same.error().message));
  if (!same) model.notes.push_back(fmt::format("{}: not verified by running both: {}", what, same.error().message));
  return {};
}

} // namespace edgec
