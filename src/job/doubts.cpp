#include "job/doubts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "kernels/isa.h"
#include "measure/input_statistics.h"
#include "measure/logits.h"
#include "ops/registry.h"
#include "schemes/fitting/held_out.h"
#include "support/log.h"

namespace edgec {

std::size_t class_count(const Graph &graph) {
  const ValueId logits = find_logits(graph);
  if (logits == ValueId{} || !graph.value(logits).type.shape) return 0;
  const Shape &shape = *graph.value(logits).type.shape;
  std::size_t count = 1;
  for (std::size_t i = shape.size() > 1 ? 1 : 0; i < shape.size(); ++i) {
    if (!shape[i].is_known()) return 0;
    count *= static_cast<std::size_t>(shape[i].size);
  }
  return shape.empty() ? 0 : count;
}

Status check_labels(const Labels &labels, std::size_t classes) {
  if (classes == 0 || labels.classes.empty()) return {};
  const auto limit = static_cast<std::int64_t>(classes);
  const auto bad = std::ranges::find_if(labels.classes, [&](std::int64_t label) { return label >= limit; });
  if (bad != labels.classes.end()) {
    const auto [low, high] = std::ranges::minmax(labels.classes);
    const bool from_one = labels.names.empty() && low >= 1 && high == limit;
    return bad_input(fmt::format("{}: the label {} is not a class of the network, whose classes are 0 .. {}{}",
                                 labels.place(static_cast<std::size_t>(bad - labels.classes.begin())), *bad, limit - 1,
                                 from_one ? "; all labels are 1 or more: do they count from 1? take 1 from each" : ""));
  }
  if (!labels.names.empty() && labels.names.size() != classes)
    warn(fmt::format("{}: {} names are the labels 0 .. {} by rank, but the network has {} classes: unless the others "
                     "come last, accuracy means nothing; give numbers in a list of file,label",
                     labels.source, labels.names.size(), labels.names.size() - 1, classes));
  return {};
}

std::optional<std::string> chance_warning(const Accuracy &accuracy, std::size_t classes) {
  if (classes < 2 || accuracy.samples == 0) return std::nullopt;
  // Near chance: a twentieth of the way from there to always right. Sure: a network a fifth of the way there would be
  // right as seldom as this in less than one of a hundred such sets (binomial).
  constexpr double near = 0.05, learned = 0.2, doubt = 0.01;
  const double chance = 1 / static_cast<double>(classes);
  if (accuracy.top1_share() > chance + near * (1 - chance)) return std::nullopt;
  const double p = chance + learned * (1 - chance), n = static_cast<double>(accuracy.samples);
  double tail = 0;
  for (std::size_t k = 0; k <= accuracy.top1; ++k) {
    const auto right = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(right + 1) - std::lgamma(n - right + 1) + right * std::log(p) +
                     (n - right) * std::log1p(-p));
  }
  if (tail > doubt) return std::nullopt;
  return fmt::format(
      "AT CHANCE: the network was right on {} of {} samples, about as often as guessing among {} classes; "
      "check --preprocess and the labels before believing any figure",
      accuracy.top1, accuracy.samples, classes);
}

std::optional<std::string> input_warning(const Dataset &data, const Graph &graph) {
  const Isa isa = apply_isa_limit(Isa::amx); // what --isa allows, and the processor has
  const auto found = compare_with_batch_norm(graph, all_ops(), *data.samples, some_of(data.indices, 16), isa);
  if (!found) return std::nullopt;
  const std::string given = fmt::format("{} (BatchNormalization) is given values {:.3g} times as wide as in training, "
                                        "their means {:.3g} standard deviations away",
                                        found->node, found->spread, found->shift);
  log_info(fmt::format("{}: {} (divergence {:.3g})", data.description, given, found->divergence));
  if (!found->unlike_training()) return std::nullopt;
  return fmt::format("UNLIKE TRAINING: {}; check --preprocess (scale, mean, std) before believing any figure", given);
}

} // namespace edgec
