// Takes a Gemm out of the Reshapes that make a matrix of its data and undo that after it:
//
//     a = Reshape(x, {-1, K})  b = Gemm(a, w, c)  y = Reshape(b, {.., N})      becomes      d = MatMul(x, w)  y =
//     Add(d, c)
//
// What computes the second target from the shape of x then goes as well. The leading dims of x and y must be proven to
// be equal; where K is the product of several last dims of x, a Reshape that joins these stays. w and c are constants,
// c of one entry per column, and nothing else reads the values between. Not where types are quantized, nor with factors
// or a transposed a.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/reshape.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "unflatten-gemm";

struct Match {
  ValueId x, bias;
  Tensor weight; // [K, N]
  NodeId last;
  std::vector<std::int64_t> target = {}; // of the Reshape that stays; empty: none
};

Tensor transposed(const Tensor &matrix) {
  const auto rows = static_cast<std::size_t>(matrix.dims[0]), columns = static_cast<std::size_t>(matrix.dims[1]);
  const auto from = to_doubles(matrix);
  std::vector<double> to(from.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  return from_doubles(matrix.dtype, {matrix.dims[1], matrix.dims[0]}, to);
}

bool is_plain(const Graph &graph, const Node &gemm) {
  const auto is_real = [&](ValueId id) {
    return !id.valid() || (is_float(graph.value(id).type.dtype) && !graph.value(id).type.is_quantized());
  };
  const bool floats = std::ranges::all_of(gemm.inputs, is_real) && is_real(gemm.outputs[0]);
  return floats && gemm.get_int("transA", 0) == 0 && gemm.get_float("alpha", 1) == 1 && gemm.get_float("beta", 1) == 1;
}

/// x is y with N replaced by dims whose product is K.
bool leading_dims_agree(const ShapeFacts &facts, ValueId x, ValueId y, const Tensor &weight) {
  const auto in = facts.shapes.find(x), out = facts.shapes.find(y);
  if (in == facts.shapes.end() || out == facts.shapes.end()) return false;
  const Shape &a = in->second, &b = out->second;
  if (b.size() < 2 || a.size() < b.size() || b.back().size != weight.dims[1]) return false;
  std::int64_t product = 1;
  for (std::size_t i = b.size() - 1; i < a.size(); ++i) {
    if (!a[i].is_known()) return false;
    product *= a[i].size;
  }
  return product == weight.dims[0] && product > 0 && std::equal(b.begin(), b.end() - 1, a.begin());
}

/// The target that keeps the leading dims of x and joins the others to K; empty: x has that shape.
std::vector<std::int64_t> joining_target(const ShapeFacts &facts, ValueId x, ValueId y, std::int64_t k) {
  const Shape &a = facts.shapes.at(x), &b = facts.shapes.at(y);
  if (a.size() == b.size()) return {};
  std::vector<std::int64_t> target;
  for (std::size_t i = 0; i + 1 < b.size(); ++i)
    target.push_back(a[i].is_known() ? a[i].size : 0); // 0 copies the dim, whatever it is
  target.push_back(k);
  return target;
}

std::optional<Match> match(const Graph &graph, NodeId id, const ShapeFacts &facts) {
  const Node &gemm = graph.node(id);
  const Node *first = graph.producer(gemm.inputs[0]);
  const NodeId last = graph.sole_user(gemm.outputs[0]);
  if (!first || !first->is("Reshape") || !last.valid() || !graph.node(last).is("Reshape")) return std::nullopt;
  const Tensor *weight = graph.constant(gemm.input(1));
  if (!weight || weight->rank() != 2 || graph.node(last).inputs[0] != gemm.outputs[0] || !is_plain(graph, gemm))
    return std::nullopt;
  const bool turned = gemm.get_int("transB", 0) != 0;
  if (turned && graph.use_count(gemm.inputs[1]) > 1) return std::nullopt; // the file would hold it twice
  Match found{first->inputs[0], gemm.input(2), turned ? transposed(*weight) : *weight, last};
  if (const Tensor *bias = graph.constant(found.bias); found.bias.valid()) {
    const std::int64_t columns = found.weight.dims[1];
    if (!bias || (bias->dims != Dims{columns} && bias->dims != Dims{1, columns})) return std::nullopt;
  }
  const ValueId y = graph.node(last).outputs[0];
  if (graph.value(y).type.is_quantized() || !leading_dims_agree(facts, found.x, y, found.weight)) return std::nullopt;
  found.target = joining_target(facts, found.x, y, found.weight.dims[0]);
  return found;
}

/// x itself, or reshaped.
ValueId operand(Graph &graph, NodeId id, const Match &found) {
  if (found.target.empty()) return found.x;
  const NodeId first = graph.value(graph.node(id).inputs[0]).producer;
  Node reshape{.op = "Reshape", .origins = graph.node(first).origins};
  const auto rank = static_cast<std::int64_t>(found.target.size());
  reshape.inputs = {found.x, graph.add_constant(Tensor::of<std::int64_t>({rank}, found.target))};
  Type type = graph.value(graph.node(found.last).outputs[0]).type;
  if (type.shape) type.shape->back() = Dim::known(found.weight.dims[0]);
  return graph.add_op(std::move(reshape), std::move(type), id);
}

void rewrite(Graph &graph, NodeId id, const Match &found) {
  const ValueId out = graph.node(found.last).outputs[0], old = graph.node(id).inputs[1];
  const Type type = graph.value(out).type;
  graph.add_origins(id, std::vector(graph.node(found.last).origins));
  graph.set_input(id, 0, operand(graph, id, found));
  if (graph.node(id).get_int("transB", 0) != 0)
    graph.set_input(id, 1, graph.add_constant(found.weight, graph.value(old).name));
  graph.drop_input(id, 2);
  for (const char *attribute : {"alpha", "beta", "transA", "transB"}) graph.remove_attribute(id, attribute);
  graph.set_op(id, "MatMul");
  const ValueId product = graph.node(id).outputs[0];
  ValueId result = product;
  if (found.bias.valid()) {
    Node add{.op = "Add", .inputs = {product, found.bias}, .origins = graph.node(id).origins};
    result = graph.add_op(std::move(add), type, found.last);
  }
  const std::string name = graph.value(out).name;
  graph.replace_uses(out, result);
  graph.remove(found.last);
  graph.set_type(product, type);
  graph.set_name(result, name);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  if (std::ranges::none_of(graph.nodes(), [&](NodeId id) { return graph.node(id).is("Gemm"); })) return false;
  EDGEC_ASSIGN(const ShapeFacts facts, shape_facts(graph, context.ops));
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id) || !graph.node(id).is("Gemm")) continue;
    const auto found = match(graph, id, facts);
    if (!found) continue;
    context.say(pass, graph.node(id).label(), "became MatMul without the Reshapes around it");
    rewrite(graph, id, *found);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef unflatten_gemm;
const PassDef unflatten_gemm{"unflatten-gemm", "Take Gemm out of the Reshapes around it", run};

} // namespace edgec::passes
