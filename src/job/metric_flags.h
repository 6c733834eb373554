// What says how good a network is: --metric, --metric-command.
#pragma once

#include <optional>
#include <string>

#include "job/dataset.h"
#include "measure/metric.h"
#include "support/option.h"

namespace edgec {

struct MetricFlags {
  std::string name, command;

  /// `needs`: without which they have no effect (Option::needs()); empty: nothing.
  void declare(Options &options, std::string_view needs);
  [[nodiscard]] bool given() const { return !name.empty() || !command.empty(); }
  /// Whether --labels are boxes, not classes.
  [[nodiscard]] bool wants_boxes() const { return name == "map"; }
  /// `labels`: the path of --labels. Error (usage): both were given, or the one that was given needs labels and there
  /// are none; (bad_input) labels that are none.
  [[nodiscard]] Result<std::optional<Metric>> metric(const Dataset &data, const std::string &labels,
                                                     const Graph &graph) const;
};

} // namespace edgec
