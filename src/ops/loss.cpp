// NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss: training losses that exported graphs hold.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &scores = *args.input(0), &labels = *args.input(1);
  if (scores.shape && scores.shape->size() < 2)
    return bad_input(fmt::format("the scores have rank {}, expected at least 2", scores.shape->size()));
  const bool reduces = args.node.get_string("reduction", "mean") != "none";
  return std::vector<Type>{Type::tensor(scores.dtype, reduces ? std::optional(Shape{}) : labels.shape),
                           Type::tensor(scores.dtype, scores.shape)};
}

/// log(softmax) along axis 1 of [batch, classes, area].
void log_softmax(std::vector<double> &x, std::int64_t batch, std::int64_t classes, std::int64_t area) {
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t i = 0; i < area; ++i) {
      double *row = x.data() + n * classes * area + i, high = row[0], sum = 0;
      for (std::int64_t c = 1; c < classes; ++c) high = std::max(high, row[c * area]);
      for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(row[c * area] - high);
      for (std::int64_t c = 0; c < classes; ++c) row[c * area] -= high + std::log(sum);
    }
}

template <bool softmax>
Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &scores = *args.inputs[0], &labels = *args.inputs[1];
  const std::int64_t batch = scores.dims[0], classes = scores.dims[1],
                     area = product(scores.dims, 2, scores.dims.size());
  if (labels.size() != batch * area)
    return bad_input(fmt::format("{} labels, expected {}", labels.size(), batch * area));
  const auto weights =
      args.input(2) ? to_doubles(*args.inputs[2]) : std::vector<double>(static_cast<std::size_t>(classes), 1);
  if (static_cast<std::int64_t>(weights.size()) != classes)
    return bad_input(fmt::format("{} weights for {} classes", weights.size(), classes));
  auto logs = to_doubles(scores);
  if (softmax && classes > 0) log_softmax(logs, batch, classes, area);
  const auto classes_of = to_int64s(labels);
  const bool ignores = args.node.attribute("ignore_index") != nullptr;
  const std::int64_t ignored = args.node.get_int("ignore_index", 0);
  std::vector<double> losses(classes_of.size());
  double sum = 0, weight_sum = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const std::int64_t c = classes_of[i], at = static_cast<std::int64_t>(i);
    if (ignores && c == ignored) continue;
    if (c < 0 || c >= classes) return bad_input(fmt::format("label {} of {} classes", c, classes));
    const double weight = weights[static_cast<std::size_t>(c)];
    losses[i] = -weight * logs[static_cast<std::size_t>((at / area * classes + c) * area + at % area)];
    sum += losses[i];
    weight_sum += weight;
  }
  const std::string reduction = args.node.get_string("reduction", "mean");
  const DType dtype = scores.dtype;
  std::vector<RuntimeValue> outputs;
  if (reduction == "none")
    outputs = one(from_doubles(dtype, labels.dims, losses));
  else
    outputs = one(from_doubles(dtype, {}, std::vector<double>{reduction == "mean" ? sum / weight_sum : sum}));
  if (softmax) outputs.emplace_back(from_doubles(dtype, scores.dims, logs));
  return outputs;
}

const OpDef defs[] = {
    {.name = "NegativeLogLikelihoodLoss",
     .since = 12,
     .summary = "mean of the labels' negative scores",
     .infer = infer,
     .reference = reference<false>},
    {.name = "SoftmaxCrossEntropyLoss",
     .since = 12,
     .summary = "negative log likelihood of the softmax",
     .infer = infer,
     .reference = reference<true>},
};

} // namespace

std::span<const OpDef> loss() { return defs; }

} // namespace edgec::ops
