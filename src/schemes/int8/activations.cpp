#include "schemes/int8/activations.h"

#include <algorithm>

#include "schemes/int8/retype.h"

namespace edgec {
namespace {

/// Fills in what was seen.
void count_seen(const ValueStatistics &statistics, ActivationFigures &figures) {
  constexpr std::size_t bins = 32;
  figures.minimum = static_cast<double>(statistics.minimum);
  figures.maximum = static_cast<double>(statistics.maximum);
  if (!statistics.histogram) return;
  std::uint64_t all = 0, outside = 0;
  figures.seen =
      Histogram::between(std::min(figures.low, figures.minimum), std::max(figures.high, figures.maximum), bins);
  statistics.histogram->for_each([&](float low, float high, std::uint64_t count) {
    const double middle = (static_cast<double>(low) + static_cast<double>(high)) / 2;
    figures.seen.add(middle, count);
    all += count;
    // Bins of the statistics are up to 1/32 wide: one that the range cuts counts as inside.
    if (static_cast<double>(high) < figures.low || static_cast<double>(low) > figures.high) outside += count;
  });
  figures.clipped = all == 0 ? 0 : static_cast<double>(outside) / static_cast<double>(all);
}

} // namespace

Result<std::vector<ActivationFigures>> activation_figures(const Int8Source &source, const Int8Options &options) {
  const int both[] = {0, 1};
  const RangeStatistics statistics = source.ranges.merged(both);
  EDGEC_ASSIGN(const auto quants, choose_quants(source.graph, source.plan, statistics, options));
  std::vector<ActivationFigures> list;
  for (const auto &[id, quant] : quants) {
    const auto seen = statistics.find(id);
    if (seen == statistics.end() || !quant.is_per_tensor()) continue;
    const Node *producer = source.graph.producer(id);
    ActivationFigures figures{.name = source.graph.value(id).name,
                              .node = producer != nullptr ? producer->label() : std::string(),
                              .bits = source.plan.quantized.at(id).bits};
    const double scale = static_cast<double>(quant.scale()), codes = static_cast<double>((1 << figures.bits) - 1);
    figures.low = scale * -quant.zero_point(); // no negative zero
    figures.high = figures.low + scale * codes;
    count_seen(seen->second, figures);
    list.push_back(std::move(figures));
  }
  return list;
}

} // namespace edgec
