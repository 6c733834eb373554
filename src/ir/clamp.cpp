#include "ir/clamp.h"

#include <cmath>

namespace edgec {

std::optional<Clamp> as_clamp(const Graph &graph, const Node &node) {
  Clamp clamp;
  if (node.is("Relu")) return Clamp{.low = 0};
  if (!node.is("Clip")) return std::nullopt;
  clamp.low = node.get_float("min", static_cast<float>(clamp.low));
  clamp.high = node.get_float("max", static_cast<float>(clamp.high));
  for (const std::size_t i : {1U, 2U}) {
    if (!node.input(i).valid()) continue;
    const Tensor *bound = graph.constant(node.input(i));
    if (!bound || !is_float(bound->dtype) || graph.value(node.input(i)).type.is_quantized() || bound->size() != 1)
      return std::nullopt;
    (i == 1 ? clamp.low : clamp.high) = to_doubles(*bound)[0];
  }
  return clamp;
}

bool saturates_within(const Type &codes, const Clamp &clamp) {
  const auto code = [&](double real) {
    return std::nearbyint(static_cast<float>(real) / codes.quant->scale()) +
           static_cast<float>(codes.quant->zero_point());
  };
  const auto [low, high] = integer_range(codes.dtype);
  return code(clamp.low) <= static_cast<float>(low) && code(clamp.high) >= static_cast<float>(high);
}

} // namespace edgec
