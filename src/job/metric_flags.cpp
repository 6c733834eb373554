#include "job/metric_flags.h"

#include <fmt/format.h>

#include "measure/average_precision.h"

namespace edgec {

void MetricFlags::declare(Options &options, std::string_view needs) {
  Option &metric = options
                       .add("--metric", "M", &name,
                            "what says how good the network is: share of right answers (with labels), of answers "
                            "as the reference's, decibels, or COCO's mean average precision of boxes (--labels: "
                            "COCO's JSON)")
                       .one_of({"top1", "top5", "agreement", "sqnr", "map"});
  Option &program =
      options.add("--metric-command", "CMD", &command,
                  "a program of your own says it: prints one JSON number, larger is better; '{outputs}' in CMD is a "
                  "folder with NAME.npy of each output, rows of all samples, and outputs.json");
  if (needs.empty()) return;
  metric.needs(needs);
  program.needs(needs);
}

namespace {

/// Width and height of the pictures that a network takes [N, C, H, W]; 1 where it takes none.
std::pair<double, double> picture_size(const Graph &graph) {
  for (const ValueId id : graph.inputs())
    if (const auto &shape = graph.value(id).type.shape;
        shape && shape->size() == 4 && (*shape)[2].is_known() && (*shape)[3].is_known())
      return {static_cast<double>((*shape)[3].size), static_cast<double>((*shape)[2].size)};
  return {1, 1};
}

} // namespace

Result<std::optional<Metric>> MetricFlags::metric(const Dataset &data, const std::string &labels,
                                                  const Graph &graph) const {
  if (!name.empty() && !command.empty())
    return usage_error("--metric and --metric-command: two say how good the network is; give one of them");
  if (!command.empty()) return std::optional(command_metric(command));
  if (name.starts_with("top") && !data.labels)
    return usage_error(fmt::format("--metric {}: {} has no labels; give --labels", name, data.path));
  if (wants_boxes()) {
    if (labels.empty()) return usage_error("--metric map: needs the right boxes: give --labels FILE.json, COCO's");
    EDGEC_ASSIGN(BoxLabels boxes, read_box_labels(labels));
    const auto [width, height] = picture_size(graph);
    return std::optional(map_metric(std::move(boxes), width, height));
  }
  if (!name.empty()) return std::optional(Metric{name, nullptr});
  return std::optional<Metric>();
}

} // namespace edgec
