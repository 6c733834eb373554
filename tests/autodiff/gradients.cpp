// Every gradient rule against central differences, and the fast kernels of backward graphs against the reference.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "autodiff/differentiate.h"
#include "autodiff/rule.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec {
namespace {

/// An operand: numbers between two bounds whose gradient is wanted, or a constant.
struct Operand {
  Dims dims;
  double low = -2, high = 2;
  std::optional<Tensor> constant;
  bool omitted = false;
};

Operand x(Dims dims, double low = -2, double high = 2) { return {std::move(dims), low, high, {}, false}; }
Operand fixed(Tensor tensor) { return {tensor.dims, 0, 0, std::move(tensor), false}; }
Operand ints(std::vector<std::int64_t> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return fixed(Tensor::of({count}, std::move(values)));
}
Operand number(double value) { return fixed(Tensor::of({}, std::vector<double>{value})); }
Operand none() { return {{}, 0, 0, {}, true}; }

struct Case {
  std::string op;
  std::vector<Attribute> attributes;
  std::vector<Operand> operands;
  std::size_t outputs = 1;
  std::int64_t opset = 20;
  bool linear = false; ///< in each operand, but computed in float32: a long step loses nothing
};

using Numbers = std::vector<std::vector<double>>;

/// The operator, and the sum of its outputs' elements times random numbers.
class Network {
public:
  Network(const Case &c, DType dtype, std::uint64_t seed) : dtype_(dtype), random_(seed) {
    graph.opsets[""] = c.opset;
    Node node{.op = c.op, .inputs = {}, .outputs = {}, .attributes = c.attributes};
    for (const Operand &operand : c.operands) node.inputs.push_back(value_of(operand));
    Builder b(graph, all_ops());
    const auto outputs = b.outputs(c.outputs, "", c.op, node.inputs, c.attributes);
    EXPECT_TRUE(b.status()) << b.status().error().message;
    if (!b.status()) return;
    for (const ValueId y : outputs) {
      const ValueId part = b.sum_to(b.mul(y, b.constant(random_tensor(b.dims(y), -1, 1, b.dtype(y)))), {});
      loss = loss.valid() ? b.add(loss, part) : part;
    }
    EXPECT_TRUE(b.status()) << b.status().error().message;
    if (!b.status()) return;
    auto gradients = differentiate(graph, all_ops(), loss, variables);
    EXPECT_TRUE(gradients) << gradients.error().message;
    if (gradients) fetches = *gradients;
    fetches.push_back(loss);
  }

  Graph graph;
  std::vector<ValueId> variables, fetches;
  ValueId loss;
  Numbers values;

  /// The gradients of the variables, then the loss.
  Numbers run(const Numbers &at, bool reference, Isa isa) const {
    PlanOptions options;
    options.reference = reference;
    options.isa = isa;
    options.fetches = fetches;
    std::vector<Type> types;
    std::vector<RuntimeValue> feeds;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      types.push_back(graph.value(variables[i]).type);
      feeds.emplace_back(from_doubles(dtype_, *types.back().concrete(), at[i]));
    }
    const auto plan = Plan::compile(graph, all_ops(), types, options);
    EXPECT_TRUE(plan) << plan.error().message;
    if (!plan) return {};
    const auto results = Session(*plan).run(feeds);
    EXPECT_TRUE(results) << results.error().message;
    Numbers found;
    for (std::size_t i = 0; results && i < results->size(); ++i) found.push_back(to_doubles(*(*results)[i].tensor));
    return found;
  }

private:
  DType dtype_;
  Random random_;

  Tensor random_tensor(const Dims &dims, double low, double high, DType dtype) {
    std::vector<double> numbers(static_cast<std::size_t>(*element_count(dims)));
    for (double &number : numbers) number = random_.uniform(low, high);
    return from_doubles(dtype, dims, numbers);
  }

  ValueId value_of(const Operand &operand) {
    if (operand.omitted) return {};
    if (operand.constant) {
      const bool real = is_float(operand.constant->dtype);
      return graph.add_constant(real ? from_doubles(dtype_, operand.dims, to_doubles(*operand.constant))
                                     : *operand.constant);
    }
    values.push_back(to_doubles(random_tensor(operand.dims, operand.low, operand.high, dtype_)));
    variables.push_back(graph.add_input(fmt::format("x{}", variables.size()), Type::tensor(dtype_, operand.dims)));
    return variables.back();
  }
};

double largest(const Numbers &numbers) {
  double found = 0;
  for (const auto &row : numbers)
    for (const double number : row) found = std::max(found, std::abs(number));
  return found;
}

/// Of at most 16 elements of each operand.
void check_differences(const Case &c, std::uint64_t seed) {
  const Network network(c, DType::float64, seed);
  if (network.fetches.size() != network.variables.size() + 1) return;
  Numbers found = network.run(network.values, true, Isa::scalar);
  if (found.empty()) return;
  found.pop_back();
  const double scale = largest(found), step = c.linear ? 1 : 1e-5;
  EXPECT_GT(scale, 0);
  for (std::size_t i = 0; i < network.variables.size(); ++i) {
    const std::size_t count = network.values[i].size(), stride = std::max<std::size_t>(1, count / 16);
    for (std::size_t k = 0; k < count; k += stride) {
      Numbers at = network.values;
      at[i][k] += step;
      const double above = network.run(at, true, Isa::scalar).back()[0];
      at[i][k] -= 2 * step;
      const double below = network.run(at, true, Isa::scalar).back()[0];
      EXPECT_NEAR(found[i][k], (above - below) / (2 * step), 1e-5 * scale) << "element " << k << " of operand " << i;
    }
  }
}

void check_fast(const Case &c, std::uint64_t seed) {
  const Network network(c, DType::float32, seed);
  const Numbers expected = network.run(network.values, true, Isa::scalar);
  for (const Isa isa : {Isa::scalar, detect_isa()}) {
    const Numbers found = network.run(network.values, false, isa);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      for (std::size_t k = 0; k < found[i].size(); ++k)
        EXPECT_NEAR(found[i][k], expected[i][k], 2e-5 * largest(expected)) << "element " << k << " of result " << i;
  }
}

using Ints = std::vector<std::int64_t>;

std::vector<Case> element_wise() {
  std::vector<Case> cases;
  const std::vector<std::pair<Dims, Dims>> pairs{{{2, 3}, {2, 3}}, {{2, 3, 4}, {3, 1}}, {{1, 4}, {2, 3, 1}}};
  for (const auto &[a, b] : pairs) {
    for (const char *op : {"Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"}) cases.push_back({op, {}, {x(a), x(b)}});
    cases.push_back({"Div", {}, {x(a), x(b, 1, 2)}});
    cases.push_back({"Pow", {}, {x(a, 0.5, 2), x(b)}});
    cases.push_back({"PRelu", {}, {x({2, 3, 4}), x({3, 1})}});
    const auto count = static_cast<std::size_t>(*element_count(a));
    std::vector<double> holds(count);
    for (std::size_t i = 0; i < count; ++i) holds[i] = i % 3 == 0;
    cases.push_back({"Where", {}, {fixed(from_doubles(DType::boolean, a, holds)), x(a), x(b)}});
  }
  for (const Dims &dims : {Dims{5}, Dims{2, 3}, Dims{2, 1, 3, 2}}) {
    for (const char *op : {"Abs", "Neg", "Exp", "Sin", "Cos", "Erf", "Identity", "Relu", "LeakyRelu", "Elu", "Sigmoid",
                           "Tanh", "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Gelu", "Dropout"})
      cases.push_back({op, {}, {x(dims, -4, 4)}});
    for (const char *op : {"Log", "Sqrt", "Reciprocal"}) cases.push_back({op, {}, {x(dims, 0.5, 2)}});
    cases.push_back({"Gelu", {{"approximate", std::string("tanh")}}, {x(dims)}});
    cases.push_back({"Cast", {{"to", std::int64_t{11}}}, {x(dims)}});
    cases.push_back({"Clip", {}, {x(dims), number(-1), number(1)}});
    cases.push_back({"Clip", {}, {x(dims), none(), number(1)}});
    cases.push_back({"Clip", {{"min", -1.0F}}, {x(dims)}, 1, 10});
    cases.push_back({"Max", {}, {x(dims), x(dims), x({1})}});
  }
  return cases;
}

std::vector<Case> rows() {
  std::vector<Case> cases;
  for (const Dims &dims : {Dims{2, 5}, Dims{2, 3, 4}, Dims{3, 2, 2, 2}}) {
    for (const char *op : {"Softmax", "LogSoftmax"})
      for (const std::int64_t axis : {std::int64_t{1}, std::int64_t{-1}})
        for (const std::int64_t opset : {std::int64_t{11}, std::int64_t{20}})
          cases.push_back({op, {{"axis", axis}}, {x(dims)}, 1, opset});
    for (const char *op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL1",
                           "ReduceL2", "ReduceLogSumExp", "ReduceLogSum"}) {
      const double low = op == std::string("ReduceLogSum") ? 0.5 : -2;
      cases.push_back({op, {}, {x(dims, low, 2), ints({-1})}});
      cases.push_back({op, {{"keepdims", std::int64_t{0}}}, {x(dims, low, 2), ints({0, 1})}});
      cases.push_back({op, {}, {x(dims, low, 2)}});
      cases.push_back({op, {{"axes", Ints{1}}, {"keepdims", std::int64_t{0}}}, {x(dims, low, 2)}, 1, 11});
    }
    const Dims last{dims.back()}, channels{dims[1]};
    cases.push_back({"LayerNormalization", {}, {x(dims), x(last), x(last)}});
    cases.push_back({"LayerNormalization",
                     {{"axis", std::int64_t{1}}},
                     {x(dims), x(Dims(dims.begin() + 1, dims.end())), x(Dims(dims.begin() + 1, dims.end()))}});
    cases.push_back({"RMSNormalization", {}, {x(dims), x(last)}, 1, 23});
    if (dims.size() > 2) cases.push_back({"InstanceNormalization", {}, {x(dims), x(channels), x(channels)}});
    const auto size = static_cast<std::size_t>(dims[1]);
    cases.push_back({"BatchNormalization",
                     {},
                     {x(dims), x(channels), x(channels), fixed(Tensor::of(channels, std::vector<double>(size, 0.3))),
                      fixed(Tensor::of(channels, std::vector<double>(size, 1.7)))}});
  }
  cases.push_back({"InstanceNormalization", {}, {x({1, 4, 3}), x({4}), x({4})}});
  return cases;
}

std::vector<Case> products() {
  std::vector<Case> cases;
  const std::vector<std::pair<Dims, Dims>> stacks{
      {{3, 4}, {4, 2}}, {{2, 3, 4}, {4, 2}}, {{2, 3, 4}, {2, 4, 5}},    {{4}, {4, 3}},
      {{2, 3, 4}, {4}}, {{4}, {4}},          {{2, 1, 3, 4}, {5, 4, 2}}, {{3}, {2, 3, 2}}};
  for (const auto &[a, b] : stacks) cases.push_back({"MatMul", {}, {x(a), x(b)}});
  for (const std::int64_t turns : {0, 1, 2, 3})
    cases.push_back({"Gemm",
                     {{"transA", turns & 1}, {"transB", turns >> 1}, {"alpha", 0.5F}, {"beta", 2.0F}},
                     {x((turns & 1) != 0 ? Dims{4, 3} : Dims{3, 4}), x(turns > 1 ? Dims{2, 4} : Dims{4, 2}), x({2})}});
  cases.push_back({"Gemm", {}, {x({3, 4}), x({4, 2}), x({3, 1})}});
  const auto conv = [&](std::vector<Attribute> attributes, Dims in, Dims w, bool bias) {
    std::vector<Operand> operands{x(in), x(w)};
    if (bias) operands.push_back(x({w[0]}));
    cases.push_back({"Conv", attributes, operands, 1, 20, true});
  };
  const Ints pads{1, 1, 1, 1};
  conv({{"pads", pads}}, {2, 3, 5, 5}, {4, 3, 3, 3}, true);
  conv({{"pads", pads}, {"strides", Ints{2, 2}}}, {2, 16, 8, 8}, {16, 16, 3, 3}, true);
  conv({{"strides", Ints{2, 2}}}, {1, 16, 7, 6}, {32, 16, 1, 1}, false);
  conv({{"pads", Ints{0, 1, 2, 0}}, {"strides", Ints{2, 3}}, {"dilations", Ints{2, 1}}}, {1, 3, 9, 8}, {5, 3, 2, 3},
       true);
  conv({{"group", std::int64_t{16}}, {"pads", pads}}, {2, 16, 6, 6}, {16, 1, 3, 3}, true);
  conv({{"group", std::int64_t{16}}, {"pads", pads}, {"strides", Ints{2, 2}}}, {1, 16, 6, 7}, {16, 1, 3, 3}, false);
  conv({{"group", std::int64_t{2}}}, {2, 6, 5, 5}, {4, 3, 3, 3}, true);
  conv({{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}, {1, 4, 7, 7}, {4, 4, 3, 3}, false);
  conv({{"pads", Ints{1, 1}}}, {2, 3, 9}, {4, 3, 3}, true);
  conv({}, {1, 2, 4, 4, 4}, {3, 2, 2, 2, 2}, true);
  conv({{"strides", Ints{4, 4}}}, {1, 2, 9, 9}, {3, 2, 2, 2}, true); // windows that leave elements out
  const auto transposed = [&](std::vector<Attribute> attributes, Dims in, Dims w, std::int64_t groups) {
    if (groups > 1) attributes.push_back({"group", groups});
    cases.push_back({"ConvTranspose", attributes, {x(in), x(w), x({w[1] * groups})}, 1, 20, true});
  };
  transposed({{"strides", Ints{2, 2}}}, {2, 3, 4, 4}, {3, 2, 3, 3}, 1);
  transposed({{"strides", Ints{2, 2}}, {"pads", pads}, {"output_padding", Ints{1, 1}}}, {1, 16, 4, 5}, {16, 16, 3, 3},
             1);
  transposed({{"pads", pads}}, {2, 4, 5, 5}, {4, 3, 3, 3}, 2);
  transposed({{"dilations", Ints{2}}}, {1, 2, 5}, {2, 3, 2}, 1);
  return cases;
}

std::vector<Case> windows() {
  std::vector<Case> cases;
  for (const Dims &dims : {Dims{2, 3, 6, 6}, Dims{1, 16, 7, 5}, Dims{2, 4, 9}}) {
    const auto rank = dims.size() - 2;
    const Ints two(rank, 2), three(rank, 3), pads(2 * rank, 1);
    cases.push_back({"MaxPool", {{"kernel_shape", two}, {"strides", two}}, {x(dims)}});
    cases.push_back({"MaxPool", {{"kernel_shape", three}, {"pads", pads}}, {x(dims)}});
    cases.push_back(
        {"MaxPool", {{"kernel_shape", three}, {"strides", two}, {"ceil_mode", std::int64_t{1}}}, {x(dims)}});
    for (const std::int64_t counts : {0, 1})
      cases.push_back({"AveragePool",
                       {{"kernel_shape", three}, {"strides", two}, {"pads", pads}, {"count_include_pad", counts}},
                       {x(dims)},
                       1,
                       20,
                       true});
    cases.push_back({"GlobalAveragePool", {}, {x(dims)}, 1, 20, true});
    cases.push_back({"GlobalMaxPool", {}, {x(dims)}});
  }
  return cases;
}

std::vector<Case> moves() {
  std::vector<Case> cases;
  for (const Dims &dims : {Dims{4, 6}, Dims{2, 6, 4}, Dims{1, 4, 6, 2}}) {
    cases.push_back({"Reshape", {}, {x(dims), ints({-1, 2})}});
    cases.push_back({"Flatten", {}, {x(dims)}});
    cases.push_back({"Unsqueeze", {}, {x(dims), ints({1})}});
    cases.push_back({"Transpose", {}, {x(dims)}});
    cases.push_back({"Concat", {{"axis", std::int64_t{1}}}, {x(dims), x(dims), x(dims)}});
    cases.push_back({"Split", {{"axis", std::int64_t{1}}, {"num_outputs", std::int64_t{2}}}, {x(dims)}, 2});
    cases.push_back({"Split", {{"axis", std::int64_t{-1}}}, {x(dims), ints({dims.back() - 1, 1})}, 2});
    cases.push_back({"Slice", {}, {x(dims), ints({1}), ints({1000}), ints({1})}});
    cases.push_back({"Slice", {}, {x(dims), ints({-1, 0}), ints({-100, 1000}), ints({-1, 0}), ints({-2, 1})}});
    cases.push_back({"Slice", {{"starts", Ints{1}}, {"ends", Ints{3}}, {"axes", Ints{1}}}, {x(dims)}, 1, 9});
    cases.push_back({"Gather", {{"axis", std::int64_t{1}}}, {x(dims), ints({0, 2, 2, -1})}});
    cases.push_back({"Gather", {}, {x(dims), fixed(Tensor::of({2, 2}, Ints{0, 0, -1, 0}))}});
    Ints pads(2 * dims.size(), 0);
    pads[0] = 2, pads.back() = 1;
    cases.push_back({"Pad", {}, {x(dims), ints(pads)}});
    Dims wide = dims;
    wide.insert(wide.begin(), 3);
    cases.push_back({"Expand", {}, {x(dims), ints(wide)}});
  }
  cases.push_back({"Transpose", {{"perm", Ints{2, 0, 1}}}, {x({2, 3, 4})}});
  cases.push_back({"Squeeze", {}, {x({2, 1, 3}), ints({1})}});
  cases.push_back({"Squeeze", {}, {x({1, 2, 1, 3})}});
  cases.push_back({"Squeeze", {{"axes", Ints{0}}}, {x({1, 2, 3})}, 1, 11});
  cases.push_back({"Expand", {}, {x({2, 1, 3}), ints({2, 4, 3})}});
  for (const char *mode : {"DCR", "CRD"})
    for (const Dims &dims : {Dims{1, 8, 2, 3}, Dims{2, 4, 3, 2}, Dims{1, 12, 1, 1}})
      cases.push_back({"DepthToSpace", {{"blocksize", std::int64_t{2}}, {"mode", std::string(mode)}}, {x(dims)}});
  for (const Dims &dims : {Dims{1, 2, 4, 6}, Dims{2, 1, 2, 2}, Dims{1, 3, 4, 2}})
    cases.push_back({"SpaceToDepth", {{"blocksize", std::int64_t{2}}}, {x(dims)}});
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (auto *family : {element_wise, rows, products, windows, moves}) {
    const auto some = family();
    cases.insert(cases.end(), some.begin(), some.end());
  }
  return cases;
}

std::string label(const Case &c) {
  std::string text = fmt::format("{}-{}", c.op, c.opset);
  for (const Operand &operand : c.operands) text += fmt::format(" [{}]", fmt::join(operand.dims, ","));
  return text;
}

TEST(Gradients, AreCentralDifferences) {
  std::uint64_t seed = 1;
  for (const Case &c : all_cases()) {
    SCOPED_TRACE(label(c));
    check_differences(c, seed++);
  }
}

TEST(Gradients, AreTheSameByFastKernels) {
  std::uint64_t seed = 1000;
  for (const Case &c : all_cases()) {
    SCOPED_TRACE(label(c));
    check_fast(c, seed++);
  }
}

/// Each rule is in three cases at least.
TEST(Gradients, OfEveryRuleAreTested) {
  std::map<std::string, int> counts;
  for (const Case &c : all_cases()) ++counts[c.op];
  for (const GradientRule *rule : all_gradient_rules()) {
    if (rule->straight_through) continue; // no function's gradient: tests/ops
    EXPECT_GE(counts[std::string(rule->op)], 3) << rule->op;
  }
}

TEST(Gradients, NameTheNodeWithoutOne) {
  Graph graph;
  graph.opsets[""] = 20;
  const ValueId in = graph.add_input("x", Type::tensor(DType::float32, Dims{3}));
  Builder b(graph, all_ops());
  const ValueId rounded = b.op("Round", {in}), loss = b.sum_to(rounded, {});
  ASSERT_TRUE(b.status());
  const auto found = differentiate(graph, all_ops(), loss, std::vector{in});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unsupported);
  EXPECT_THAT(found.error().message, testing::HasSubstr("(Round): there is no gradient of this operator"));
}

/// A value that is read twice gets the sum of both; one that the loss does not depend on gets zeros.
TEST(Gradients, AreSumsOverReaders) {
  Graph graph;
  graph.opsets[""] = 20;
  const ValueId a = graph.add_input("a", Type::tensor(DType::float32, Dims{2}));
  const ValueId unread = graph.add_input("b", Type::tensor(DType::float32, Dims{2}));
  Builder b(graph, all_ops());
  const ValueId loss = b.sum_to(b.add(b.square(a), b.scaled(a, 3)), {});
  auto found = differentiate(graph, all_ops(), loss, std::vector{a, unread});
  ASSERT_TRUE(found) << found.error().message;
  PlanOptions options;
  options.fetches = *found;
  const std::vector<Type> types{graph.value(a).type, graph.value(unread).type};
  const auto plan = Plan::compile(graph, all_ops(), types, options);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto results = Session(*plan).run(
      std::vector<RuntimeValue>{Tensor::of({2}, std::vector<float>{1, -2}), Tensor::of({2}, std::vector<float>{5, 5})});
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ(to_floats(*(*results)[0].tensor), (std::vector<float>{5, -1}));
  EXPECT_EQ(to_floats(*(*results)[1].tensor), (std::vector<float>{0, 0}));
}

} // namespace
} // namespace edgec
