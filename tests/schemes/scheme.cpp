// What holds for every scheme.
#include "schemes/scheme.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

TEST(Schemes, NoneIsWantedByDefault) { EXPECT_TRUE(wanted_schemes({}).empty()); }

TEST(Schemes, RunInTheOrderOfTheirPhases) {
  const auto wanted =
      wanted_schemes(settings_of({"int8", "share=4", "prune=0.5", "low-rank=0.5", "prune-channels=0.1"}));
  std::vector<std::string_view> names;
  for (const SchemeDef *scheme : wanted) names.push_back(scheme->name);
  EXPECT_EQ(names, (std::vector<std::string_view>{"prune-channels", "low-rank", "prune-second-order",
                                                  "share-second-order", "quantize-int8"}));
}

TEST(Schemes, EachHasAFlagThatExistsAndASummary) {
  Settings settings;
  Options options("compress", "", "");
  declare_schemes(options, settings);
  for (const SchemeDef *scheme : all_schemes()) {
    EXPECT_FALSE(scheme->summary.empty()) << scheme->name;
    EXPECT_NE(options.find(scheme->flag.substr(2, scheme->flag.find(' ') - 2)), nullptr) << scheme->name;
    EXPECT_NE(scheme->wanted, nullptr) << scheme->name;
    EXPECT_NE(scheme->run, nullptr) << scheme->name;
  }
}

class Noise : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 8; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    return Sample{Tensor::of({2, 1}, std::vector<float>{static_cast<float>(index), 1.0F - static_cast<float>(index)})};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "numbers"; }
};

TEST(Schemes, WhatFindsNothingToDoSaysThatItChangedNothing) {
  struct Case {
    const char *scheme;
    Words words;
    const char *network;
  };
  const char *no_layer = "g (float[2,1] x) => (float[2,1] y) { y = Relu(x) }";
  const char *one_channel = "g (float[2,1] x) => (float[2,3] y) <float[1,3] w = {0.5, -1, 2}> { y = MatMul(x, w) }";
  const char *sums =
      "g (float[2,1] x) => (float[2,1] y) <float[2,1] dead = {1, 2}> { a = Add(x, x) b = Mul(a, x) c = Relu(b) "
      "d = Sub(a, a) y = Sigmoid(c) }";
  for (const auto &[scheme, words, network] : {Case{"round-weights", {"rate=0.001"}, no_layer},
                                               {"round-weights", {"max-size=100"}, no_layer},
                                               {"prune-second-order", {"prune=2:4"}, one_channel},
                                               {"prune-second-order", {"prune=0.5"}, no_layer},
                                               {"share-network", {"share=3", "share-codebook=network"}, one_channel},
                                               {"quantize-int8", {"int8"}, no_layer},
                                               {"quantize-int8", {"int8"}, sums},
                                               {"quantize-weights", {"weights=int4"}, no_layer}}) {
    SCOPED_TRACE(fmt::format("{} {}", scheme, fmt::join(words, " ")));
    Graph graph = parse_graph(network).value();
    ASSERT_TRUE(infer_types(graph, all_ops()));
    const std::string before = to_text(graph);
    const Noise samples;
    const auto report = run_scheme(scheme, graph, job_of(samples, words));
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->outcome.changed);
    EXPECT_EQ(to_text(graph), before);
  }
}

} // namespace
} // namespace edgec
