// Models in another opset, one version of ONNX after another: what changed with each is in opset_change.h.
#include <algorithm>
#include <fmt/format.h>

#include "formats/onnx/bodies.h"
#include "formats/onnx/graph_writer.h"
#include "formats/onnx/lend_constants.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/schemas.h"
#include "formats/onnx/settle.h"
#include "formats/onnx/skeleton.h"
#include "ir/opdef.h"

namespace edgec {
namespace {

using proto::OpsetChange;

struct Way {
  const OpRegistry *ops;
  bool changed = false;
};

const proto::OperatorChange *find_change(std::string_view op, std::int64_t since) {
  for (const auto changes :
       {proto::layer_changes(), proto::shape_changes(), proto::resize_changes(), proto::early_changes()}) {
    const auto found =
        std::ranges::find_if(changes, [&](const auto &change) { return change.op == op && change.since == since; });
    if (found != changes.end()) return &*found;
  }
  return nullptr;
}

Status convert_node(Graph &graph, NodeId id, std::int64_t from, std::int64_t to, Way &way) {
  const OpsetChange at{graph, id, from, to};
  if (!at.node().domain.empty()) return {};
  if (!proto::has_schema(at)) {
    if (way.ops && way.ops->find(at.node())) return {}; // it has one meaning only
    return unsupported(
        fmt::format("node {}: ONNX knows no operator {} of opset {}", at.node().label(), at.node().op, from));
  }
  EDGEC_ASSIGN(const bool is_new, proto::is_new_version(at));
  if (!is_new) return {};
  way.changed = true;
  const auto *change = find_change(at.node().op, std::max(from, to));
  const auto adapt = change ? to > from ? change->raise : change->lower : nullptr;
  if (adapt) EDGEC_CHECK(adapt(at));
  return proto::fit_schema(at);
}

Status step(Graph &graph, std::int64_t from, std::int64_t to, Way &way);

/// Operators that the opset below lacks are written out first, by operators that it may lack, too.
Status write_out(Graph &graph, std::int64_t from, std::int64_t to, Way &way) {
  constexpr int deepest = 16;
  for (int depth = 0; to < from && depth < deepest; ++depth) {
    EDGEC_ASSIGN(const proto::OpTypes absent, proto::absent_operators(graph, from, to));
    if (absent.empty()) return {};
    way.changed = true;
    EDGEC_CHECK(proto::expand_operators(graph, absent));
    if (to < from) proto::lend_constants(graph);
  }
  return {};
}

/// A graph to the next opset above or below. What adapters put in speaks the new one and is left alone.
Status step(Graph &graph, std::int64_t from, std::int64_t to, Way &way) {
  EDGEC_CHECK(write_out(graph, from, to, way));
  for (const NodeId id : graph.nodes()) {
    EDGEC_CHECK(proto::change_bodies(graph, id, [&](Graph &body) { return step(body, from, to, way); }));
    EDGEC_CHECK(convert_node(graph, id, from, to, way));
  }
  graph.opsets[""] = to;
  return way.changed ? graph.sort() : Status();
}

/// What ONNX's checker has against the graph without its big weights; empty: nothing.
std::string failure_of(const Model &model) {
  onnx::ModelProto proto;
  proto.set_ir_version(4); // initializers need not be inputs
  proto::put_opsets(model.graph.opsets, proto);
  proto::write_graph(model, *proto.mutable_graph(), proto::Weights::left_out);
  proto.set_ir_version(std::max<std::int64_t>(4, proto::ir_version_for(proto)));
  const proto::Verdict verdict = proto::settle(proto);
  return verdict.tolerable ? std::string() : verdict.failure;
}

Status convert(Model &model, std::int64_t target, const OpRegistry *ops) {
  for (std::int64_t opset = model.graph.opset(); opset != target;) {
    const std::int64_t next = opset < target ? opset + 1 : opset - 1;
    Way way{ops};
    EDGEC_CHECK(step(model.graph, opset, next, way));
    if (way.changed && next < opset) proto::lend_constants(model.graph);
    if (way.changed && ops) EDGEC_CHECK(infer_types(model.graph, *ops));
    opset = next;
  }
  return {};
}

} // namespace

Status convert_opset(Model &model, std::int64_t target, const OpRegistry *ops) {
  if (target < proto::oldest_opset || target > proto::newest_opset)
    return usage_error(
        fmt::format("opset {} cannot be written: {} to {} can", target, proto::oldest_opset, proto::newest_opset));
  const std::int64_t present = model.graph.opset();
  if (present == target || present == 0) {
    model.graph.opsets[""] = target;
    return {};
  }
  const std::string what = fmt::format("the model's opset {} cannot be converted to {}", present, target);
  Model converted = model;
  EDGEC_CHECK(converted.graph.sort());
  if (target < present) proto::lend_constants(converted.graph);
  if (auto done = convert(converted, target, ops); !done)
    return unsupported(fmt::format("{}: {}", what, done.error().message));
  if (const std::string failure = model.source_failure.empty() ? failure_of(converted) : std::string();
      !failure.empty())
    return unsupported(fmt::format("{}: ONNX's checker refuses the result: {}", what, failure));
  if (target < present) converted.ir_version = 3; // the writer takes the lowest that the content needs
  model = std::move(converted);
  return {};
}

} // namespace edgec
