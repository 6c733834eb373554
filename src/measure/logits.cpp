#include "measure/logits.h"

#include <algorithm>
#include <array>

namespace edgec {
namespace {

bool passes_values_on(const Node &node) {
  static constexpr std::array names{"Reshape", "Flatten",        "Squeeze",         "Identity",
                                    "Cast",    "QuantizeLinear", "DequantizeLinear"};
  return node.domain.empty() && std::ranges::find(names, node.op) != names.end();
}

} // namespace

ValueId find_logits(const Graph &graph) {
  if (graph.outputs().empty()) return {};
  const ValueId output = graph.outputs().front().value;
  ValueId at = output;
  const Node *node = graph.producer(at);
  while (node != nullptr && passes_values_on(*node) && node->input(0).valid()) {
    at = node->input(0);
    node = graph.producer(at);
  }
  const bool softmax = node != nullptr && (node->is("Softmax") || node->op == "QLinearSoftmax");
  return softmax && node->input(0).valid() ? node->input(0) : output;
}

} // namespace edgec
