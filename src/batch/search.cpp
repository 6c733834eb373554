#include "batch/search.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

#include "support/number.h"
#include "support/option.h"

namespace edgec {
namespace {

/// Numbers lie on a line, and so does an option that is not given: before all of them.
bool is_number(const std::vector<std::string> &value) {
  return value.empty() || (value.size() == 1 && (parse_number<double>(value[0]) || parse_fraction(value[0])));
}

} // namespace

SearchSpace SearchSpace::usual() {
  return {{{"int8", {"true"}}},
          {{"weight-bits", {{"8"}, {"4"}}},
           {"prune", {{}, {"0.2"}, {"0.4"}, {"0.6"}, {"0.8"}}},
           {"prune-channels", {{}, {"0.15"}, {"0.3"}, {"0.45"}}},
           {"range", {{"percentile"}, {"minmax"}, {"mse"}, {"entropy"}}}}};
}

std::vector<SamplerAxis> SearchSpace::sampled() const {
  std::vector<SamplerAxis> found;
  for (const GridAxis &axis : axes) found.push_back({axis.values.size(), std::ranges::all_of(axis.values, is_number)});
  return found;
}

std::vector<std::string> SearchSpace::varied() const {
  std::vector<std::string> names;
  for (const GridAxis &axis : axes) names.push_back(axis.option);
  return names;
}

Combination SearchSpace::at(const GridPoint &point, const std::string &network) const {
  Combination combination{network, options};
  for (std::size_t i = 0; i < axes.size(); ++i)
    combination.options.emplace_back(axes[i].option, axes[i].values[point[i]]);
  return combination;
}

void SearchSpace::set(const std::string &option, const std::string &value) {
  const bool known = std::ranges::any_of(options, [&](const auto &entry) { return entry.first == option; }) ||
                     std::ranges::find(axes, option, &GridAxis::option) != axes.end();
  if (!known && !value.empty()) options.emplace_back(option, std::vector{value});
}

Result<SearchSpace> parse_space(const nlohmann::ordered_json &file) {
  for (const auto &[key, value] : file.items())
    if (key != "options" && key != "grid")
      return usage_error(fmt::format("'{}' is not a part of a search's space; there are [options] and [grid]", key));
  if (!file.contains("grid")) return usage_error("[grid] is missing: lists of values to search in");
  nlohmann::ordered_json sweep = file; // the same tables as a sweep's
  sweep["networks"] = {"-"};
  EDGEC_ASSIGN(const SweepFile parsed, parse_sweep(sweep));
  return SearchSpace{parsed.options, parsed.axes};
}

Result<std::vector<SweepJob>> search(const std::string &network, const SearchSpace &space, const SearchBudget &budget,
                                     JobMaker &maker, const RunBatch &run) {
  constexpr std::size_t at_once = 4; // fixed: what is tried does not depend on how many processors there are
  Sampler sampler(space.sampled(), budget.seed);
  std::vector<SweepJob> all;
  std::set<std::string> keys;
  while (all.size() < budget.runs) {
    const std::vector<GridPoint> points = sampler.next(std::min(at_once, budget.runs - all.size()));
    if (points.empty()) break;
    std::vector<SweepJob> jobs;
    for (const GridPoint &point : points) {
      EDGEC_ASSIGN(jobs.emplace_back(), maker.job(space.at(point, network)));
    }
    EDGEC_ASSIGN(const std::vector<JobResult> results, run(jobs));
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto &figures = results[i].figures;
      const bool good = figures && figures->bytes && figures->quality();
      sampler.tell(points[i], good ? std::optional(FrontPoint{*figures->bytes, *figures->quality()}) : std::nullopt);
      if (keys.insert(jobs[i].key).second) all.push_back(std::move(jobs[i]));
    }
  }
  return all;
}

} // namespace edgec
