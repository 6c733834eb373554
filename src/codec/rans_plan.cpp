#include <algorithm>

#include "codec/rans.h"
#include "codec/rans_side.h"

namespace edgec {
namespace {

RansPlan plan_for(const DensityClasses &classes, int step) {
  RansPlan plan{classes.levels, classes.class_of_sum, {}, step, 0};
  TableModels models;
  for (const Histogram &counts : classes.counts) {
    LogTable table = choose_table(counts, step, models);
    plan.bits += table_bits(counts, *frequencies(table, step));
    BitCounter coder;
    code_table(coder, models, table, step); // teaches the models
    plan.tables.push_back(table);
  }
  BitCounter side;
  RansPlan copy = plan;
  code_side(side, copy);
  plan.bits += side.bits() + 8 * 2 + 4 * 16; // side's size, what the states hold beyond their codes
  return plan;
}

} // namespace

RansPlan plan_rans(std::span<const std::int8_t> codes, const CodeShape &shape) {
  std::optional<RansPlan> best;
  for (const ClassAxes axes : possible_axes(shape)) {
    const DensityClasses classes = group_sums(codes, shape, axes);
    for (const int step : {2, 4, 8}) {
      RansPlan plan = plan_for(classes, step);
      if (!best || plan.bits < best->bits) best = std::move(plan);
    }
  }
  return std::move(*best);
}

} // namespace edgec
