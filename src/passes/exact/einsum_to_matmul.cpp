// An Einsum of data with a constant, as attention and dense layers over several axes are written, becomes the product
// that other passes and schemes know as a layer with weights:
//
//     y = Einsum<equation = "ibh,hnd->ibnd">(x, w)      becomes      v = Reshape(w, {h, n * d})  a = MatMul(x, v)
//                                                                    y = Reshape(a, {0, 0, n, d})
//
// with a Transpose where axes stand in another order; what is done to the constant is folded later. Each axis must be
// the data's alone, the constant's alone, or summed over, and those that are summed over of one known size: an Einsum
// may broadcast.
#include <algorithm>
#include <cctype>
#include <functional>
#include <numeric>
#include <optional>
#include <string>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "einsum-to-matmul";

/// Names of axes, a letter each.
struct Product {
  std::size_t data = 0;              ///< which operand is the data
  std::string left, right, out;      ///< of the data, the constant, the result
  std::string rows, summed, columns; ///< of the data alone, of both, of the constant alone
};

bool are_distinct(const std::string &axes) {
  return std::ranges::all_of(axes, [&](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 && std::ranges::count(axes, c) == 1;
  });
}

/// The equation's three terms; nothing where it has others, or ellipses.
std::optional<Product> terms(const Node &node, std::size_t data) {
  std::string text = node.get_string("equation", "");
  std::erase(text, ' ');
  const std::size_t comma = text.find(','), arrow = text.find("->");
  if (node.inputs.size() != 2 || comma == std::string::npos || arrow == std::string::npos || comma > arrow)
    return std::nullopt;
  const std::string first = text.substr(0, comma), second = text.substr(comma + 1, arrow - comma - 1);
  Product found{data, data == 0 ? first : second, data == 0 ? second : first, text.substr(arrow + 2), {}, {}, {}};
  if (!are_distinct(found.left) || !are_distinct(found.right) || !are_distinct(found.out)) return std::nullopt;
  return found;
}

/// Sorts the axes; false where one is none of the three kinds.
bool sort_axes(Product &product) {
  const auto has = [](const std::string &axes, char c) { return axes.find(c) != std::string::npos; };
  for (const char c : product.left) {
    if (has(product.right, c) == has(product.out, c)) return false; // a batch, or summed over alone
    (has(product.right, c) ? product.summed : product.rows) += c;
  }
  for (const char c : product.right) {
    if (has(product.summed, c)) continue;
    if (!has(product.out, c)) return false;
    product.columns += c;
  }
  return !product.rows.empty() && !product.summed.empty() && !product.columns.empty();
}

std::optional<Product> product_of(const Graph &graph, const Node &node) {
  if (!node.is("Einsum") || node.inputs.size() != 2) return std::nullopt;
  const std::size_t data = graph.constant(node.inputs[0]) != nullptr ? 1 : 0;
  const Tensor *weight = graph.constant(node.inputs[1 - data]);
  const Type &type = graph.value(node.inputs[data]).type;
  if (weight == nullptr || graph.constant(node.inputs[data]) != nullptr || !type.shape || !is_float(type.dtype))
    return std::nullopt;
  auto product = terms(node, data);
  if (!product || product->left.size() != type.shape->size() || product->right.size() != weight->dims.size() ||
      !sort_axes(*product))
    return std::nullopt;
  for (const char c : product->summed)
    if ((*type.shape)[product->left.find(c)].size != weight->dims[product->right.find(c)]) return std::nullopt;
  return product;
}

class Rewriter {
public:
  Rewriter(Graph &graph, NodeId id, Product product) : graph_(graph), id_(id), product_(std::move(product)) {}

  void run() {
    const Node node = graph_.node(id_);
    const auto rows = static_cast<std::int64_t>(product_.rows.size());
    const ValueId weight = node.inputs[1 - product_.data];
    const Tensor &numbers = *graph_.constant(weight);
    Dims columns;
    for (const char c : product_.columns) columns.push_back(numbers.dims[product_.right.find(c)]);
    std::int64_t summed = 1;
    for (const char c : product_.summed) summed *= numbers.dims[product_.right.find(c)];
    const std::int64_t all = std::accumulate(columns.begin(), columns.end(), std::int64_t{1}, std::multiplies());

    ValueId x = ordered(node.inputs[product_.data], product_.left, product_.rows + product_.summed);
    if (product_.summed.size() > 1) x = reshaped(x, rows, {summed});
    ValueId w = ordered(weight, product_.right, product_.summed + product_.columns);
    if (product_.right.size() > 2) w = reshaped(w, 0, {summed, all});

    graph_.remove_attribute(id_, "equation");
    graph_.set_op(id_, "MatMul");
    graph_.set_input(id_, 0, x);
    graph_.set_input(id_, 1, w);
    const std::string made = product_.rows + product_.columns;
    const bool turns = made != product_.out;
    if (columns.size() == 1 && !turns) return;
    const ValueId out = node.outputs[0];
    Type type = graph_.value(x).type;
    const Shape leading(type.shape->begin(), type.shape->begin() + rows);
    const auto with = [&](const Dims &last) {
      Type next = type;
      next.shape = leading;
      for (const std::int64_t size : last) next.shape->push_back({size, {}});
      return next;
    };
    ValueId product = graph_.detach_output(id_, 0, with({all}));
    if (columns.size() > 1) {
      const ValueId target = target_of(rows, columns);
      if (!turns) return add_last({.op = "Reshape", .inputs = {product, target}, .outputs = {out}});
      product = graph_.add_op({.op = "Reshape", .inputs = {product, target}}, with(columns));
    }
    add_last({.op = "Transpose",
              .inputs = {product},
              .outputs = {out},
              .attributes = {{"perm", order(made, product_.out)}}});
  }

private:
  Graph &graph_;
  NodeId id_;
  Product product_;

  void add_last(Node node) { graph_.add_node(std::move(node)); }

  /// Where each of the wanted axes stands.
  static std::vector<std::int64_t> order(const std::string &axes, const std::string &wanted) {
    std::vector<std::int64_t> places;
    for (const char c : wanted) places.push_back(static_cast<std::int64_t>(axes.find(c)));
    return places;
  }

  ValueId ordered(ValueId from, const std::string &axes, const std::string &wanted) {
    if (axes == wanted) return from;
    const auto perm = order(axes, wanted);
    Type type = graph_.value(from).type;
    const Shape shape = *type.shape;
    for (std::size_t i = 0; i < perm.size(); ++i) (*type.shape)[i] = shape[static_cast<std::size_t>(perm[i])];
    return graph_.add_op({.op = "Transpose", .inputs = {from}, .attributes = {{"perm", perm}}}, std::move(type), id_);
  }

  /// Keeps so many axes; these dims follow.
  ValueId target_of(std::int64_t kept, const Dims &dims) {
    std::vector<std::int64_t> target(static_cast<std::size_t>(kept), 0);
    target.insert(target.end(), dims.begin(), dims.end());
    const auto rank = static_cast<std::int64_t>(target.size());
    return graph_.add_constant(Tensor::of<std::int64_t>({rank}, target));
  }

  ValueId reshaped(ValueId from, std::int64_t kept, const Dims &dims) {
    Type type = graph_.value(from).type;
    type.shape->resize(static_cast<std::size_t>(kept));
    for (const std::int64_t size : dims) type.shape->push_back({size, {}});
    return graph_.add_op({.op = "Reshape", .inputs = {from, target_of(kept, dims)}}, std::move(type), id_);
  }
};

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    auto product = product_of(graph, graph.node(id));
    if (!product) continue;
    context.say(pass, graph.node(id).label(), "became a MatMul");
    Rewriter(graph, id, *std::move(product)).run();
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef einsum_to_matmul;
const PassDef einsum_to_matmul{pass, "Write an Einsum of data with a constant as MatMul", run};

} // namespace edgec::passes
