#include "measure/logits.h"

#include <algorithm>
#include <array>
#include <limits>

namespace edgec {
namespace {

bool passes_values_on(const Node &node) {
  static constexpr std::array names{"Reshape", "Flatten",        "Squeeze",         "Identity",
                                    "Cast",    "QuantizeLinear", "DequantizeLinear"};
  return node.domain.empty() && std::ranges::find(names, node.op) != names.end();
}

bool is_softmax(const Node &node) { return node.is("Softmax") || node.is("LogSoftmax") || node.op == "QLinearSoftmax"; }

/// The axis along which a node compares the numbers that it reads; nothing: it does not.
std::optional<std::int64_t> compared_axis(const Graph &graph, const Node &node) {
  if (node.is("ArgMax")) return node.get_int("axis", 0);
  if (node.is("TopK")) return node.get_int("axis", -1);
  if (is_softmax(node))
    return node.get_int("axis", node.domain.empty() && graph.opset() > 0 && graph.opset() < 13 ? 1 : -1);
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
    Answer answer{.value = output.value, .axis = std::nullopt, .tokens = reads_integers(graph)};
    const Node *node = graph.producer(output.value);
    while (node != nullptr && passes_values_on(*node) && node->input(0).valid()) node = graph.producer(node->input(0));
    const auto axis = node != nullptr ? compared_axis(graph, *node) : std::nullopt;
    if (axis && node->input(0).valid()) answer = {node->input(0), axis, is_softmax(*node), answer.tokens};
    answers.push_back(answer);
  }
  return answers;
}

ValueId find_logits(const Graph &graph) {
  return graph.outputs().empty() ? ValueId{} : find_answers(graph).front().value;
}

std::vector<double> judged_numbers(const Answer &answer, const Dims &dims, std::vector<double> numbers) {
  constexpr double never = 1000; // below the largest score: its share is 0 in double precision, and stays so
  for (double &number : numbers)
    if (is_endless(number) && !std::isnan(number) && !(answer.shares && number < 0)) number = 0;
  const auto axis = answer.shares ? class_axis(answer, dims) : std::nullopt;
  if (!axis) return numbers;
  std::size_t inner = 1;
  for (std::size_t d = *axis + 1; d < dims.size(); ++d) inner *= static_cast<std::size_t>(dims[d]);
  const auto classes = static_cast<std::size_t>(dims[*axis]);
  for (std::size_t outer = 0; outer + classes * inner <= numbers.size(); outer += classes * inner)
    for (std::size_t i = 0; i < inner; ++i) {
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t c = 0; c < classes; ++c) largest = std::max(largest, numbers[outer + c * inner + i]);
      for (std::size_t c = 0; c < classes; ++c) {
        double &number = numbers[outer + c * inner + i];
        if (number < largest - never || is_endless(number)) number = 0;
      }
    }
  return numbers;
}

std::optional<std::size_t> class_axis(const Answer &answer, const Dims &dims) {
  if (std::ranges::find(dims, 0) != dims.end()) return std::nullopt;
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
