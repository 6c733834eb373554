// However channels are chosen, each layer keeps all of them or a multiple of the number asked for.
#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

constexpr std::int64_t edge = 3;

class RandomImages : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 6; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    std::vector<float> image(3 * edge * edge);
    for (float &value : image) value = static_cast<float>(random.normal());
    return Sample{Tensor::of({1, 3, edge, edge}, std::move(image))};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "noise"; }
};

/// Convolutions of random widths with sums, concatenations, depthwise layers and splits between them, and a classifier.
class Generator {
public:
  Generator(std::uint64_t seed, std::vector<std::int64_t> widths, double dead)
      : random_(seed), widths_(std::move(widths)), dead_(dead) {}

  Graph make() {
    ValueId x = conv(graph_.add_input("x", type({1, 3, edge, edge})), width());
    for (int i = 0; i < 3; ++i) x = grow(x);
    const std::int64_t channels = dims(x)[1];
    if (random_.below(2) == 0) {
      const std::int64_t pooled[] = {1, channels};
      x = add("Reshape", {add("GlobalAveragePool", {x}), ints(pooled)});
    } else {
      x = add("Flatten", {x});
    }
    x = add("Relu", {add("Gemm", {x, weight({width(), dims(x)[1]}), ValueId{}}, {{"transB", std::int64_t{1}}})});
    graph_.add_output(add("MatMul", {x, weight({dims(x)[1], 5})}), "z");
    return std::move(graph_);
  }

private:
  Graph graph_ = [] {
    Graph graph;
    graph.opsets[""] = 17;
    return graph;
  }();
  Random random_;
  std::vector<std::int64_t> widths_;
  double dead_; ///< share of a layer's channels

  static Type type(const Dims &dims) { return Type::tensor(DType::float32, dims); }
  std::int64_t width() { return widths_[random_.below(widths_.size())]; }
  Dims dims(ValueId id) const { return *graph_.value(id).type.concrete(); }

  ValueId weight(const Dims &shape) {
    std::vector<double> data(static_cast<std::size_t>(*element_count(shape)));
    for (double &value : data) value = 0.3 * random_.normal();
    const std::size_t row = data.size() / static_cast<std::size_t>(shape[0]);
    for (std::size_t i = 0; i < data.size(); i += row)
      if (random_.uniform() < dead_) std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(i), row, 0.0);
    return graph_.add_constant(from_doubles(DType::float32, shape, data));
  }
  ValueId ints(std::span<const std::int64_t> data) {
    return graph_.add_constant(
        Tensor::of({static_cast<std::int64_t>(data.size())}, std::vector<std::int64_t>(data.begin(), data.end())));
  }

  ValueId add(std::string op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {}) {
    const ValueId out = graph_.add_value(Type{});
    graph_.add_node(
        {.op = std::move(op), .inputs = std::move(inputs), .outputs = {out}, .attributes = std::move(attributes)});
    EXPECT_TRUE(infer_types(graph_, all_ops())) << to_text(graph_);
    return out;
  }
  ValueId conv(ValueId x, std::int64_t channels) {
    return add("Relu", {add("Conv", {x, weight({channels, dims(x)[1], 1, 1})})});
  }

  ValueId grow(ValueId x) {
    const std::int64_t channels = dims(x)[1];
    switch (random_.below(5)) {
    case 0: return add("Add", {conv(conv(x, width()), channels), x});
    case 1: {
      const ValueId a = conv(x, width());
      return add("Concat", {a, conv(x, width())}, {{"axis", std::int64_t{1}}});
    }
    case 2: {
      const std::vector<std::int64_t> pads{1, 1, 1, 1};
      return add("Relu", {add("Conv", {x, weight({channels, 1, 3, 3})}, {{"group", channels}, {"pads", pads}})});
    }
    case 3: {
      const std::int64_t some = 1 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(channels - 1)));
      const std::int64_t from[] = {0}, to[] = {some}, axis[] = {1};
      return conv(add("Slice", {x, ints(from), ints(to), ints(axis)}), width());
    }
    default: return conv(x, width());
    }
  }
};

/// By layer: the size of each axis of its weight, named by where it stands among nodes of its operator.
std::vector<Dims> weights(const Graph &graph) {
  std::vector<Dims> found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (node.is("Conv") || node.is("Gemm") || node.is("MatMul")) found.push_back(graph.constant(node.inputs[1])->dims);
  }
  return found;
}

/// The largest of 1, 2, 4, ... `most` of which every axis that is not what it was is a multiple.
int multiple_kept(const Graph &before, const Graph &after, int most) {
  const auto was = weights(before), is = weights(after);
  EXPECT_EQ(was.size(), is.size());
  for (std::size_t i = 0; i < was.size() && i < is.size(); ++i)
    for (std::size_t axis = 0; axis < was[i].size(); ++axis)
      while (is[i][axis] != was[i][axis] && is[i][axis] % most != 0) most /= 2;
  return most;
}

std::vector<float> outputs(const Graph &graph) {
  std::vector<float> found;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto some = to_floats(Runner(graph, all_ops(), {}).run_tensors(*RandomImages().load(i))->front());
    found.insert(found.end(), some.begin(), some.end());
  }
  return found;
}

double macs(const Graph &graph) { return measure_sizes(graph, all_ops()).macs; }

TEST(ChannelMultiples, DeadChannelsGoInWholeMultiples) {
  std::map<int, int> smaller;
  for (std::uint64_t seed = 0; seed < 240; ++seed) {
    SCOPED_TRACE(seed);
    const int multiple = 1 << seed % 5;
    const Graph before =
        Generator(seed, {4, 6, 8, 12, 16, 24, 27, 32}, 0.1 + 0.15 * static_cast<double>(seed % 6)).make();
    Graph after = before;
    const PassDef *pass = find_pass("eliminate-dead-channels");
    ASSERT_TRUE(run_pipeline(after, std::span(&pass, 1), {.ops = all_ops(), .channel_multiple = multiple},
                             {.check_honesty = true}));
    EXPECT_EQ(multiple_kept(before, after, multiple), multiple) << to_text(after);
    const auto a = outputs(before), b = outputs(after);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(a[i])));
    if (macs(after) < macs(before)) ++smaller[multiple];
  }
  for (const int multiple : {1, 2, 4, 8, 16}) EXPECT_GT(smaller[multiple], 8) << multiple;
}

TEST(ChannelMultiples, PruningMeetsItsWorkInTheCoarsestStepsThatReachIt) {
  int whole = 0, finer = 0;
  for (std::uint64_t seed = 0; seed < 48; ++seed) {
    SCOPED_TRACE(seed);
    const bool wide = seed % 2 == 0;
    const Graph before =
        Generator(seed, wide ? std::vector<std::int64_t>{16, 24, 32} : std::vector<std::int64_t>{4, 6, 12, 16}, 0)
            .make();
    const double ratio = 0.05 + 0.1 * static_cast<double>(seed % 7);
    const Outcome outcome =
        run_pass("prune-channels", before, RandomImages(), {fmt::format("prune-channels={}", ratio)}, 1, 8);
    const int multiple = multiple_kept(before, outcome.graph, 8);
    const auto told = [&](const std::string &text) {
      return std::ranges::any_of(outcome.notes,
                                 [&](const PassNote &note) { return note.text.find(text) != std::string::npos; });
    };
    EXPECT_TRUE(macs(outcome.graph) <= (1 - ratio) * macs(before) * 1.0001 || told("nothing more can be cut"))
        << macs(outcome.graph) / macs(before);
    const bool coarse = !told("with multiples of 8 so little work was not to be had");
    EXPECT_TRUE(multiple == 8 || !coarse) << to_text(outcome.graph);
    ++(coarse ? whole : finer);
  }
  EXPECT_GT(whole, 15);
  EXPECT_GT(finer, 5);
}

} // namespace
} // namespace edgec
