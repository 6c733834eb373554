// Joins a product with a constant matrix and the bias added to it:
//
//     a = MatMul(x, w)  y = Add(a, b)      becomes      y = Gemm(x, w, b)
//
// Gemm takes matrices only: not where x's rank is not known to be 2, nor where w is not a constant of rank 2. The bias
// must be a constant with one entry per column ([N] or [1, N]), and nothing else may read the product. A mask is not a
// bias: a layer without infinities can be compressed.
#include <algorithm>

#include "measure/logits.h"
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-matmul-add";

/// The bias as a constant of dims [columns]; none where `id` is something else.
ValueId bias_of(Graph &graph, ValueId id, std::int64_t columns) {
  const Tensor *data = graph.constant(id);
  if (!data || graph.value(id).type.is_quantized() || std::ranges::any_of(to_doubles(*data), is_endless)) return {};
  if (data->dims == Dims{columns}) return id;
  if (data->dims != Dims{1, columns}) return {};
  Tensor flat = *data;
  flat.dims = {columns};
  return graph.add_constant(std::move(flat), graph.value(id).name);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id) || !graph.node(id).is("MatMul")) continue;
    const Node &node = graph.node(id);
    const Tensor *weight = graph.constant(node.input(1));
    const NodeId next = graph.sole_user(node.outputs[0]);
    if (!weight || weight->dims.size() != 2 || !next.valid() || !graph.node(next).is("Add")) continue;
    const Type &x = graph.value(node.inputs[0]).type, &y = graph.value(graph.node(next).outputs[0]).type;
    if (x.is_quantized() || y.is_quantized() || graph.value(node.inputs[1]).type.is_quantized() || !is_float(x.dtype))
      continue;
    if (!x.rank()) context.skip(pass, node.label(), "the rank of its data is not known");
    if (x.rank() != 2) continue;
    const bool first = graph.node(next).input(0) == node.outputs[0];
    const ValueId bias = bias_of(graph, graph.node(next).input(first ? 1 : 0), weight->dims[1]);
    if (!bias.valid()) continue;
    context.say(pass, graph.node(id).label(), "became a Gemm with the bias of " + graph.node(next).label());
    graph.set_input(id, 2, bias);
    graph.set_op(id, "Gemm");
    absorb(graph, id, next);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef fuse_matmul_add;
const PassDef fuse_matmul_add{"fuse-matmul-add", "Join MatMul by a constant matrix and Add into Gemm", run};

} // namespace edgec::passes
