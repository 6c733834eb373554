// The exact pipeline on random small networks: every step keeps its word, and the outputs stay.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "ir/text.h"
#include "ops/registry.h"
#include "passes/pipeline.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec {
namespace {

/// Writes a network of operators that the exact passes look for, with what keeps them from firing among them.
class Generator {
public:
  explicit Generator(std::uint64_t seed) : random_(seed) {
    values_.push_back(graph_.add_input("x", type({1, 4, 5, 6})));
  }

  Graph make() {
    for (int i = 0; i < 14; ++i) grow();
    graph_.opsets[""] = 17;
    for (std::size_t i = 0; i < 3 && i < values_.size(); ++i) {
      const ValueId id = i == 0 ? values_.back() : pick();
      if (graph_.producer(id) && !graph_.is_output(id)) graph_.add_output(id, fmt::format("y{}", i));
    }
    return std::move(graph_);
  }

private:
  Graph graph_;
  Random random_;
  std::vector<ValueId> values_;
  std::multimap<Dims, ValueId> weights_; // of Conv

  static Type type(const Dims &dims) { return Type::tensor(DType::float32, dims); }
  bool chance(double p) { return random_.uniform() < p; }
  std::int64_t below(std::uint64_t n) { return static_cast<std::int64_t>(random_.below(n)); }
  ValueId pick() { return chance(0.7) ? values_.back() : values_[random_.below(values_.size())]; }
  Dims dims(ValueId id) const { return *graph_.value(id).type.concrete(); }

  ValueId constant(Dims shape, double low = -1, double high = 1) {
    std::vector<double> data(static_cast<std::size_t>(*element_count(shape)));
    for (double &value : data) value = random_.uniform(low, high);
    if (shape.size() > 1 && chance(0.3)) // a dead channel
      std::fill_n(data.begin(), data.size() / static_cast<std::size_t>(shape[0]), 0.0);
    return graph_.add_constant(from_doubles(DType::float32, std::move(shape), data));
  }
  /// A weight: of its own, one that other nodes read as well, or made by a node, as files of untrained networks say it.
  ValueId weight(const Dims &shape) {
    const auto [first, last] = weights_.equal_range(shape);
    if (first != last && chance(0.3)) return first->second;
    ValueId made = constant(shape);
    if (chance(0.3)) {
      const bool rows = chance(0.5);
      const ValueId target = ints(shape);
      const Tensor number = from_doubles(DType::float32, {1}, std::vector{random_.uniform(-1, 1)});
      made = graph_.add_value(Type{});
      graph_.add_node(rows ? Node{.op = "Expand", .inputs = {constant({shape[0], 1, 1, 1}), target}, .outputs = {made}}
                           : Node{.op = "ConstantOfShape",
                                  .inputs = {target},
                                  .outputs = {made},
                                  .attributes = {{"value", number}}});
    }
    weights_.emplace(shape, made);
    return made;
  }
  ValueId ints(std::vector<std::int64_t> data) {
    const auto size = static_cast<std::int64_t>(data.size());
    return graph_.add_constant(Tensor::of({size}, std::move(data)));
  }

  void add(std::string op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {}) {
    const ValueId out = graph_.add_value(Type{});
    graph_.add_node(
        {.op = std::move(op), .inputs = std::move(inputs), .outputs = {out}, .attributes = std::move(attributes)});
    ASSERT_TRUE(infer_types(graph_, all_ops())) << to_text(graph_);
    ASSERT_TRUE(graph_.value(out).type.concrete()) << to_text(graph_);
    values_.push_back(out);
  }

  void grow() {
    const ValueId x = pick();
    const std::size_t rank = dims(x).size();
    if (rank == 2) return grow_matrix(x);
    switch (below(14)) {
    case 0:
    case 1: return grow_conv(x);
    case 2: return grow_batch_norm(x);
    case 3:
    case 4: return grow_affine(x);
    case 5: return add("Relu", {x});
    case 6:
      return add("Clip",
                 {x, chance(0.7) ? constant({}, -1, 0) : ValueId{}, chance(0.7) ? constant({}, 0, 2) : ValueId{}});
    case 7: return grow_padded(x);
    case 8: return add("Identity", {x});
    case 9: return grow_moved(x);
    case 10: return add("Add", {x, x});
    case 11: return grow_sum(x);
    case 12: return grow_shuffle(x);
    default: return add("Flatten", {x});
    }
  }

  void grow_matrix(ValueId x) {
    const std::int64_t in = dims(x)[1], out = 1 + below(4);
    if (chance(0.5)) {
      add("MatMul", {x, constant({in, out})});
      if (chance(0.8)) add("Add", {values_.back(), constant(chance(0.5) ? Dims{out} : Dims{1, out})});
    } else {
      add("Gemm", {x, constant({out, in}), chance(0.7) ? constant({out}) : ValueId{}},
          {{"transB", std::int64_t{1}}, {"beta", 0.5F}});
    }
    if (chance(0.5)) add(chance(0.5) ? "Mul" : "Add", {values_.back(), constant({out}, 0.5, 1.5)});
  }

  void grow_conv(ValueId x) {
    const std::int64_t channels = dims(x)[1], groups = channels % 2 == 0 && chance(0.4) ? 2 : 1,
                       out = 2 * (1 + below(3));
    const bool transposed = chance(0.3);
    const Dims shape = transposed ? Dims{channels, out / groups, 2, 2} : Dims{out, channels / groups, 2, 2};
    add(transposed ? "ConvTranspose" : "Conv", {x, weight(shape), chance(0.5) ? constant({out}) : ValueId{}},
        {{"group", groups}, {"pads", std::vector<std::int64_t>{1, 1, 0, 1}}});
    if (chance(0.6)) grow_batch_norm(values_.back());
    if (chance(0.2)) grow_affine(values_.back());
  }

  /// Of one, two or three values; those of another shape that broadcast along are constants.
  void grow_sum(ValueId x) {
    std::vector<ValueId> operands{x};
    for (std::int64_t more = below(3); more > 0; --more) {
      const ValueId other = pick();
      operands.push_back(dims(other) == dims(x) ? other : constant({dims(x)[1], 1, 1}));
    }
    add("Sum", std::move(operands));
  }

  /// Channels of two groups in turn: Reshape, Transpose, Reshape.
  void grow_shuffle(ValueId x) {
    const Dims shape = dims(x);
    if (shape[1] % 2 != 0) return add("Relu", {x});
    add("Reshape", {x, ints({shape[0], 2, shape[1] / 2, shape[2], shape[3]})});
    add("Transpose", {values_.back()}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3, 4}}});
    const ValueId shuffled = values_.back();
    values_.resize(values_.size() - 2); // what is between has five dims
    add("Reshape", {shuffled, ints(shape)});
  }

  void grow_batch_norm(ValueId x) {
    const std::int64_t channels = dims(x)[1];
    add("BatchNormalization",
        {x, constant({channels}), constant({channels}), constant({channels}), constant({channels}, 0.5, 2)});
  }

  void grow_affine(ValueId x) {
    const Dims shapes[] = {{}, {1}, {dims(x)[1], 1, 1}, {1, dims(x)[1], 1, 1}, {dims(x)[3]}};
    const ValueId other = constant(shapes[random_.below(5)], 0.5, 1.5);
    const char *const op = std::array{"Mul", "Mul", "Add", "Sub", "Div"}[random_.below(5)];
    chance(0.5) ? add(op, {x, other}) : add(op, {other, x});
  }

  void grow_padded(ValueId x) {
    const bool maximum = chance(0.5);
    std::vector<std::int64_t> pads(8);
    for (const std::size_t i : {2U, 3U, 6U, 7U}) pads[i] = below(2);
    const ValueId value = chance(0.5) ? graph_.add_constant(Tensor::scalar(maximum ? -INFINITY : 0.0F)) : ValueId{};
    add("Pad", {x, ints(pads), value});
    const ValueId padded = values_.back();
    if (chance(0.3)) return grow_conv(padded);
    std::vector<Attribute> attributes{{"kernel_shape", std::vector<std::int64_t>{2, 2}}};
    if (chance(0.3)) attributes.push_back({"ceil_mode", std::int64_t{1}});
    if (chance(0.3)) attributes.push_back({"pads", std::vector<std::int64_t>{0, 1, 0, 0}});
    add(maximum ? "MaxPool" : "AveragePool", {padded}, std::move(attributes));
  }

  void grow_moved(ValueId x) {
    const Dims shape = dims(x);
    if (chance(0.3)) return add("Reshape", {x, ints(shape)});
    if (chance(0.3))
      return add(
          "Transpose", {x},
          {{"perm", chance(0.5) ? std::vector<std::int64_t>{0, 1, 2, 3} : std::vector<std::int64_t>{0, 1, 3, 2}}});
    if (chance(0.5)) return add("Concat", {x}, {{"axis", std::int64_t{1}}});
    add("Slice", {x, ints({chance(0.5) ? 0 : 1}), ints({100}), ints({3})});
    if (dims(values_.back())[3] == 0) values_.pop_back();
  }
};

void expect_close(const Tensor &before, const Tensor &after, std::uint64_t seed) {
  ASSERT_EQ(before.dims, after.dims) << "seed " << seed;
  const auto a = to_doubles(before), b = to_doubles(after);
  double largest = 0.1, worst = 0; // inner values are about 1: what cancels to less has their rounding
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    worst = std::max(worst, std::abs(a[i] - b[i]));
    largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
  }
  EXPECT_LE(worst, 3e-5 * largest) << "seed " << seed;
}

TEST(ExactPipeline, KeepsTheOutputsOfRandomNetworks) {
  std::size_t nodes_before = 0, nodes_after = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Graph before = Generator(seed).make();
    if (HasFatalFailure()) return;
    Graph after = before;
    const auto report = run_pipeline(after, exact_pipeline(),
                                     PassContext{.ops = all_ops(), .fold_growth_limit = seed % 2 == 0 ? 1024U : 8U},
                                     {.check_honesty = true});
    ASSERT_TRUE(report) << "seed " << seed << ": " << report.error().message;
    nodes_before += before.node_count();
    nodes_after += after.node_count();

    Random random(seed);
    std::vector<double> data(4 * 5 * 6);
    for (double &value : data) value = random.uniform(-2, 2);
    const std::vector<Tensor> inputs{from_doubles(DType::float32, {1, 4, 5, 6}, data)};
    const auto a = Runner(before, all_ops(), {.reference = true}).run_tensors(inputs);
    const auto b = Runner(after, all_ops(), {.reference = true}).run_tensors(inputs);
    ASSERT_TRUE(a) << "seed " << seed << ": " << a.error().message;
    ASSERT_TRUE(b) << "seed " << seed << ": " << b.error().message;
    ASSERT_EQ(a->size(), b->size());
    for (std::size_t i = 0; i < a->size(); ++i) expect_close((*a)[i], (*b)[i], seed);
  }
  EXPECT_LT(nodes_after * 10, nodes_before * 8); // they do find something to do
}

} // namespace
} // namespace edgec
