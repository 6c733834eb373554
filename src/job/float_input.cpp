#include "job/float_input.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/registry.h"
#include "schemes/half/options.h"
#include "schemes/half/widened.h"
#include "schemes/int8/options.h"
#include "schemes/rate/options.h"
#include "schemes/scheme.h"
#include "support/log.h"

namespace edgec {

std::set<DType> take_floats(const Graph &graph, Settings &settings) {
  const std::set<DType> types = other_floats(graph, all_ops());
  const auto wanted = wanted_schemes(settings);
  auto &half = settings.edit<HalfOptions>();
  const bool asked = half.float16 || half.bfloat16;
  const bool there_already = asked && wanted.size() == 1 && types == std::set{half.dtype()};
  if (types.empty() || wanted.empty() || there_already) return {};
  const bool codes = settings.get<Int8Options>().wanted() || rounds_weights(settings);
  if (!codes && !asked) {
    half.float16 = types.contains(DType::float16);
    half.bfloat16 = !half.float16 && types.contains(DType::bfloat16);
  }
  std::vector<std::string> names;
  for (const DType type : types) names.emplace_back(name(type));
  const bool again = !asked && (half.float16 || half.bfloat16);
  say(fmt::format("layers are of {}: they are compressed as float32{}; inputs and outputs keep their types",
                  fmt::join(names, " and "), again ? fmt::format(", and become {} again", name(half.dtype())) : ""));
  return types;
}

} // namespace edgec
