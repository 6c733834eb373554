// Half precision: `--float16` and `--bfloat16`. Weights take two bytes each.
//
//   y = Conv(x, W, B)   becomes   xh = Cast(x), yh = Conv(xh, Wh, Bh), y = Cast(yh)      float16[..]
//                           or    y = Conv(x, Cast(Wh), Cast(Bh))                        computed on float32
//
// float16 is computed on where ONNX has the operator so and its range was checked; Casts stand at the network's inputs
// and outputs, and where float16 and float32 meet. What stays float32 has its weights stored as float16 all the same,
// if these fit. bfloat16 only stores: onnxruntime's CPU provider has Cast for it and no arithmetic. So do the bodies of
// If, Loop and Scan.
#include <algorithm>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "passes/bodies.h"
#include "schemes/half/costly.h"
#include "schemes/half/half_range.h"
#include "schemes/half/options.h"
#include "schemes/half/placement.h"
#include "schemes/int8/options.h"
#include "schemes/rate/options.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "narrow-floats";

/// Puts a plan into a graph.
class Narrower {
public:
  Narrower(Graph &graph, const HalfPlan &plan, DType dtype, const Job &job)
      : graph_(graph), plan_(plan), dtype_(dtype), job_(job) {}

  /// True where something became half precision.
  bool run() {
    for (const ValueId id : graph_.values()) {
      if (!is_float32(graph_, id)) continue;
      if (graph_.constant(id) != nullptr)
        narrow_constant(id);
      else if (plan_.nodes.contains(graph_.value(id).producer))
        narrow_result(id);
      else
        narrow_operand(id);
    }
    return changed_;
  }

private:
  Graph &graph_;
  const HalfPlan &plan_;
  DType dtype_;
  const Job &job_;
  bool changed_ = false;

  ValueId cast(ValueId from, DType to) {
    Node node{.op = "Cast", .inputs = {from}, .attributes = {{"to", static_cast<std::int64_t>(to)}}};
    Type type = graph_.value(from).type;
    type.dtype = to;
    changed_ = true;
    return graph_.add_op(std::move(node), std::move(type));
  }

  void read(const Use &use, ValueId value) {
    const std::size_t inputs = graph_.node(use.node).inputs.size();
    if (use.index < inputs)
      graph_.set_input(use.node, use.index, value);
    else
      graph_.set_capture(use.node, use.index - inputs, value);
  }

  /// Readers on float16 get the constant so; others in scope get it through a Cast, where that saves something and is
  /// not folded again.
  void narrow_constant(ValueId id) {
    const Tensor data = *graph_.constant(id);
    const std::string label = graph_.value(id).name;
    std::vector<Use> half, reals;
    for (const Use &use : graph_.value(id).uses) {
      if (plan_.reads_half(graph_, use))
        half.push_back(use);
      else if (job_.scope.allows(graph_.node(use.node)) && !plan_.exact.contains(use.node))
        reals.push_back(use);
    }
    const bool large = static_cast<std::size_t>(data.size()) * sizeof(std::uint16_t) > job_.fold_growth_limit;
    if (!large || graph_.is_output(id)) reals.clear();
    if (!reals.empty())
      if (const HalfMisfit misfit = half_misfit(data, dtype_)) {
        job_.skip(name, graph_.node(reals.front().node).label(), fmt::format("{} {}", label, misfit.why));
        reals.clear();
      }
    if (half.empty() && reals.empty()) return;
    const ValueId stored = graph_.add_constant(from_doubles(dtype_, data.dims, to_doubles(data)), label);
    changed_ = true;
    for (const Use &use : half) read(use, stored);
    const ValueId widened = reals.empty() ? ValueId{} : cast(stored, DType::float32);
    for (const Use &use : reals) read(use, widened);
    if (graph_.use_count(id) == 0) graph_.remove(id);
  }

  /// What a node on float16 gives.
  void narrow_result(ValueId id) {
    std::vector<Use> reals;
    for (const Use &use : graph_.value(id).uses)
      if (!plan_.reads_half(graph_, use)) reals.push_back(use);
    Type type = graph_.value(id).type;
    type.dtype = dtype_;
    graph_.set_type(id, std::move(type));
    changed_ = true;
    if (reals.empty() && !graph_.is_output(id)) return;
    const ValueId widened = cast(id, DType::float32);
    for (const Use &use : reals) read(use, widened);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i)
      if (graph_.outputs()[i].value == id) graph_.set_output(i, widened);
  }

  /// What nodes on float16 read and others give.
  void narrow_operand(ValueId id) {
    std::vector<Use> half;
    for (const Use &use : graph_.value(id).uses)
      if (plan_.reads_half(graph_, use)) half.push_back(use);
    if (half.empty()) return;
    const ValueId narrowed = cast(id, dtype_);
    for (const Use &use : half) read(use, narrowed);
  }
};

/// Of every float32 value that is computed; nothing where the network cannot be run on the samples.
RangeStatistics ranges_of(const Graph &graph, const Job &job) {
  if (job.calibration == nullptr || job.samples.empty()) return {};
  CalibrationOptions options;
  for (const ValueId id : graph.values())
    if (is_float32(graph, id) && graph.constant(id) == nullptr && graph.use_count(id) > 0) options.ranges.push_back(id);
  options.folds = 1;
  options.threads = job.threads;
  options.isa = job.isa;
  if (job.progress)
    options.progress = [&](std::size_t done, std::size_t all) { job.progress("calibrating", done, all); };
  const auto found = calibrate(graph, job.ops, *job.calibration, job.samples, options);
  if (!found) job.skip(name, "", "ranges were not checked: " + found.error().message);
  return found ? found->folds.front() : RangeStatistics{};
}

/// Weights in a body and in those within it are stored in half precision.
Result<bool> store_constants(Graph &body, DType dtype, const Job &job) {
  const bool stored = Narrower(body, {}, dtype, job).run();
  EDGEC_ASSIGN(const bool deeper,
               edit_bodies(body, job.ops, 0, [&](Graph &inner) { return store_constants(inner, dtype, job); }));
  if (stored) EDGEC_CHECK(body.sort());
  return stored || deeper;
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  const DType dtype = job.options<HalfOptions>().dtype();
  HalfPlan plan;
  Job silent = job;
  silent.note = nullptr;
  if (dtype == DType::float16) {
    plan = plan_half(graph, ranges_of(graph, job), job);
    const auto narrowed = [&](const HalfPlan &trial) -> Result<Graph> {
      Graph copy = graph;
      Narrower(copy, trial, dtype, silent).run();
      EDGEC_CHECK(copy.sort());
      return copy;
    };
    EDGEC_CHECK(leave_costly(graph, plan, narrowed, job));
  }
  for (const auto &[node, why] : plan.float_ones) job.skip(name, graph.node(node).label(), why);
  SchemeOutcome outcome;
  EDGEC_ASSIGN(outcome.changed,
               edit_bodies(graph, job.ops, 0, [&](Graph &body) { return store_constants(body, dtype, job); }));
  outcome.changed |= Narrower(graph, plan, dtype, job).run();
  return outcome;
}

void declare(Options &options, Settings &settings) {
  auto &half = settings.edit<HalfOptions>();
  options.group("Half precision");
  options
      .flag("--float16", &half.float16,
            "weights and what is between layers as float16; what it does not hold stays float32, and so do inputs and "
            "outputs")
      .is_common()
      .loses()
      .records();
  options
      .flag("--bfloat16", &half.bfloat16,
            "weights stored as bfloat16 behind Cast; layers compute on float32 (opset 13)")
      .loses()
      .records();
  options.flag("--half-io", &half.io, "the network's inputs and outputs become float16, too")
      .needs("float16")
      .records();
}

bool wanted(const Settings &settings) {
  const auto &half = settings.get<HalfOptions>();
  return half.float16 || half.bfloat16;
}

Status check(const Settings &settings) {
  const auto &half = settings.get<HalfOptions>();
  if (half.float16 && half.bfloat16) return usage_error("--float16, --bfloat16: weights are stored as one of both");
  const char *flag = half.float16 ? "--float16" : "--bfloat16";
  if (settings.get<Int8Options>().wanted())
    return usage_error(fmt::format("{}, --int8: weights are stored as one of both", flag));
  if (rounds_weights(settings))
    return usage_error(fmt::format("{}: where weights are rounded for a size, they are codes already", flag));
  return {};
}

std::int64_t least_opset(const Settings &settings, bool) {
  constexpr std::int64_t first_with_bfloat16 = 13;
  return settings.get<HalfOptions>().bfloat16 ? first_with_bfloat16 : 0;
}

std::vector<SchemeStep> steps(const Job &job) {
  return job.options<HalfOptions>().float16 ? std::vector<SchemeStep>{{"calibrating", 1}} : std::vector<SchemeStep>{};
}

} // namespace

extern const SchemeDef narrow_floats;
const SchemeDef narrow_floats{.name = name,
                              .flag = "--float16",
                              .summary = "weights and values in half precision, where it holds them",
                              .phase = Phase::numbers,
                              .place = 90,
                              .declare = declare,
                              .wanted = wanted,
                              .check = check,
                              .least_opset = least_opset,
                              .steps = steps,
                              .run = run};

} // namespace edgec::schemes
