// Makes a Gemm of a convolution whose kernel covers all of its input, where only the matrix that it makes is read:
//
//     a = Conv(x, w, b)  y = Reshape(a, {0, N})                        becomes      f = Flatten(x)  y = Gemm(f, w', b)
//     with float[?,C,H,W] x, float[N,C,H,W] w
//
// Classifiers that end in a pool, a 1x1 Conv and a Reshape are of that kind. Runtimes have an integer Gemm with a float
// result, which the answers stay, but no such Conv. Not where there are pads or groups, where w has another reader, or
// where types are quantized.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/reshape.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "flatten-conv";

bool all(const std::vector<std::int64_t> &values, std::int64_t wanted) {
  return std::ranges::all_of(values, [&](std::int64_t value) { return value == wanted; });
}

/// Is its output the sum over all of each sample, weighted?
bool covers_input(const Graph &graph, const Node &conv) {
  const Type *x = type_of(graph, conv.inputs[0]), *y = type_of(graph, conv.outputs[0]);
  const Tensor *weight = graph.constant(conv.inputs[1]);
  if (!weight || !x || !x->shape || x->is_quantized() || type_of(graph, conv.inputs[1])->is_quantized() ||
      y->is_quantized())
    return false;
  if (!is_float(x->dtype) || x->shape->size() != weight->dims.size() || weight->rank() < 3) return false;
  for (std::size_t i = 1; i < x->shape->size(); ++i)
    if ((*x->shape)[i].size != weight->dims[i] || weight->dims[i] < 1) return false;
  const std::string pad = conv.get_string("auto_pad", "NOTSET");
  return (pad == "NOTSET" || pad == "VALID") && all(conv.get_ints("pads"), 0) && all(conv.get_ints("dilations"), 1) &&
         conv.get_int("group", 1) == 1;
}

/// The node that makes a matrix of its output and is its only reader; none: there is none.
NodeId flattener(const Graph &graph, const ShapeFacts &facts, const Node &conv) {
  const NodeId id = graph.sole_user(conv.outputs[0]);
  if (!id.valid()) return {};
  const Node &node = graph.node(id);
  if (!node.is("Reshape") && !node.is("Flatten") && !node.is("Squeeze")) return {};
  const auto from = facts.shapes.find(conv.outputs[0]), to = facts.shapes.find(node.outputs[0]);
  if (node.inputs[0] != conv.outputs[0] || from == facts.shapes.end() || to == facts.shapes.end()) return {};
  const Shape &was = from->second, &is = to->second;
  return is.size() == 2 && is[0] == was[0] && is[1] == was[1] ? id : NodeId{};
}

void rewrite(Graph &graph, NodeId id, NodeId last) {
  const Node conv = graph.node(id);
  Tensor weight = *graph.constant(conv.inputs[1]);
  const std::int64_t rows = weight.dims[0], columns = weight.size() / rows;
  weight.dims = {rows, columns};
  Type type = graph.value(conv.inputs[0]).type;
  type.shape = Shape{type.shape->front(), Dim::known(columns)};
  Node flatten{.op = "Flatten", .inputs = {conv.inputs[0]}, .origins = conv.origins};
  graph.set_input(id, 0, graph.add_op(std::move(flatten), std::move(type), id));
  graph.set_input(id, 1, graph.add_constant(std::move(weight), graph.value(conv.inputs[1]).name));
  for (const char *attribute : {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"})
    graph.remove_attribute(id, attribute);
  graph.set_op(id, "Gemm");
  graph.set_attribute(id, "transB", std::int64_t{1});
  absorb(graph, id, last);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  const auto fits = [&](NodeId id) { return graph.node(id).is("Conv") && covers_input(graph, graph.node(id)); };
  if (graph.opset() < 7 || std::ranges::none_of(graph.nodes(), fits)) return false;
  EDGEC_ASSIGN(const ShapeFacts facts, shape_facts(graph, context.ops));
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id) || !fits(id)) continue;
    const Node &conv = graph.node(id);
    const bool bias = conv.input(2).valid() || graph.opset() >= 11; // before, Gemm needs one
    const NodeId last = bias && graph.use_count(conv.inputs[1]) == 1 ? flattener(graph, facts, conv) : NodeId{};
    if (!last.valid()) continue;
    context.say(pass, conv.label(), "became Gemm: its kernel covers all of its input");
    rewrite(graph, id, last);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef flatten_conv;
const PassDef flatten_conv{"flatten-conv", "Make a Gemm of a Conv whose kernel covers its input", run};

} // namespace edgec::passes
