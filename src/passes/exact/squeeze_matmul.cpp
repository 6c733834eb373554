// A stack of one constant matrix, as TensorFlow writes the weights of its dense layers, becomes the matrix, which other
// passes know as a weight:
//
//     y = MatMul(x, w)   with x[a,b,k], w[1,k,n]      becomes      y = MatMul(x, w')   with w'[k,n]
//
// Not where the other operand has fewer axes: the output has those of the longer one.
#include <algorithm>
#include <map>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "squeeze-matmul";

bool is_stack_of_one(const Graph &graph, ValueId id) {
  const Tensor *data = graph.constant(id);
  return data && data->rank() > 2 && !graph.value(id).type.is_quantized() &&
         std::all_of(data->dims.begin(), data->dims.end() - 2, [](std::int64_t d) { return d == 1; });
}

Result<bool> run(Graph &graph, const PassContext &context) {
  std::map<ValueId, ValueId> matrices; // of stacks that several nodes read
  for (const NodeId id : graph.nodes()) {
    if (!graph.node(id).is("MatMul")) continue;
    for (const std::size_t i : {0U, 1U}) {
      const ValueId stack = graph.node(id).inputs[i];
      const auto rank = graph.value(graph.node(id).inputs[1 - i]).type.rank();
      if (!is_stack_of_one(graph, stack) || !rank || *rank < graph.constant(stack)->rank()) continue;
      const auto [place, fresh] = matrices.try_emplace(stack);
      if (fresh) {
        Tensor matrix = *graph.constant(stack);
        matrix.dims.erase(matrix.dims.begin(), matrix.dims.end() - 2);
        place->second = graph.add_constant(std::move(matrix), graph.value(stack).name);
      }
      graph.set_input(id, i, place->second);
      context.say(pass, graph.node(id).label(), "its stack of one matrix became the matrix");
    }
  }
  for (const auto &[stack, matrix] : matrices)
    if (graph.use_count(stack) == 0) graph.remove(stack);
  return !matrices.empty();
}

} // namespace

extern const PassDef squeeze_matmul;
const PassDef squeeze_matmul{pass, "MatMul by a stack of one constant matrix reads the matrix", run};

} // namespace edgec::passes
