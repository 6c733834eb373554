// Sharing that is fitted to samples: one codebook for the network, and hashed weights.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/hashed.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

using ::testing::HasSubstr;

class RandomRows : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 40; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    std::vector<float> row(24);
    for (float &value : row) value = static_cast<float>(random.normal());
    return Sample{Tensor::of({1, 24}, std::move(row))};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "noise"; }
};

/// Three layers whose weights are of very different size; the second one is stored the other way round.
Graph network() {
  Graph graph = parse_graph(R"(
    g (float[1,24] x, float[40,24] a, float[40] ab, float[40,48] b, float[48] bb, float[16,48] c) => (float[1,16] z) {
      [first] s = Gemm<transB = 1>(x, a, ab)
      r = Relu(s)
      [middle] t = Gemm(r, b, bb)
      u = Relu(t)
      [last] z = Gemm<transB = 1>(u, c)
    })")
                    .value();
  graph.opsets[""] = 21;
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    Random random(i);
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
    for (double &value : values) value = (dims == Dims{40, 48} ? 0.02 : 0.5) * random.normal();
    graph.replace_uses(inputs[i],
                       graph.add_constant(from_doubles(DType::float32, dims, values), graph.value(inputs[i]).name));
    graph.remove(inputs[i]);
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

Outcome run(const char *name, const Graph &graph, const Words &words, int threads = 1) {
  return run_pass(name, graph, RandomRows(), words, threads);
}

double sqnr(const Graph &a, const Graph &b) { return sqnr(a, b, RandomRows(), 16); }

const Node &layer(const Graph &graph, std::string_view label) {
  for (const NodeId id : graph.nodes())
    if (graph.node(id).label() == label) return graph.node(id);
  ADD_FAILURE();
  std::abort();
}

TEST(ShareNetworkPass, LayersLookUpInOneCodebookAndScale) {
  const Graph before = network();
  const Outcome after = run("share-network", before, {"share=4", "share-codebook=network"});
  std::set<ValueId> codebooks;
  std::set<float> scales;
  for (const char *label : {"first", "middle", "last"}) {
    const Node &mul = *after.graph.producer(layer(after.graph, label).inputs[1]);
    ASSERT_TRUE(mul.is("Mul")) << label;
    const Node &gather = *after.graph.producer(mul.inputs[0]);
    ASSERT_TRUE(gather.is("Gather")) << label;
    codebooks.insert(gather.inputs[0]);
    scales.insert(after.graph.constant(mul.inputs[1])->as<float>()[0]);
  }
  ASSERT_EQ(codebooks.size(), 1U);
  EXPECT_EQ(after.graph.constant(*codebooks.begin())->size(), 16);
  EXPECT_EQ(scales.size(), 3U);
  EXPECT_LT(*scales.begin() * 5, *scales.rbegin());
  EXPECT_GT(sqnr(before, after.graph), 12);
}

TEST(ShareNetworkPass, MoreBitsKeepMore) {
  const Graph before = network();
  const auto kept = [&](int bits) {
    return sqnr(before, run("share-network", before, {fmt::format("share={}", bits), "share-codebook=network"}).graph);
  };
  EXPECT_GT(kept(6), kept(3) + 10);
}

TEST(ShareNetworkPass, KeepsPrunedWeightsZero) {
  Graph before = network();
  const ValueId weight = layer(before, "middle").inputs[1];
  std::vector<float> values = to_floats(*before.constant(weight));
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = 0;
  before.set_data(weight, Tensor::of({40, 48}, values));
  const Outcome after = run("share-network", before, {"share=4", "share-codebook=network"});
  const Node &gather = *after.graph.producer(after.graph.producer(layer(after.graph, "middle").inputs[1])->inputs[0]);
  const auto codebook = to_floats(*after.graph.constant(gather.inputs[0]));
  const auto codes = to_int64s(*after.graph.constant(after.graph.producer(gather.inputs[1])->inputs[0]));
  for (std::size_t i = 0; i < codes.size(); i += 2) ASSERT_EQ(codebook[static_cast<std::size_t>(codes[i])], 0.0F);
}

TEST(ShareNetworkPass, SameBytesForAnyNumberOfThreads) {
  const Graph before = network();
  const Words words{"share=3", "share-codebook=network"};
  EXPECT_EQ(to_text(run("share-network", before, words, 1).graph),
            to_text(run("share-network", before, words, 3).graph));
}

TEST(ShareHashPass, WeightsAreCopiesOfAsManyValuesAsAskedWhereTheHashSays) {
  const Graph before = network();
  const Outcome after = run("share-hash", before, {"share-hash=0.25"});
  for (const auto &[label, count] : {std::pair{"middle", 480U}, {"last", 192U}}) {
    const Value &weight = after.graph.value(layer(after.graph, label).inputs[1]);
    ASSERT_EQ(weight.metadata.size(), 1U) << label;
    EXPECT_EQ(weight.metadata[0].first, hashed_key);
    const auto places = parse_hashed(weight.metadata[0].second);
    ASSERT_TRUE(places);
    EXPECT_EQ(places->count, count);
    EXPECT_TRUE(encode_hashed(weight.data->data.bytes(), 4, *places)) << label;
  }
  EXPECT_EQ(to_floats(*after.graph.constant(layer(after.graph, "first").inputs[1])),
            to_floats(*before.constant(layer(before, "first").inputs[1])));
  EXPECT_TRUE(
      std::ranges::any_of(after.notes, [](const PassNote &note) { return note.node == "first" && note.skipped; }));
  EXPECT_EQ(to_text(after.graph), to_text(run("share-hash", before, {"share-hash=0.25"}, 3).graph));
}

TEST(ShareHashPass, MoreStoredValuesKeepMore) {
  const Graph before = network();
  const auto kept = [&](double ratio) {
    return sqnr(before, run("share-hash", before, {fmt::format("share-hash={}", ratio)}).graph);
  };
  EXPECT_GT(kept(0.9), kept(0.1) + 3);
}

TEST(FittedSharing, AimsAtTheNetworkBeforePruning) {
  const Graph before = network();
  Graph pruned = before;
  for (const char *label : {"middle", "last"}) {
    const ValueId weight = layer(pruned, label).inputs[1];
    std::vector<float> values = to_floats(*pruned.constant(weight));
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    for (float &value : values) value = std::abs(value) < 0.25F * largest ? 0 : value;
    pruned.set_data(weight, Tensor::of(pruned.constant(weight)->dims, std::move(values)));
  }
  const RandomRows samples;
  for (const auto &[name, words, gain] : {std::tuple{"share-hash", Words{"share-hash=0.8"}, 3.0},
                                          {"share-second-order", Words{"share=4"}, 0.5},
                                          {"share-network", Words{"share=4", "share-codebook=network"}, 0.5}}) {
    const auto kept = [&](const Graph *original) {
      return sqnr(before, run_pass(name, pruned, samples, words, 1, 1, original).graph);
    };
    EXPECT_GT(kept(&before), kept(nullptr) + gain) << name;
  }
}

TEST(FittedSharing, NeedsSamples) {
  EXPECT_THAT(error_without_samples("share-hash", network(), {"share-hash=0.5"}), HasSubstr("--calib"));
  EXPECT_THAT(error_without_samples("share-network", network(), {"share=4", "share-codebook=network"}),
              HasSubstr("--calib"));
}

} // namespace
} // namespace edgec
