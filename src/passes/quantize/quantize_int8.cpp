// Static int8: weights symmetric per output channel, activations asymmetric per tensor, biases int32, means corrected.
//
//   y = Relu(Conv(x, W, B))   becomes   xq = QuantizeLinear(x)           : uint8[..]{sx,zx}
//                                       y = Conv(xq, Wq, Bq)             : uint8[..]{sy,0}   the clamp is saturation
// Not touched: operators without an integer form, what --include/--exclude leave out, a Softmax or Sigmoid that only
// feeds an output, and the logits, which stay float.
#include <algorithm>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "passes/quantize/_int8_bias.h"
#include "passes/quantize/int8.h"
#include "runtime/plan.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// What both the whole and the cross-fitted halves start from.
struct Prepared {
  Int8Plan plan;
  Calibration ranges;                 // of the graph at hand
  std::optional<Calibration> original; // means and logits of the original, where it differs
  [[nodiscard]] const Calibration &reference() const { return original ? *original : ranges; }
};

Result<Prepared> prepare(const Graph &graph, const PassContext &context, const Int8Request &request) {
  Prepared prepared{plan_int8(graph, context, context.lossy.integer_results), {}, std::nullopt};
  CalibrationOptions options;
  options.ranges.assign(prepared.plan.quantized.begin(), prepared.plan.quantized.end());
  std::erase_if(options.ranges, [&](ValueId id) { return graph.constant(id) != nullptr; });
  for (const Int8Layer &layer : prepared.plan.layers) options.channel_means.push_back(layer.target);
  options.histograms = context.lossy.range != "minmax";
  options.threads = context.threads;
  options.isa = context.isa;
  if (request.logits) options.fetches = {request.logits(graph)};
  if (request.progress) options.progress = [&](std::size_t done, std::size_t all) { request.progress("calibrating", done, all); };
  EDGEC_ASSIGN(prepared.ranges, calibrate(graph, context.ops, *context.calibration, context.samples, options));
  if (context.original) {
    options.ranges.clear();
    options.histograms = false;
    if (request.logits) options.fetches = {request.logits(*context.original)};
    EDGEC_ASSIGN(prepared.original, calibrate(*context.original, context.ops, *context.calibration, context.samples, options));
  }
  return prepared;
}

Result<std::size_t> apply(Graph &graph, const Prepared &prepared, std::span<const int> folds, const PassContext &context) {
  const RangeStatistics ranges = prepared.ranges.merged(folds);
  EDGEC_ASSIGN(auto layers, retype_int8(graph, prepared.plan, ranges, context));
  if (context.lossy.bias_correction)
    EDGEC_CHECK(correct_biases(graph, layers, prepared.original ? prepared.original->merged(folds) : ranges, context));
  graph.remove_dead();
  return layers.size();
}

std::vector<std::size_t> fold_of(std::span<const std::size_t> samples, std::size_t fold) {
  std::vector<std::size_t> found;
  for (std::size_t i = fold; i < samples.size(); i += 2) found.push_back(samples[i]);
  return found;
}

/// Quantizes on one half, runs on the other.
Status cross_fit(const Graph &graph, const Prepared &prepared, std::size_t fold, const PassContext &context,
                 const Int8Request &request, std::vector<Tensor> &held_out) {
  PassContext half = context;
  half.samples = fold_of(context.samples, fold);
  half.note = nullptr;
  Graph candidate = graph;
  const int folds[] = {static_cast<int>(fold)};
  EDGEC_CHECK(apply(candidate, prepared, folds, half));
  PlanOptions plan;
  plan.isa = context.isa;
  plan.fetches = {request.logits(candidate)};
  Runner runner(candidate, context.ops, plan);
  const std::vector<std::size_t> unseen = fold_of(context.samples, 1 - fold);
  return parallel_for(unseen.size(), context.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(const Sample sample, context.calibration->load(unseen[i]));
    EDGEC_ASSIGN(auto outputs, runner.run_tensors(sample, worker));
    held_out[2 * i + 1 - fold] = std::move(outputs[0]);
    return {};
  });
}

} // namespace

Result<Int8Outcome> quantize_int8(Graph &graph, const PassContext &context, const Int8Request &request) {
  if (!context.calibration || context.samples.empty())
    return usage_error("int8 quantization needs calibration samples (--calib)");
  EDGEC_ASSIGN(const Prepared prepared, prepare(graph, context, request));
  Int8Outcome outcome;
  for (const auto &outputs : prepared.reference().outputs) outcome.reference.push_back(outputs[0]);
  if (request.cross_fit && request.logits && context.samples.size() >= 2) {
    outcome.held_out.resize(context.samples.size());
    for (const std::size_t fold : {0U, 1U}) {
      if (request.progress) request.progress("cross-fitting", fold, 2);
      EDGEC_CHECK(cross_fit(graph, prepared, fold, context, request, outcome.held_out));
    }
  }
  if (request.progress) request.progress("quantizing", 0, 1);
  const int both[] = {0, 1};
  EDGEC_ASSIGN(outcome.layers, apply(graph, prepared, both, context));
  return outcome;
}

namespace passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  EDGEC_ASSIGN(const Int8Outcome outcome, quantize_int8(graph, context, {}));
  return outcome.layers > 0;
}

} // namespace

extern const PassDef quantize_int8;
const PassDef quantize_int8{"quantize-int8", "Static int8: weights per channel, activations per tensor, biases corrected",
                            PassKind::lossy, run};

} // namespace passes
} // namespace edgec
