// Reading formulas out of a graph.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace edgec::passes {

/// The node that computes a value, if it is of that type; null otherwise.
const Node *made_by(const Graph &graph, ValueId value, std::string_view op);

/// Whether a value is a constant whose elements are all within 1e-6 (relative) of a number.
bool is_number(const Graph &graph, ValueId value, double wanted);

/// The one number that all elements of a constant of reals are.
std::optional<double> number(const Graph &graph, ValueId value);

/// A value as a product: a number times values. Mul by anything and Div by a number are looked into, unless another
/// node reads their result too, and Pow with exponent 2 or 3 counts as factors. A constant that does not consist of one
/// number is a factor.
struct Product {
  double number = 1;
  std::vector<ValueId> factors;
};
Product product(const Graph &graph, ValueId value);

/// A sum of two operands of which one is the number: the other one. None otherwise.
ValueId plus_number(const Graph &graph, ValueId sum, double wanted);

/// Whether `product` is `number` times exactly these factors.
bool is_product(const Product &product, double number, std::vector<ValueId> factors);

/// The one axis (0 and up) that a reducing node takes together and keeps as 1; nothing where there are more, or the
/// rank is unknown.
std::optional<int> kept_axis(const Graph &graph, const Node &reduce);

/// Removes what nothing reads any more, from the node that makes `value` upwards: nodes of known, single outputs.
void remove_unread(Graph &graph, ValueId value);

} // namespace edgec::passes
