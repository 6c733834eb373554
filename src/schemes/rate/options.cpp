#include "schemes/rate/options.h"

#include <algorithm>

#include "schemes/scheme.h"

namespace edgec {

bool rounds_weights(const Settings &settings) {
  const auto &rate = settings.get<RateOptions>();
  if (rate.rate) return true;
  if (!rate.has_budget()) return false;
  const auto others = [&](const SchemeDef *scheme) {
    return scheme->name != "round-weights" && scheme->wanted(settings);
  };
  const auto meets_size = [&](const SchemeDef *scheme) { return scheme->meets_size && scheme->wanted(settings); };
  return std::ranges::none_of(all_schemes(), others) ||
         (rate.max_size && std::ranges::any_of(all_schemes(), meets_size));
}

} // namespace edgec
