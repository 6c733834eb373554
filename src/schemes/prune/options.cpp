#include "schemes/prune/options.h"

#include <algorithm>
#include <fmt/format.h>

namespace edgec {

std::string zeros_text(std::size_t zeros, std::size_t count) {
  const double percent = 100.0 * static_cast<double>(zeros) / static_cast<double>(std::max<std::size_t>(1, count));
  return fmt::format("{} of {} weights are zero ({:.1f} %)", zeros, count, percent);
}

} // namespace edgec
