#include "passes/pipeline.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "passes/bodies.h"
#include "support/cancel.h"

namespace edgec {
namespace {

std::string exact_text(const Graph &graph) { return to_text(graph, {.hash_tensors = true}); }

/// What the world outside knows of a graph: names and types of its inputs and outputs.
struct Interface {
  std::vector<std::pair<std::string, Type>> inputs, outputs;

  explicit Interface(const Graph &graph) {
    for (const ValueId id : graph.inputs()) inputs.emplace_back(graph.value(id).name, graph.value(id).type);
    for (const GraphOutput &out : graph.outputs()) outputs.emplace_back(out.name, graph.value(out.value).type);
  }
};

/// The same kind of value, and no dim that contradicts the other's.
bool compatible(const Type &a, const Type &b) {
  if (a.kind != b.kind || a.dtype != b.dtype || a.quant != b.quant) return false;
  if (!a.shape || !b.shape) return true;
  return std::ranges::equal(*a.shape, *b.shape,
                            [](const Dim &x, const Dim &y) { return !x.is_known() || !y.is_known() || x == y; });
}

/// Checks that a pass kept the interface. An output may have become a value that says less of its shape: it gets what
/// was known back.
Status keep_interface(Graph &graph, const Interface &before) {
  const auto check = [](std::string_view what, const auto &was, const auto &is) -> Status {
    if (was.size() != is.size())
      return internal_error(fmt::format("it had {} {}s, now {}", was.size(), what, is.size()));
    for (std::size_t i = 0; i < was.size(); ++i)
      if (was[i].first != is[i].first || !compatible(was[i].second, is[i].second))
        return internal_error(fmt::format("{} {} was {} {}, is {} {}", what, i, to_string(was[i].second), was[i].first,
                                          to_string(is[i].second), is[i].first));
    return {};
  };
  const Interface after(graph);
  EDGEC_CHECK(check("graph input", before.inputs, after.inputs));
  EDGEC_CHECK(check("graph output", before.outputs, after.outputs));
  for (std::size_t i = 0; i < graph.outputs().size(); ++i)
    if (graph.producer(graph.outputs()[i].value)) graph.set_type(graph.outputs()[i].value, before.outputs[i].second);
  return {};
}

bool names(const std::vector<std::string> &list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

Status check_result(bool changed, const Graph &graph, const Graph &before, const PipelineOptions &options) {
  if (changed) EDGEC_CHECK(verify(graph));
  if (!options.check_honesty || changed == (exact_text(graph) != exact_text(before))) return {};
  return internal_error(changed
                            ? "it says that it changed the graph, and did not"
                            : "it says that it left the graph as it was, and did not; after it:\n" + exact_text(graph));
}

/// Sorts what a step changed and checks its interface.
Result<bool> run_tidily(Graph &graph, const Step &step, const std::function<void(PassNote)> &note) {
  const Interface before(graph);
  EDGEC_ASSIGN(const bool changed, step(graph, note));
  if (changed) {
    EDGEC_CHECK(graph.sort());
    EDGEC_CHECK(keep_interface(graph, before));
  }
  return changed;
}

/// Runs a pass on a graph and on all sub-graphs in it.
Result<bool> run_everywhere(const PassDef &pass, Graph &graph, const PassContext &context) {
  EDGEC_ASSIGN(const bool changed, pass.run(graph, context));
  const Step step = [&](Graph &body, const auto &) { return run_everywhere(pass, body, context); };
  const auto inside = [&](Graph &body) -> Result<bool> {
    auto outcome = run_tidily(body, step, nullptr);
    if (outcome || outcome.error().code != Code::bad_input) return outcome;
    context.skip(pass.name, body.name, "sub-graph left as it is: " + outcome.error().message); // perhaps never run
    return false;
  };
  EDGEC_ASSIGN(const bool deeper, edit_bodies(graph, context.ops, context.fold_growth_limit, inside));
  return changed || deeper;
}

class Manager {
public:
  Manager(Graph &graph, const PassContext &context, const PipelineOptions &options)
      : graph_(graph), context_(context), options_(options) {}

  Result<PipelineReport> run(std::span<const PassDef *const> passes) {
    for (const PassDef *pass : passes) report_.passes.push_back({.name = std::string(pass->name)});
    EDGEC_CHECK(check_names(passes));
    EDGEC_CHECK(graph_.sort());
    EDGEC_CHECK(verify(graph_).in("the graph before any pass"));
    const auto stop = std::ranges::find(passes, options_.stop_after, &PassDef::name);
    EDGEC_CHECK(repeat(passes.first(std::min(passes.size(), static_cast<std::size_t>(stop - passes.begin()) + 1))));
    return std::move(report_);
  }

private:
  Graph &graph_;
  const PassContext &context_;
  const PipelineOptions &options_;
  PipelineReport report_;

  Status check_names(std::span<const PassDef *const> passes) const {
    std::vector<std::string> wanted = options_.skip;
    wanted.insert(wanted.end(), options_.print_after.begin(), options_.print_after.end());
    if (!options_.stop_after.empty()) wanted.push_back(options_.stop_after);
    for (const std::string &name : wanted)
      if (std::ranges::none_of(passes, [&](const PassDef *pass) { return pass->name == name; }))
        return usage_error(fmt::format("no pass of this run is named `{}`", name));
    return {};
  }

  Status repeat(std::span<const PassDef *const> passes) {
    std::size_t changes = 0;
    std::vector<std::size_t> seen(passes.size(), std::string::npos); // how many there had been when the pass ran last
    for (std::size_t round = 0; round < options_.max_rounds; ++round) {
      bool changed = false;
      for (std::size_t i = 0; i < passes.size(); ++i) {
        EDGEC_CHECK(check_interrupted());
        PassRecord &record = report_.passes[i];
        if (names(options_.skip, passes[i]->name) || seen[i] == changes || !record.rejected.empty()) continue;
        seen[i] = changes;
        EDGEC_ASSIGN(const bool did, run_one(*passes[i], record));
        changed |= did;
        if (did) ++changes;
      }
      if (!changed) return {};
    }
    report_.converged = false;
    if (options_.check_honesty)
      return internal_error(
          fmt::format("the exact passes still change the graph after {} rounds", options_.max_rounds));
    return {};
  }

  Result<bool> run_one(const PassDef &pass, PassRecord &record) {
    const Step step = [&](Graph &graph, const std::function<void(PassNote)> &note) {
      PassContext context = context_;
      context.note = note;
      return run_everywhere(pass, graph, context);
    };
    return run_step(graph_, pass.name, step, context_.note, options_, record);
  }
};

} // namespace

Result<bool> run_step(Graph &graph, std::string_view name, const Step &step, const std::function<void(PassNote)> &note,
                      const PipelineOptions &options, PassRecord &record) {
  const Graph before = graph;
  const std::size_t noted = record.notes.size();
  const auto take_note = [&](const PassNote &said) {
    const auto same = [&](const PassNote &known) {
      return known.node == said.node && known.text == said.text && known.skipped == said.skipped;
    };
    if (std::ranges::any_of(record.notes, same)) return;
    record.notes.push_back(said);
    if (note) note(said);
  };
  const auto start = std::chrono::steady_clock::now();
  const Result<bool> outcome = run_tidily(graph, step, take_note);
  record.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++record.runs;
  const auto give_back = [&](Error error) {
    graph = before;
    return std::move(error).in("pass " + std::string(name));
  };
  if (!outcome) return give_back(outcome.error());
  if (const Status status = check_result(*outcome, graph, before, options); !status) {
    Error error = status.error();
    error.message += "; the graph before it:\n" + exact_text(before);
    return give_back(std::move(error));
  }
  if (*outcome && options.check_each) {
    auto wrong = options.check_each(before, graph);
    if (!wrong) return give_back(wrong.error());
    if (*wrong) {
      graph = before;
      record.rejected = **wrong;
      record.notes.resize(noted); // what it did is undone
      take_note({std::string(name), "", "left out: " + record.rejected, true});
      return false;
    }
  }
  if (options.print && names(options.print_after, name)) options.print(name, exact_text(graph));
  record.changed |= *outcome;
  return *outcome;
}

Result<PipelineReport> run_pipeline(Graph &graph, std::span<const PassDef *const> passes, const PassContext &context,
                                    const PipelineOptions &options) {
  return Manager(graph, context, options).run(passes);
}

namespace passes {
extern const PassDef constants_to_initializers, einsum_to_matmul, eliminate_dead, eliminate_dead_channels,
    eliminate_dead_outputs, eliminate_dropout, eliminate_duplicates, eliminate_identity, eliminate_neutral,
    eliminate_no_op, flatten_conv, fold_constants, fold_shapes, fuse_activation, fuse_bn_forward, fuse_conv_bn,
    fuse_matmul_add, fuse_pad, hoist_elementwise, inline_if, lift_scalars, merge_reshapes, merge_slices,
    merge_transposes, recognize_activation, recognize_normalization, recognize_softmax, sink_dequantize, squeeze_matmul,
    sum_to_add, unflatten_gemm;
}

std::span<const PassDef *const> exact_pipeline() {
  static constexpr const PassDef *list[] = {
      &passes::eliminate_identity,        // first, so that no pattern has to look through Identity
      &passes::eliminate_dropout,         // the same
      &passes::constants_to_initializers, // before everything that asks whether an operand is constant
      &passes::fold_constants,            // shapes and axes become known to all that follows
      &passes::fold_shapes,               // dims that are known one by one
      &passes::inline_if,                 // once the condition is known, before the branch is looked at twice
      &passes::eliminate_no_op,           // after folding, which says what shapes and pads are
      &passes::sum_to_add,                // before what looks for Add
      &passes::einsum_to_matmul,          // before what looks for MatMul
      &passes::eliminate_neutral,         // after folding, too
      &passes::merge_reshapes,            // when their targets are constant
      &passes::merge_transposes,          // the same; what is left of them after merge-reshapes
      &passes::merge_slices,              // when their bounds are constant
      &passes::sink_dequantize,           // what moves constants is gone then
      &passes::squeeze_matmul,            // before what looks for constant matrices
      &passes::unflatten_gemm,            // before fuse-matmul-add, which takes what is a matrix already
      &passes::lift_scalars,              // what is left of shape computations
      &passes::hoist_elementwise,         // behind what only moves constants
      &passes::eliminate_duplicates,      // after those three: equal nodes have equal operands now
      &passes::fuse_matmul_add,           // before fuse-conv-bn: Gemm has a bias, MatMul has none
      &passes::fuse_pad,                  // when its pads are constant
      &passes::fuse_conv_bn,              // when weights are constant and nothing stands between
      &passes::fuse_bn_forward,           // what no node before it could take
      &passes::flatten_conv,              // when its bias is in it and reshapes are joined
      &passes::fuse_activation,           // after what stood between Relu and Clip is gone
      &passes::recognize_activation,      // when nothing stands between the parts of a formula
      &passes::recognize_normalization,   // the same
      &passes::recognize_softmax,         // the same
      &passes::eliminate_dead_channels,   // when BatchNormalization with a scale of zero has become rows of zeros
      &passes::eliminate_dead_outputs,    // before the nodes go that computed them
      &passes::eliminate_dead,            // last: what the others left without a reader
  };
  return list;
}

} // namespace edgec
