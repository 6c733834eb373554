// Networks on other floats become the same networks on float32.
#include "schemes/half/widened.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ir/node_view.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/random_text.h"

namespace edgec {
namespace {

constexpr DType halves_and_double[] = {DType::float16, DType::bfloat16, DType::float64};

/// As ONNX's text form writes a type.
std::string word(DType type) { return std::string(name(type)); }

Tensor normal(Random &random, DType type, const Dims &dims) {
  std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
  for (double &x : values) x = 0.5 * random.normal();
  return from_doubles(type, dims, values);
}

/// The text with TYPE and CODE in their places.
Graph network(std::string text, DType type) {
  const std::map<std::string, std::string> words{{"TYPE", word(type)},
                                                 {"CODE", std::to_string(static_cast<int>(type))}};
  for (const auto &[from, to] : words)
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  auto graph = parse_graph("<opset_import: [\"\" : 22]> " + with_random_numbers(text, 0)); // halves are bits in texts
  EXPECT_TRUE(graph) << graph.error().message;
  Random random(1);
  for (const ValueId id : graph->values())
    if (const Tensor *data = graph->constant(id); data != nullptr && is_float(data->dtype))
      graph->set_data(id, normal(random, data->dtype, data->dims));
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return *graph;
}

/// Of all values, in bodies too, how many tensors have this element type.
std::size_t count(const Graph &graph, DType type) {
  std::size_t found = 0;
  for (const ValueId id : graph.values()) found += graph.value(id).type.dtype == type ? 1 : 0;
  for (const NodeId id : graph.nodes())
    for (const Attribute &attribute : graph.node(id).attributes)
      if (const auto *body = std::get_if<SubGraph>(&attribute.value)) found += count(**body, type);
  return found;
}

/// Runs both on the inputs and expects the same up to the steps of the narrower type.
void expect_equal(const Graph &before, const Graph &after, const std::vector<Tensor> &inputs, double step) {
  const auto a = Runner(before, all_ops(), {}).run_tensors(inputs);
  const auto b = Runner(after, all_ops(), {}).run_tensors(inputs);
  ASSERT_TRUE(a) << a.error().message;
  ASSERT_TRUE(b) << b.error().message;
  for (std::size_t k = 0; k < a->size(); ++k) {
    ASSERT_EQ((*a)[k].dtype, (*b)[k].dtype);
    const auto x = to_doubles((*a)[k]), y = to_doubles((*b)[k]);
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], step * (8 + std::abs(x[i]))) << k << ' ' << i;
  }
}

double step_of(DType type) { return type == DType::bfloat16 ? 1.0 / 64 : type == DType::float16 ? 1.0 / 512 : 1e-6; }

/// A network, how many of its values keep the type (inputs and outputs), and what else it reads.
struct Case {
  const char *text;
  std::size_t kept;
  std::vector<Tensor> more;
};

std::vector<Case> cases() {
  const std::vector<std::byte> yes{std::byte{1}};
  return {
      {R"(g (TYPE[1,3,6,6] x) => (TYPE[1,5] y)
         <TYPE[4,3,3,3] w1 = {random}, TYPE[4] w2 = {random}, TYPE[5,4] w3 = {random}, int64[2] flat = {1, 4}> {
           c = Conv(x, w1, w2)  r = Relu(c)  p = GlobalAveragePool(r)  f = Reshape(p, flat)
           y = Gemm<transB = 1>(f, w3) })",
       2,
       {}},
      // element types in attributes and in their tensors, casts there and back, float32 beside
      {R"(g (TYPE[2,3] x) => (TYPE[2,3] y, float[2,3] z) <TYPE[3,3] w = {random}, int64[2] size = {2, 3}> {
           a = MatMul(x, w)  k = ConstantOfShape<value = TYPE[1] {2}>(size)  b = Mul(a, k)  c = Cast<to = 1>(b)
           s = Softmax(c)  d = Cast<to = CODE>(s)  e = EyeLike<dtype = CODE>(x)  f = Add(d, e)
           like = CastLike(c, x)  y = Add(f, like)  z = Exp(c) })",
       2,
       {}},
      // bodies that see values of the graph around them
      {R"(g (TYPE[1,4] x, bool b) => (TYPE[1,4] y) <TYPE[4,4] w = {random}> {
           a = MatMul(x, w)
           y = If(b) <then_branch = t () => (TYPE[1,4] p) <TYPE[4,4] wt = {random}> { p = MatMul(a, wt) },
                      else_branch = e () => (TYPE[1,4] q) { q = Neg(a) }> })",
       2,
       {Tensor::of_bytes(DType::boolean, {}, yes)}},
      // an input that is an output, and one that nothing reads
      {R"(g (TYPE[1,4] x, TYPE[2] unread) => (TYPE[1,4] x2, TYPE[1,4] y) <TYPE[4,4] w = {random}> {
           x2 = Identity(x)  y = MatMul(x, w) })",
       4,
       {}},
  };
}

TEST(Widened, NetworksComputeTheSameOnFloat32BetweenTheirOwnInputsAndOutputs) {
  for (const DType type : halves_and_double)
    for (const Case &each : cases()) {
      SCOPED_TRACE(word(type) + each.text);
      const Graph before = network(each.text, type);
      ASSERT_EQ(other_floats(before, all_ops()), std::set{type});
      Graph after = before;
      const Status widened = widen(after, all_ops(), {type});
      ASSERT_TRUE(widened) << widened.error().message;
      EXPECT_TRUE(verify(after));
      EXPECT_EQ(count(after, type), each.kept);
      EXPECT_TRUE(other_floats(after, all_ops()).empty());
      for (std::uint64_t seed = 0; seed < 5; ++seed) {
        Random random(seed);
        std::vector<Tensor> inputs;
        std::size_t more = 0;
        for (const ValueId input : before.inputs()) {
          const Type &is = before.value(input).type;
          inputs.push_back(is_float(is.dtype) ? normal(random, type, *is.concrete()) : each.more[more++]);
        }
        expect_equal(before, after, inputs, step_of(type));
      }
    }
}

TEST(Widened, DoublesBesideLayersOfFloat32Stay) {
  const Graph graph = network("g (float[1,4] x, double t) => (float[1,4] y, double u) <float[4,4] v = {random}> "
                              "{ y = MatMul(x, v)  u = Sqrt(t) }",
                              DType::float32);
  EXPECT_TRUE(other_floats(graph, all_ops()).empty());
}

TEST(Widened, WeightsThatAreOnlyStoredAsHalvesAreFloat32Again) {
  Graph graph =
      network("g (float[1,4] x) => (float[1,4] y) <TYPE[4,4] w = {random}> { v = Cast<to = 1>(w)  y = MatMul(x, v) }",
              DType::bfloat16);
  const Graph before = graph;
  ASSERT_TRUE(widen(graph, all_ops(), other_floats(graph, all_ops())));
  EXPECT_EQ(graph.node_count(), 1U);
  Random random(3);
  expect_equal(before, graph, {normal(random, DType::float32, {1, 4})}, 0);
}

} // namespace
} // namespace edgec
