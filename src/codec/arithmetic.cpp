#include "codec/arithmetic.h"

#include <cmath>

namespace edgec {

int BitCounter::code(int bit, std::uint32_t probability) {
  static const std::vector<float> cost = [] {
    std::vector<float> table(65537);
    for (std::size_t p = 1; p < table.size(); ++p)
      table[p] = static_cast<float>(16 - std::log2(static_cast<double>(p)));
    return table;
  }();
  bits_ += static_cast<double>(cost[bit != 0 ? probability : 65536 - probability]);
  return bit;
}

} // namespace edgec
