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

/// The axis along which a node compares the numbers that it reads; nothing: it does not.
std::optional<std::int64_t> compared_axis(const Graph &graph, const Node &node) {
  if (node.is("ArgMax")) return node.get_int("axis", 0);
  if (node.is("TopK")) return node.get_int("axis", -1);
  if (node.is("Softmax")) return node.get_int("axis", graph.opset() > 0 && graph.opset() < 13 ? 1 : -1);
  if (node.op == "QLinearSoftmax") return node.get_int("axis", -1);
  return std::nullopt;
}

bool reads_integers(const Graph &graph) {
  return std::ranges::any_of(graph.inputs(), [&](ValueId input) {
    const DType dtype = graph.value(input).type.dtype;
    return dtype == DType::int64 || dtype == DType::int32;
  });
}

} // namespace

std::vector<Answer> find_answers(const Graph &graph) {
  std::vector<Answer> answers;
  for (const GraphOutput &output : graph.outputs()) {
    Answer answer{output.value, std::nullopt, reads_integers(graph)};
    const Node *node = graph.producer(output.value);
    while (node != nullptr && passes_values_on(*node) && node->input(0).valid()) node = graph.producer(node->input(0));
    const auto axis = node != nullptr ? compared_axis(graph, *node) : std::nullopt;
    if (axis && node->input(0).valid()) answer = {node->input(0), axis, answer.tokens};
    answers.push_back(answer);
  }
  return answers;
}

ValueId find_logits(const Graph &graph) {
  return graph.outputs().empty() ? ValueId{} : find_answers(graph).front().value;
}

std::optional<std::size_t> class_axis(const Answer &answer, const Dims &dims) {
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto if_several = [&](std::int64_t axis) -> std::optional<std::size_t> {
    const bool several = axis >= 0 && axis < rank && dims[static_cast<std::size_t>(axis)] > 1;
    return several ? std::optional(static_cast<std::size_t>(axis)) : std::nullopt;
  };
  if (answer.axis) return if_several(*answer.axis < 0 ? *answer.axis + rank : *answer.axis);
  if (rank == 1) return if_several(0);
  if (answer.tokens && rank == 3) return if_several(2);
  std::optional<std::size_t> found;
  for (std::int64_t axis = 1; axis < rank; ++axis)
    if (const auto wide = if_several(axis)) {
      if (found) return std::nullopt;
      found = wide;
    }
  return found;
}

} // namespace edgec
