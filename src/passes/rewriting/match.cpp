#include "passes/rewriting/match.h"

#include <algorithm>
#include <cmath>

#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr int deepest = 8; // products in products

bool near(double found, double wanted) { return std::abs(found - wanted) <= 1e-6 * std::abs(wanted); }

void multiply(const Graph &graph, ValueId value, int depth, Product &product) {
  if (const auto constant = number(graph, value)) {
    product.number *= *constant;
    return;
  }
  const Node *node = graph.producer(value);
  const bool shared = depth > 0 && graph.use_count(value) > 1;
  if (!node || shared || depth == deepest || node->inputs.size() != 2) return product.factors.push_back(value);
  const auto operand = number(graph, node->inputs[1]);
  if (node->is("Mul")) {
    multiply(graph, node->inputs[0], depth + 1, product);
    multiply(graph, node->inputs[1], depth + 1, product);
  } else if (node->is("Div") && operand && *operand != 0) {
    product.number /= *operand;
    multiply(graph, node->inputs[0], depth + 1, product);
  } else if (node->is("Pow") && operand && (*operand == 2 || *operand == 3)) {
    for (double i = 0; i < *operand; ++i) product.factors.push_back(node->inputs[0]);
  } else {
    product.factors.push_back(value);
  }
}

} // namespace

const Node *made_by(const Graph &graph, ValueId value, std::string_view op) {
  const Node *node = value.valid() ? graph.producer(value) : nullptr;
  return node && node->is(op) ? node : nullptr;
}

std::optional<double> number(const Graph &graph, ValueId value) {
  const Tensor *data = graph.constant(value);
  if (!data || data->size() < 1 || !is_wide_float(&graph.value(value).type)) return std::nullopt;
  if (data->size() > 4096) return std::nullopt; // no number is written like that
  const auto elements = to_doubles(*data);
  const bool one = std::ranges::all_of(elements, [&](double element) { return element == elements.front(); });
  return one ? std::optional(elements.front()) : std::nullopt;
}

bool is_number(const Graph &graph, ValueId value, double wanted) {
  const auto found = value.valid() ? number(graph, value) : std::nullopt;
  return found && near(*found, wanted);
}

Product product(const Graph &graph, ValueId value) {
  Product found;
  multiply(graph, value, 0, found);
  return found;
}

bool is_product(const Product &product, double number, std::vector<ValueId> factors) {
  const auto order = [](ValueId a, ValueId b) { return a.index < b.index; };
  auto found = product.factors;
  std::ranges::sort(found, order);
  std::ranges::sort(factors, order);
  return near(product.number, number) && found == factors;
}

ValueId plus_number(const Graph &graph, ValueId sum, double wanted) {
  const Node *add = made_by(graph, sum, "Add");
  if (!add) return {};
  if (is_number(graph, add->inputs[1], wanted)) return add->inputs[0];
  return is_number(graph, add->inputs[0], wanted) ? add->inputs[1] : ValueId{};
}

std::optional<int> kept_axis(const Graph &graph, const Node &reduce) {
  const auto rank = graph.value(reduce.inputs[0]).type.rank();
  auto axes = reduce.get_ints("axes");
  if (reduce.input(1).valid()) {
    const auto given = integers(graph, reduce.inputs[1]);
    if (!given) return std::nullopt;
    axes = *given;
  }
  if (!rank || axes.size() != 1 || reduce.get_int("keepdims", 1) != 1) return std::nullopt;
  const std::int64_t axis = axes[0] < 0 ? axes[0] + *rank : axes[0];
  return axis >= 0 && axis < *rank ? std::optional(static_cast<int>(axis)) : std::nullopt;
}

void remove_unread(Graph &graph, ValueId value) {
  std::vector<ValueId> pending{value};
  while (!pending.empty()) {
    const ValueId next = pending.back();
    pending.pop_back();
    if (!graph.alive(next) || graph.use_count(next) > 0) continue;
    const NodeId id = graph.value(next).producer;
    if (!id.valid() || graph.node(id).outputs.size() != 1) continue;
    const std::vector<ValueId> operands = graph.node(id).inputs;
    graph.remove(id);
    for (const ValueId operand : operands)
      if (operand.valid()) pending.push_back(operand);
  }
}

} // namespace edgec::passes
