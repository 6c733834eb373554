// Whatever set of channels is cut: where its constants were zero, no output changes.
#include "passes/channels.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec {
namespace {

using ::testing::HasSubstr;

Tensor random_tensor(const Dims &dims, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> data(static_cast<std::size_t>(*element_count(dims)));
  for (double &value : data) value = random.uniform(0.1, 1);
  return from_doubles(DType::float32, dims, data);
}

/// The graph of a text in which every input but the first stands for a constant of random numbers.
Graph network(std::string_view text) {
  auto parsed = parse_graph(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  Graph graph = std::move(*parsed);
  if (graph.opsets.empty()) graph.opsets[""] = 17;
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    const std::string name = graph.value(inputs[i]).name;
    graph.replace_uses(inputs[i], graph.add_constant(random_tensor(dims, i), name));
    graph.remove(inputs[i]);
  }
  const auto status = infer_types(graph, all_ops());
  EXPECT_TRUE(status) << status.error().message;
  return graph;
}

std::vector<float> output(const Graph &graph) {
  const std::vector<Tensor> feeds{random_tensor(*graph.value(graph.inputs()[0]).type.concrete(), 99)};
  const auto results = Runner(graph, all_ops(), {.reference = true}).run_tensors(feeds);
  EXPECT_TRUE(results) << results.error().message << to_text(graph);
  std::vector<float> values;
  for (const Tensor &each : *results) {
    const auto more = to_floats(each);
    values.insert(values.end(), more.begin(), more.end());
  }
  return values;
}

/// The network with zeros in every constant at the places of a set. Constants read by several nodes are split.
Graph without(const Graph &graph, const ChannelMap &map, std::size_t set) {
  Graph copy = graph;
  for (const std::size_t place : map.members(set)) {
    const ChannelAxis &axis = map.axis_of(place);
    if (!axis.reader) continue;
    const Tensor old = *copy.constant(copy.node(axis.reader->node).inputs[axis.reader->index]);
    auto values = to_doubles(old);
    const std::span<const std::int64_t> dims = old.dims;
    const std::int64_t inner = *element_count(dims.subspan(static_cast<std::size_t>(axis.axis) + 1));
    for (std::size_t i = 0; i < values.size(); ++i)
      if (static_cast<std::int64_t>(i) / inner % axis.size == static_cast<std::int64_t>(place - axis.first))
        values[i] = 0;
    copy.set_input(axis.reader->node, axis.reader->index, copy.add_constant(from_doubles(old.dtype, old.dims, values)));
  }
  copy.remove_dead();
  return copy;
}

struct Tried {
  std::size_t cut = 0;
  std::vector<std::string> walls; ///< of sets that a weight is in
};

/// Cuts each set of a network by itself.
Tried cut_each(std::string_view text) {
  const Graph graph = network(text);
  const ChannelMap map(graph, all_ops());
  Tried tried;
  for (std::size_t set = 0; set < map.set_count(); ++set) {
    const bool weighted =
        std::ranges::any_of(map.members(set), [&](std::size_t place) { return map.axis_of(place).reader.has_value(); });
    if (!map.wall(set).empty()) {
      if (weighted) tried.walls.push_back(map.wall(set));
      continue;
    }
    if (leave_multiples(map, {set}, 1).empty()) continue;
    const Graph zeroed = without(graph, map, set);
    const ChannelMap fresh(zeroed, all_ops());
    Graph cut = zeroed;
    const std::size_t sets[] = {set};
    EXPECT_EQ(fresh.set_count(), map.set_count());
    const auto status = cut_channels(cut, all_ops(), fresh, sets);
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_TRUE(cut.sort());
    EXPECT_TRUE(verify(cut)) << to_text(cut);
    const auto a = output(zeroed), b = output(cut);
    EXPECT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
      EXPECT_NEAR(a[i], b[i], 1e-6 * (1 + std::abs(a[i]))) << to_text(cut);
    ++tried.cut;
  }
  return tried;
}

TEST(Channels, PlainChain) {
  EXPECT_EQ(
      cut_each(
          R"(g (float[1,3,5,5] x, float[4,3,3,3] w, float[4] b, float[4] s, float[4,1,1] p, float[2,4,3,3] v) => (float[1,2,5,5] z) {
    a = Conv<pads = [1, 1, 1, 1]>(x, w, b)
    n = BatchNormalization(a, s, s, s, s)
    r = PRelu(n, p)
    m = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(r)
    z = Conv<pads = [1, 1, 1, 1]>(m, v)
  })")
          .cut,
      4U);
}

TEST(Channels, ResidualSumTiesBothSides) {
  const Tried tried = cut_each(
      R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[6,4,1,1] u, float[4,6,1,1] t, float[2,4,1,1] v) => (float[1,2,4,4] z) {
    a = Conv(x, w)
    i = Conv(a, u)
    r = Relu(i)
    c = Conv(r, t)
    s = Add(a, c)
    z = Conv(s, v)
  })");
  EXPECT_EQ(tried.cut, 10U); // six inside, four across
}

TEST(Channels, DepthwiseAndGroups) {
  EXPECT_EQ(
      cut_each(
          R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[8,1,3,3] d, float[8] b, float[6,4,1,1] h, float[6,2,1,1] k, float[2,4,1,1] v) => (float[1,2,4,4] z) {
    a = Conv(x, w)
    e = Conv<group = 4, pads = [1, 1, 1, 1]>(a, d, b)
    f = Conv<group = 2>(e, h)
    i = ConvTranspose<group = 2>(f, k)
    z = Conv(i, v)
  })")
          .cut,
      2U); // the groups of the last three go together, two channels of the first each
}

TEST(Channels, ConcatSliceAndSplit) {
  EXPECT_EQ(
      cut_each(
          R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[2,3,1,1] u, float[2,4,1,1] v) => (float[1,2,4,4] y, float[1,2,4,4] z)
    <int64[1] start = {1}, int64[1] end = {5}, int64[1] axis = {1}, int64[2] parts = {2, 2}> {
    a = Conv(x, w)
    b = Conv(x, u)
    c = Concat<axis = 1>(a, b)
    s = Slice(c, start, end, axis)
    y = Conv(s, v)
    l, m = Split<axis = 1>(a, parts)
    q = Concat<axis = 1>(m, l)
    z = Conv(q, v)
  })")
          .cut,
      6U);
}

TEST(Channels, PaddedWithMoreChannels) {
  EXPECT_EQ(
      cut_each(
          R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[8,4,1,1] u, float[2,8,1,1] v) => (float[1,2,4,4] z) <int64[8] pads = {0, 1, 0, 0, 0, 3, 0, 0}> {
    a = Conv(x, w)
    b = Pad(a, pads)
    c = Conv(a, u)
    d = Add(b, c)
    z = Conv(d, v)
  })")
          .cut,
      8U); // four with a channel of the first, four of which the shortcut is zero
}

TEST(Channels, FlattenedBeforeGemm) {
  EXPECT_EQ(
      cut_each(
          R"(g (float[2,3,4,4] x, float[4,3,1,1] w, float[3,64] g1, float[3] b, float[3,5] m) => (float[2,5] z) <int64[2] to = {0, 64}> {
    a = Conv(x, w)
    f = Reshape(a, to)
    h = Gemm<transB = 1>(f, g1, b)
    r = Relu(h)
    z = MatMul(r, m)
  })")
          .cut,
      7U);
}

TEST(Channels, ShuffledAndPooled) {
  EXPECT_EQ(cut_each(R"(g (float[1,3,4,4] x, float[6,3,1,1] w, float[5,6] m) => (float[1,5] z)
    <int64[5] five = {1, 2, 3, 4, 4}, int64[4] four = {1, 6, 4, 4}, int64[2] spatial = {2, 3}, int64[6] order = {5, 4, 3, 2, 1, 0}> {
    a = Conv(x, w)
    b = Reshape(a, five)
    c = Transpose<perm = [0, 2, 1, 3, 4]>(b)
    d = Reshape(c, four)
    e = Gather<axis = 1>(d, order)
    p = ReduceMean<axes = [2, 3], keepdims = 0>(e)
    z = Gemm<transB = 1>(p, m)
  })")
                .cut,
            3U); // pairs
}

TEST(Channels, SizesSpelledOutFollow) {
  EXPECT_EQ(cut_each(R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[4] b, float[2,4,1,1] v) => (float[1,2,8,8] z)
    <int64[4] sizes = {1, 4, 8, 8}, int64[4] shape = {1, 4, 8, 8}, int64[4] one = {1, 4, 1, 1}> {
    a = Conv(x, w)
    c = Resize(a, , , sizes)
    d = Reshape(b, one)
    e = Expand(d, shape)
    f = Add(c, e)
    z = Conv(f, v)
  })")
                .cut,
            4U);
}

TEST(Channels, WallsAreNamed) {
  const Tried tried = cut_each(R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[5,4,1,1] v) => (float[1,5,4,4] z) {
    a = Conv(x, w)
    [mix] s = Softmax<axis = 1>(a)
    z = Conv(s, v)
  })");
  EXPECT_EQ(tried.cut, 0U);
  EXPECT_THAT(tried.walls, ::testing::Contains(HasSubstr("mix (Softmax) mixes them")));
  EXPECT_THAT(tried.walls, ::testing::Contains("graph output `z`"));
  EXPECT_THAT(tried.walls, ::testing::Contains("graph input `x`"));
  EXPECT_THAT(cut_each(R"(g (float[1,3,4,4] x, float[4,3,1,1] w) => (float[1,4,4,4] z) {
    a = Conv(x, w)
    [odd] z = my.own.Thing(a)
  })")
                  .walls,
              ::testing::Contains(HasSubstr("odd (Thing) is an unknown operator")));
}

TEST(Channels, OneStaysOfEachAxis) {
  const Graph graph = network(R"(g (float[1,3,4,4] x, float[4,3,1,1] w, float[2,4,1,1] v) => (float[1,2,4,4] z) {
    a = Conv(x, w)
    z = Conv(a, v)
  })");
  const ChannelMap map(graph, all_ops());
  std::vector<std::size_t> all;
  for (std::size_t set = 0; set < map.set_count(); ++set)
    if (map.wall(set).empty() && map.members(set).size() > 1) all.push_back(set);
  EXPECT_EQ(all.size(), 4U);
  EXPECT_EQ(leave_multiples(map, all, 1).size(), 3U);
}

TEST(Channels, AWallOfCodesDoesNotListTheirScales) {
  Graph graph = parse_graph(R"(g (uint8[1,2]{0.1,0} x) => (float[1,3] y)
    <int8[2,3]{axis=1; 0.1,0; 0.2,0; 0.3,0} w = {1, 2, 3, 4, 5, 6}> { y = MatMul(x, w) })")
                    .value();
  const ChannelMap map(graph, all_ops());
  const ChannelAxis *terms = map.axis(graph, {graph.nodes()[0], 1}, 0);
  ASSERT_NE(terms, nullptr);
  for (std::size_t set = 0; set < map.set_count(); ++set)
    EXPECT_THAT(map.wall(set), ::testing::Not(HasSubstr("0.3"))); // thousands of them, for each of thousands of sets
}

TEST(Channels, WhatIsAddedToAnUnknownSizeStays) {
  Graph graph = parse_graph(R"(<opset_import: ["" : 17]> g (float[N,3] x) => (float[2] z)
    <float[3] v = {1, 2, 3}, float[2] c = {1, 2}, float[2,2] w = {1, 2, 3, 4}> { a = MatMul(x, v)  b = Add(a, c)  z = MatMul(b, w) })")
                    .value();
  ASSERT_TRUE(infer_types(graph, all_ops()));
  const ChannelMap map(graph, all_ops());
  const ChannelAxis *added = map.axis(graph, {graph.nodes()[1], 1}, 0);
  ASSERT_NE(added, nullptr);
  EXPECT_THAT(map.wall(map.set_of(added->first)), HasSubstr("Add"));
}

} // namespace
} // namespace edgec
