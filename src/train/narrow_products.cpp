#include "train/narrow_products.h"

#include <algorithm>

#include "ir/node_view.h"

namespace edgec {
namespace {

constexpr std::string_view domain = "edgec.bfloat16";

bool is_worth_it(const Graph &graph, const Node &node, const OpRegistry &ops) {
  constexpr double least_macs = 1 << 16;
  if (node.get_int("group", 1) != 1) return false;
  return !node.is("MatMul") || cost_of(graph, node, ops).macs >= least_macs;
}

} // namespace

void narrow_products(Graph &graph, const OpRegistry &ops) {
  graph.opsets.try_emplace(std::string(domain), 1);
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const bool plain = node.domain.empty() || node.domain == "edgec";
    if (!plain || ops.find(domain, node.op) == nullptr || !is_worth_it(graph, node, ops)) continue;
    const auto is_float32 = [&](ValueId x) {
      return !x.valid() || (graph.value(x).type.dtype == DType::float32 && !graph.value(x).type.quant);
    };
    if (std::ranges::all_of(node.inputs, is_float32)) graph.set_op(id, std::string(node.op), std::string(domain));
  }
}

} // namespace edgec
