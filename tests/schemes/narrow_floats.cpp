#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/onnx.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "measure/fidelity.h"
#include "runtime/parts.h"
#include "schemes/half/borders.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

Tensor normal(Random &random, const Dims &dims, double scale) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(scale * random.normal());
  return Tensor::of(dims, std::move(values));
}

struct Filling {
  const char *name;
  Dims dims;
  double scale = 0.1;
};

/// The graph with random numbers in the place of these constants.
Graph network(const std::string &text, const std::vector<Filling> &fillings = {}, int opset = 17) {
  Graph graph = parse_graph(fmt::format("<opset_import: [\"\" : {}]> {}", opset, text)).value();
  Random random(5);
  for (const Filling &filling : fillings)
    for (const ValueId id : graph.values())
      if (graph.value(id).name == filling.name && graph.constant(id) != nullptr)
        graph.replace_uses(id, graph.add_constant(normal(random, filling.dims, filling.scale), filling.name));
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

struct Made : SampleSet {
  std::vector<Sample> all;
  [[nodiscard]] std::size_t size() const override { return all.size(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override { return all[index]; }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return {}; }
};

Made samples_of(const Dims &dims, double scale, std::size_t count = 4) {
  Random random(9);
  Made made;
  for (std::size_t i = 0; i < count; ++i) made.all.push_back({normal(random, dims, scale)});
  return made;
}

struct Narrowed {
  Graph graph;
  std::vector<PassNote> notes;
  bool changed = false;

  /// Why the node of this label stays float32; empty: nobody said so.
  [[nodiscard]] std::string why(const std::string &label) const {
    const auto found = std::ranges::find(notes, label, &PassNote::node);
    return found == notes.end() ? std::string() : found->text;
  }
  [[nodiscard]] DType type_of(const std::string &label) const {
    for (const NodeId id : graph.nodes())
      if (graph.node(id).label() == label) return graph.value(graph.node(id).outputs[0]).type.dtype;
    return DType::undefined;
  }
  [[nodiscard]] std::size_t casts() const {
    const auto ids = graph.nodes();
    return static_cast<std::size_t>(std::ranges::count_if(ids, [&](NodeId id) { return graph.node(id).is("Cast"); }));
  }
};

Narrowed narrow(const Graph &graph, const Words &words = {"float16"}, const SampleSet *samples = nullptr) {
  Narrowed result{graph, {}};
  Job job = samples != nullptr ? job_of(*samples, words) : Job{{.ops = all_ops()}};
  job.settings = settings_of(words);
  job.note = [&](const PassNote &note) { result.notes.push_back(note); };
  const auto report = run_scheme("narrow-floats", result.graph, job);
  EXPECT_TRUE(report) << report.error().message;
  result.changed = report && report->outcome.changed;
  EXPECT_TRUE(verify(result.graph));
  Graph again = result.graph;
  const Status types = infer_types(again, all_ops());
  EXPECT_TRUE(types) << types.error().message;
  Model model;
  model.graph = result.graph;
  model.ir_version = 8;
  const auto bytes = serialize_onnx(model, {.ops = &all_ops()}); // ONNX's checker looks at it
  EXPECT_TRUE(bytes) << bytes.error().message;
  return result;
}

/// Of all outputs together, in decibels.
double fidelity(const Graph &before, const Graph &after, const Sample &sample) {
  const auto a = Runner(before, all_ops(), {}).run_tensors(sample),
             b = Runner(after, all_ops(), {}).run_tensors(sample);
  EXPECT_TRUE(a && b) << (a ? b.error().message : a.error().message);
  double signal = 0, noise = 1e-300;
  for (std::size_t k = 0; a && b && k < a->size(); ++k) {
    const auto x = to_doubles((*a)[k]), y = to_doubles((*b)[k]);
    EXPECT_EQ((*a)[k].dtype, (*b)[k].dtype);
    for (std::size_t i = 0; i < x.size(); ++i) signal += x[i] * x[i], noise += (x[i] - y[i]) * (x[i] - y[i]);
  }
  return 10 * std::log10(signal / noise);
}

const char *const small_net = R"(g (float[1,3,8,8] x) => (float[1,10] z)
    <float[1] w = {0}, float[1] b = {0}, float[1] v = {0}, int64[2] flat = {1, 1024}> {
  [conv] s = Conv<pads = [1, 1, 1, 1]>(x, w, b)
  [relu] r = Relu(s)
  [flat] q = Reshape(r, flat)
  [fc] z = Gemm<transB = 1>(q, v)
})";
const std::vector<Filling> small_weights{{"w", {16, 3, 3, 3}}, {"b", {16}}, {"v", {10, 1024}}};

TEST(NarrowFloats, ANetworkComputesOnFloat16BetweenTwoCasts) {
  const Graph before = network(small_net, small_weights);
  const Narrowed after = narrow(before);
  EXPECT_TRUE(after.changed);
  for (const char *node : {"conv", "relu", "flat", "fc"}) EXPECT_EQ(after.type_of(node), DType::float16) << node;
  EXPECT_EQ(after.casts(), 2U);
  EXPECT_TRUE(after.notes.empty()) << after.notes.front().text;
  EXPECT_EQ(after.graph.value(after.graph.inputs()[0]).type.dtype, DType::float32);
  EXPECT_EQ(after.graph.value(after.graph.outputs()[0].value).type.dtype, DType::float32);
  EXPECT_EQ(constant_bytes(after.graph) - 16, (constant_bytes(before) - 16) / 2); // 16: the Reshape's dims
  Random random(1);
  EXPECT_GT(fidelity(before, after.graph, {normal(random, {1, 3, 8, 8}, 1)}), 55);
}

TEST(NarrowFloats, ASecondTimeThereIsNothingToDo) {
  const Narrowed once = narrow(network(small_net, small_weights));
  Job job{{.ops = all_ops()}};
  job.settings = settings_of({"float16"});
  Graph graph = once.graph;
  const auto report = run_scheme("narrow-floats", graph, job);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->outcome.changed);
}

TEST(NarrowFloats, Bfloat16IsStoredAndNotComputedOn) {
  const Graph before = network(small_net, small_weights);
  const Narrowed after = narrow(before, {"bfloat16"});
  for (const char *node : {"conv", "relu", "fc"}) EXPECT_EQ(after.type_of(node), DType::float32) << node;
  EXPECT_EQ(after.casts(), 1U); // of what is large; the others would be folded again
  EXPECT_LT(constant_bytes(after.graph), 0.55 * static_cast<double>(constant_bytes(before)));
  Random random(1);
  EXPECT_GT(fidelity(before, after.graph, {normal(random, {1, 3, 8, 8}, 1)}), 45);
}

TEST(NarrowFloats, ConstantsThatFloat16DoesNotHoldKeepTheirOperatorsFloat32) {
  const Narrowed after = narrow(network(R"(g (float[1,64] x) => (float[1,64] y)
      <float[1] w = {0}, float[1] tiny = {0}, float eps = {1e-12}, float big = {1e5}, float low = {-inf}> {
    [a] a = MatMul(x, w)
    [eps] e = Add(a, eps)
    [b] b = MatMul(e, w)
    [small] c = MatMul(b, tiny)
    [d] d = MatMul(c, w)
    [big] f = Div(d, big)
    [inf] i = Max(f, low)
    [y] y = MatMul(i, w)
  })",
                                        {{"w", {64, 64}}, {"tiny", {64, 64}, 1e-7}}));
  EXPECT_EQ(after.why("eps"), "eps holds 1e-12, too small for the digits of float16");
  EXPECT_NE(after.why("small").find("too small for the digits of float16"), std::string::npos);
  EXPECT_EQ(after.why("big"), "big holds 1e+05, beyond what float16 holds");
  for (const char *node : {"a", "b", "d"}) EXPECT_EQ(after.type_of(node), DType::float16) << node;
  // What is divided by something large is small, but what is multiplied with it is not: nobody knows without samples.
  for (const char *node : {"eps", "small", "big", "inf", "y"}) EXPECT_EQ(after.type_of(node), DType::float32) << node;
}

TEST(NarrowFloats, WhatSamplesShowBeyondFloat16StaysFloat32) {
  const char *text = R"(g (float[1,64] x) => (float[1,64] y) <float[1] w = {0}> {
    [a] a = MatMul(x, w)
    [square] s = Mul(a, a)
    [root] r = Sqrt(s)
    [y] y = MatMul(r, w)
  })";
  const Graph graph = network(text, {{"w", {64, 64}}});
  const Made usual = samples_of({1, 64}, 1), large = samples_of({1, 64}, 400), small = samples_of({1, 64}, 1e-3);
  EXPECT_TRUE(narrow(graph).notes.empty());
  EXPECT_TRUE(narrow(graph, {"float16"}, &usual).notes.empty());
  const Narrowed over = narrow(graph, {"float16"}, &large);
  EXPECT_NE(over.why("square").find("on the samples, and float16 ends at 65504"), std::string::npos);
  EXPECT_EQ(over.type_of("square"), DType::float32);
  EXPECT_EQ(over.type_of("a"), DType::float16);
  EXPECT_EQ(over.type_of("y"), DType::float16);
  EXPECT_GT(fidelity(graph, over.graph, large.all[0]), 55);
  const Narrowed under = narrow(graph, {"float16"}, &small);
  EXPECT_NE(under.why("square").find("too small for the digits of float16"), std::string::npos);
  EXPECT_EQ(under.type_of("y"), DType::float16);
  EXPECT_GT(fidelity(graph, under.graph, small.all[0]), 55);
}

TEST(NarrowFloats, AMaskBeyondFloat16ReachesTheSoftmaxAsItIs) {
  const Graph graph = network(R"(g (float[1,8,64] x, int64[1,8] mask) => (float[1,8,64] y)
      <float[1] w = {0}, float one = {1}, float lowest = {-3.4e38}, int64[1] middle = {1}> {
    [q] q = MatMul(x, w)
    [turn] k = Transpose<perm = [0, 2, 1]>(x)
    [scores] s = MatMul(q, k)
    [cast] m = Cast<to = 1>(mask)
    [invert] i = Sub(one, m)
    [times] t = Mul(i, lowest)
    [wide] u = Unsqueeze(t, middle)
    [masked] a = Add(s, u)
    [shares] p = Softmax<axis = 2>(a)
    [y] y = MatMul(p, x)
  })",
                              {{"w", {64, 64}}});
  const Narrowed after = narrow(graph);
  for (const char *node : {"q", "turn", "scores", "y"}) EXPECT_EQ(after.type_of(node), DType::float16) << node;
  for (const char *node : {"invert", "times", "wide", "masked", "shares"}) {
    EXPECT_EQ(after.type_of(node), DType::float32) << node;
    EXPECT_NE(after.why(node), "") << node;
  }
  Random random(4);
  const std::vector<std::int64_t> mask{1, 1, 1, 1, 1, 0, 0, 0};
  EXPECT_GT(fidelity(graph, after.graph, {normal(random, {1, 8, 64}, 1), Tensor::of({1, 8}, mask)}), 50);
}

TEST(NarrowFloats, OperatorsWithoutFloat16ReadFloat32) {
  const Narrowed after = narrow(network(R"(g (float[1,4,6,6] x) => (float[1,4,12,12] y, int64[n,3] boxes)
      <float[1] w = {0}, float[4] scales = {1, 1, 2, 2}, float[0] roi = {}, int64[1] most = {5}, int64[3] shape = {1, 144, 4},
       int64[3] turned = {1, 1, 144}, float[1] least = {0.5}> {
    [conv] c = Conv<pads = [1, 1, 1, 1]>(x, w)
    [up] y = Resize<mode = "nearest">(c, roi, scales)
    [rows] r = Reshape(y, shape)
    [turn] s = Reshape(c, turned)
    [pick] boxes = NonMaxSuppression(r, s, most, least, least)
  })",
                                        {{"w", {4, 4, 3, 3}}}));
  EXPECT_EQ(after.type_of("conv"), DType::float16);
  EXPECT_EQ(after.type_of("up"), DType::float16);
  EXPECT_EQ(after.why("pick"), "ONNX has no NonMaxSuppression of float16 here");
}

// onnxruntime (1.31) loads them, and stops when it runs them.
TEST(NarrowFloats, WhatRuntimesCannotComputeOnFloat16ReadsFloat32) {
  struct Case {
    const char *line;
    bool half;
  };
  const Case cases[] = {{R"([op] b = ScatterElements<axis = 1>(a, places, a))", true},
                        {R"([op] b = ScatterElements<axis = 1, reduction = "add">(a, places, a))", false},
                        {R"([op] b = ScatterElements<axis = 1, reduction = "mul">(a, places, a))", false},
                        {R"([op] b = ScatterElements<axis = 1, reduction = "max">(a, places, a))", false},
                        {R"([op] b = ScatterElements<axis = 1, reduction = "min">(a, places, a))", false},
                        {R"([op] b = ScatterND(a, rows, a))", true},
                        {R"([op] b = ScatterND<reduction = "add">(a, rows, a))", false},
                        {R"([op] b = ScatterND<reduction = "max">(a, rows, a))", false},
                        {R"([op] b = MeanVarianceNormalization<axes = [1]>(a))", false}};
  for (const Case &one : cases) {
    SCOPED_TRACE(one.line);
    const Graph graph = network(fmt::format(R"(g (float[2,4] x) => (float[2,4] y)
          <float[1] w = {{0}}, int64[2,4] places = {{0, 1, 2, 3, 3, 2, 1, 0}}, int64[2,1] rows = {{1, 0}}> {{
            a = MatMul(x, w)
            {}
            y = MatMul(b, w)
          }})",
                                            one.line),
                                {{"w", {4, 4}}}, 18);
    const Narrowed after = narrow(graph);
    EXPECT_EQ(after.type_of("op"), one.half ? DType::float16 : DType::float32);
    EXPECT_EQ(after.why("op").find("onnxruntime") != std::string::npos, !one.half);
    Random random(6);
    EXPECT_GT(fidelity(graph, after.graph, {normal(random, {2, 4}, 1)}), 45);
  }
}

TEST(NarrowFloats, LayersThatStayFloat32AreStoredAsFloat16WhereTheirWeightsFit) {
  const Graph graph = network(R"(g (float[1,64] x) => (float[1,64] y, float[1,64] z) <float[1] w = {0}> {
    [a] a = MatMul(x, w)
    [left] z = MatMul(a, w)
    [y] y = Relu(a)
  })",
                              {{"w", {64, 64}}});
  Job job{{.ops = all_ops()}};
  job.settings = settings_of({"float16"});
  Made large = samples_of({1, 64}, 1e5);
  const Narrowed after = narrow(graph, {"float16"}, &large);
  EXPECT_EQ(after.type_of("a"), DType::float32);
  EXPECT_EQ(after.type_of("left"), DType::float32);
  EXPECT_EQ(constant_bytes(after.graph), constant_bytes(graph) / 2);
  EXPECT_EQ(after.casts(), 1U); // for both
}

TEST(NarrowFloats, WeightsInBodiesAreStoredInHalfPrecision) {
  Graph graph = network(R"(g (bool c, float[1,64] x) => (float[1,64] y) <float[1] w = {0}> {
    [a] a = MatMul(x, w)
    [if] y = If(c) <then_branch = t () => (float[1,64] p) <float[1] v = {0}> { [in] p = MatMul(a, v) },
                    else_branch = e () => (float[1,64] q) { q = Relu(a) }>
  })",
                        {{"w", {64, 64}}});
  const NodeId branch = graph.nodes().back();
  Graph body = **graph.node(branch).get<SubGraph>("then_branch");
  Random random(8);
  for (const ValueId id : body.values())
    if (body.constant(id) != nullptr) body.replace_uses(id, body.add_constant(normal(random, {64, 64}, 0.1)));
  body.remove_dead();
  graph.set_subgraph(branch, "then_branch", std::make_shared<const Graph>(body), graph.node(branch).captures);
  for (const char *flag : {"float16", "bfloat16"}) {
    const Narrowed after = narrow(graph, {flag});
    const DType half = std::string(flag) == "float16" ? DType::float16 : DType::bfloat16;
    for (const NodeId id : after.graph.nodes()) {
      if (!after.graph.node(id).is("If")) continue;
      const Graph &inside = **after.graph.node(id).get<SubGraph>("then_branch");
      std::size_t halves = 0;
      for (const ValueId v : inside.values()) halves += inside.value(v).type.dtype == half ? 1 : 0;
      EXPECT_EQ(halves, 1U);
      EXPECT_EQ(inside.value(inside.outputs()[0].value).type.dtype, DType::float32);
    }
    const std::vector<std::byte> yes{std::byte{1}};
    EXPECT_GT(fidelity(graph, after.graph, {Tensor::of_bytes(DType::boolean, {}, yes), normal(random, {1, 64}, 1)}),
              40);
  }
}

TEST(NarrowFloats, WhatIsLeftOutStaysAsItWas) {
  const Graph graph = network(small_net, small_weights);
  Narrowed result{graph, {}};
  Job job{{.ops = all_ops()}};
  job.settings = settings_of({"float16"});
  job.scope.exclude.push_back(Pattern::parse("fc").value());
  ASSERT_TRUE(run_scheme("narrow-floats", result.graph, job));
  EXPECT_EQ(result.type_of("conv"), DType::float16);
  EXPECT_EQ(result.type_of("fc"), DType::float32);
  std::size_t floats = 0;
  for (const ValueId id : result.graph.values())
    if (const Tensor *data = result.graph.constant(id); data != nullptr && data->dtype == DType::float32) ++floats;
  EXPECT_EQ(floats, 1U);
}

TEST(NarrowFloats, InputsAndOutputsBecomeFloat16WhereAsked) {
  const Graph before = network(small_net, small_weights);
  Graph after = narrow(before).graph;
  narrow_borders(after, DType::float16);
  EXPECT_TRUE(verify(after));
  EXPECT_EQ(after.node_count(), before.node_count());
  EXPECT_EQ(after.value(after.inputs()[0]).type.dtype, DType::float16);
  EXPECT_EQ(after.value(after.outputs()[0].value).type.dtype, DType::float16);
  Graph plain = before; // what computes on float32 gets Casts
  narrow_borders(plain, DType::float16);
  EXPECT_EQ(plain.node_count(), before.node_count() + 2);
  Random random(2);
  const Sample sample = as_inputs(after, {normal(random, {1, 3, 8, 8}, 1)});
  ASSERT_EQ(sample[0].dtype, DType::float16);
  EXPECT_GT(fidelity(plain, after, sample), 50);
}

/// Each operator with a product before and after it, at every opset that has it.
TEST(NarrowFloats, EveryOperatorStaysValidAndCloseAtEveryOpset) {
  struct Case {
    const char *line; // from a to b, both [2,8,6,6]
    int since = 7, until = 26;
  };
  const Case cases[] = {{"b = Relu(a)"},
                        {"b = Sigmoid(a)"},
                        {"b = Tanh(a)"},
                        {"b = Elu(a)"},
                        {"b = Softplus(a)"},
                        {"b = Erf(a)", 9},
                        {"b = Exp(a)"},
                        {"b = Neg(a)"},
                        {"b = Abs(a)"},
                        {"b = Add(a, k)"},
                        {"b = Mul(a, a)"},
                        {"b = Div(a, k)"},
                        {"b = Pow(a, two)"},
                        {"b = Max(a, k)", 8},
                        {"b = Clip<max = 1.0, min = -1.0>(a)", 7, 10},
                        {"b = Clip(a, k, two)", 11},
                        {"b = Softmax<axis = 1>(a)"},
                        {"b = LogSoftmax<axis = 1>(a)"},
                        {"b = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(a)"},
                        {"b = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(a)"},
                        {"b = LRN<size = 3>(a)"},
                        {"b = InstanceNormalization(a, n, n)"},
                        {"b = BatchNormalization(a, n, n, n, var)"},
                        {"c = GlobalAveragePool(a) b = Mul(a, c)"},
                        {"c = Transpose<perm = [0, 1, 3, 2]>(a) b = Add(a, c)"},
                        {"c = Greater(a, k) b = Where(c, a, k)", 9},
                        {"c = Greater(a, k) d = Cast<to = 1>(c) b = Mul(a, d)"},
                        {"c, d = TopK<axis = 1>(a, eight) b = Identity(c)", 10},
                        {"c = Concat<axis = 1>(a, a) b, d = Split<axis = 1>(c)", 7, 17},
                        {"c = CumSum(a, axis) b = Identity(c)", 11},
                        {"b = HardSigmoid(a)"},
                        {"b = HardSwish(a)", 14},
                        {"b = Gelu(a)", 20},
                        {"b = GridSample(a, grid)", 16},
                        {"c = ReduceMax<axes = [1], keepdims = 1>(a) b = Add(a, c)", 7, 17},
                        {"c = ArgMax<axis = 1>(a) d = Cast<to = 1>(c) b = Add(a, d)"},
                        {"b = PRelu(a, k)"},
                        {"b = Resize(a, roi, scales)", 11},
                        {"c = Shape(a) d = ConstantOfShape(c) b = Add(a, d)", 9},
                        {"b = Einsum<equation = \"nchw->nchw\">(a)", 12},
                        {"c = Sqrt(k) b = Mul(a, c)"},
                        {"b = Round(a)", 11},
                        {"b = Mish(a)", 18},
                        {"b = MeanVarianceNormalization(a)", 9}, // its definition holds float32 constants
                        {"b = Celu(a)", 12},
                        {"b = Selu(a)"},
                        {"b = Softsign(a)"}};
  Random random(6);
  const Tensor x = normal(random, {2, 8, 6, 6}, 1);
  int ran = 0;
  for (const Case &one : cases)
    for (int opset = one.since; opset <= one.until; ++opset) {
      SCOPED_TRACE(fmt::format("{} at opset {}", one.line, opset));
      const Graph before =
          network(fmt::format(R"(g (float[2,8,6,6] x) => (float[2,8,6,6] y) <float[1] w = {{0}}, float k = {{0.5}},
              float two = {{2}}, float[1] n = {{0}}, int64[1] eight = {{8}}, int32 axis = {{1}}, float[1] grid = {{0}},
              float[8] var = {{1, 2, 1, 2, 1, 2, 1, 2}}, float[0] roi = {{}}, float[4] scales = {{1, 1, 1, 1}}> {{
            [first] a = Conv(x, w)
            {}
            [last] y = Conv(b, w)
          }})",
                              one.line),
                  {{"w", {8, 8, 1, 1}, 0.5}, {"n", {8}, 0.01}, {"grid", {2, 6, 6, 2}, 0.5}}, opset);
      const Narrowed after = narrow(before);
      EXPECT_EQ(after.type_of("first"), DType::float16);
      EXPECT_EQ(after.type_of("last"), DType::float16);
      const bool jumps = std::string(one.line).find("Arg") != std::string::npos ||
                         std::string(one.line).find("Greater") != std::string::npos ||
                         std::string(one.line).find("Round") != std::string::npos;
      EXPECT_GT(fidelity(before, after.graph, {x}), jumps ? 15 : 45);
      ++ran;
    }
  EXPECT_GT(ran, 600);
}

} // namespace
} // namespace edgec
