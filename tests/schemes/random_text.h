// Graphs in ONNX's text form with random weights.
#pragma once

#include <regex>
#include <string>

#include <fmt/format.h>

#include "support/random.h"

namespace edgec {

/// "float[2,2] w = {random}" with as many normal numbers, times `scale`, as the dims say (0: zeros).
inline std::string with_random_numbers(const std::string &text, double scale, std::uint64_t seed = 1) {
  static const std::regex constant(R"(\[([0-9,]+)\] (\w+) = \{random\})");
  Random random(seed);
  std::string filled;
  auto rest = text.cbegin();
  for (std::sregex_iterator at(text.begin(), text.end(), constant), end; at != end; ++at) {
    std::int64_t count = 1;
    const std::string dims = (*at)[1];
    for (std::size_t i = 0; i < dims.size(); i = std::min(dims.find(',', i), dims.size() - 1) + 1)
      count *= std::stoll(dims.substr(i));
    std::string numbers;
    for (std::int64_t i = 0; i < count; ++i)
      numbers += fmt::format("{}{:.6g}", i > 0 ? ", " : "", scale == 0 ? 0.0 : scale * random.normal());
    filled += std::string(rest, (*at)[0].first) + fmt::format("[{}] {} = {{{}}}", dims, (*at)[2].str(), numbers);
    rest = (*at)[0].second;
  }
  return filled + std::string(rest, text.cend());
}

} // namespace edgec
