#include "job/latency_search.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "kernels/isa.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "schemes/int8/options.h"
#include "schemes/prune/options.h"
#include "support/random.h"

namespace edgec {
namespace {

class Pictures : public SampleSet {
public:
  std::size_t size() const override { return 12; }
  std::string label(std::size_t index) const override { return std::to_string(index); }
  std::string description() const override { return "noise"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(3 * 32 * 32);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({1, 3, 32, 32}, std::move(values))};
  }
};

/// Two convolutions of which the second has nearly all the work.
Graph convolutions() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,3,32,32] x, float[40,3,3,3] a, float[40,40,3,3] b, float[10,40] c) => (float[1,10] y) {
      p = Conv<pads = [1, 1, 1, 1]>(x, a)  q = Relu(p)
      r = Conv<pads = [1, 1, 1, 1]>(q, b)  s = Relu(r)
      t = GlobalAveragePool(s)  u = Flatten(t)  y = Gemm<transB = 1>(u, c)
    })")
                    .value();
  Random random(7);
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
    for (double &value : values) value = 0.2 * random.normal();
    graph.replace_uses(inputs[i], graph.add_constant(from_doubles(DType::float32, dims, values)));
    graph.remove(inputs[i]);
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

LatencyChoice choice(double budget_ms) {
  Dataset data;
  data.samples = std::make_unique<Pictures>();
  for (std::size_t i = 0; i < data.samples->size(); ++i) data.indices.push_back(i);
  auto found = choose_for_latency(convolutions(), {.isa = detect_isa()}, data, budget_ms);
  EXPECT_TRUE(found) << found.error().message;
  return *std::move(found);
}

TEST(LatencySearch, LeavesWhatIsFastEnough) {
  const LatencyChoice found = choice(1e6);
  EXPECT_TRUE(found.flags.empty());
  EXPECT_FALSE(found.tried.changed);
  ASSERT_EQ(found.tried.notes.size(), 1U);
  EXPECT_FALSE(found.tried.notes[0].skipped);
}

TEST(LatencySearch, CutsAllItMayWhereNothingIsFastEnough) {
  const LatencyChoice found = choice(1e-6);
  ASSERT_FALSE(found.flags.empty());
  EXPECT_EQ(found.flags.back(), TypedFlag("prune-channels", "0.9"));
  EXPECT_DOUBLE_EQ(*found.settings.get<ChannelOptions>().share, 0.9);
  for (const NoteFigures &tried : found.tried.notes) EXPECT_TRUE(tried.skipped) << tried.text;
  EXPECT_EQ(found.settings.get<Int8Options>().wanted(), found.flags.front().first == "int8");
}

} // namespace
} // namespace edgec
