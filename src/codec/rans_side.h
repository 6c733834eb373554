// Side information of a rANS stream: levels and tables, coded by adaptive bits.
#pragma once

#include "codec/rans.h"

namespace edgec {

/// A decoder's plan comes with levels as long as the shape says, to be filled in. False where it is not a sound plan.
template <class Coder>
bool code_side(Coder &coder, RansPlan &plan) {
  for (auto *levels : {&plan.levels.rows, &plan.levels.columns, &plan.levels.taps}) {
    const bool told = std::ranges::any_of(*levels, [](std::uint8_t level) { return level != 0; });
    if (coder.code(told ? 1 : 0, 32768) == 0) continue;
    BitTree<4> model;
    for (std::uint8_t &level : *levels) level = static_cast<std::uint8_t>(model.code(coder, level));
  }
  const int step_bits = plan.step == 2 ? 0 : plan.step == 4 ? 1 : plan.step == 8 ? 2 : 3;
  plan.step = 2 << code_raw(coder, 2, static_cast<std::uint32_t>(step_bits));
  if (plan.step > 8) return false;
  const std::size_t sums = sums_of(plan.levels);
  plan.table_of_sum.resize(sums);
  AdaptiveBit fresh;
  for (std::size_t sum = 1; sum < sums; ++sum) {
    const int step = code_bit(coder, fresh, plan.table_of_sum[sum] != plan.table_of_sum[sum - 1] ? 1 : 0);
    plan.table_of_sum[sum] = static_cast<std::uint8_t>(plan.table_of_sum[sum - 1] + step);
  }
  plan.tables.resize(plan.table_of_sum.back() + std::size_t{1});
  if (plan.tables.size() > table_count) return false;
  TableModels models;
  for (LogTable &table : plan.tables)
    if (!code_table(coder, models, table, plan.step)) return false;
  return true;
}

} // namespace edgec
