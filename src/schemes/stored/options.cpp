#include "schemes/stored/options.h"

#include <algorithm>

#include "schemes/int8/options.h"
#include "schemes/rate/options.h"

namespace edgec {

Status check_stored(const Settings &settings) {
  const auto &int8 = settings.get<Int8Options>();
  if (int8.is_static() || (int8.wanted() && settings.get<StoredOptions>().type != "int8"))
    return usage_error("--weights: --int8 stores weights as codes itself, leave one of them out");
  if (rounds_weights(settings))
    return usage_error("--weights: --rate, --max-size and --max-drop choose codes themselves, leave one of them out");
  return {};
}

std::int64_t stored_opset(const Settings &settings, bool flat) {
  constexpr std::int64_t any_width = 21; // .edgec holds 2 bits in any opset
  const auto &stored = settings.get<StoredOptions>();
  const std::int64_t least = stored.tables == "int4" ? any_width : stored.spec().least_opset();
  return flat ? std::min(least, any_width) : std::max<std::int64_t>(least, stored.spec().least_opset());
}

} // namespace edgec
