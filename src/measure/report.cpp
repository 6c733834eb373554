#include "measure/report.h"

#include <algorithm>
#include <set>
#include <utility>

namespace edgec {

ModelFigures ModelFigures::of(const GraphSizes &sizes, std::uint64_t file_bytes) {
  return {file_bytes, sizes.parameters, sizes.nonzero_parameters, sizes.parameter_bytes, sizes.macs, sizes.nodes,
          false};
}

double ModelFigures::bits() const {
  return parameters == 0 ? 0
                         : 8 * static_cast<double>(coded ? bytes : parameter_bytes) / static_cast<double>(parameters);
}

std::vector<LayerFigures> layer_figures(const GraphSizes &sizes) {
  std::vector<LayerFigures> layers;
  std::set<std::pair<std::string, std::uint64_t>> told; // float weights by name and bytes: several nodes may read one
  for (const LayerSizes &layer : sizes.layers) {
    LayerFigures figures{
        .name = layer.label, .op = layer.op, .in_body = layer.in_body, .macs = layer.macs, .integer = layer.integer};
    std::uint64_t bytes = 0;
    for (const TensorSizes &constant : layer.constants) {
      if (!constant.parameter) continue;
      figures.parameters += constant.elements;
      figures.zeros += constant.zeros;
      figures.distinct = std::max(figures.distinct, constant.distinct);
      bytes += constant.bytes;
      if (is_float(constant.type.dtype) &&
          (constant.name.empty() || told.emplace(constant.name, constant.bytes).second))
        figures.float_bytes += constant.bytes;
    }
    figures.bytes = bytes;
    if (figures.parameters > 0) figures.bits = 8 * static_cast<double>(bytes) / static_cast<double>(figures.parameters);
    layers.push_back(std::move(figures));
  }
  return layers;
}

} // namespace edgec
