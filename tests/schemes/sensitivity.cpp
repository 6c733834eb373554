#include "schemes/fitting/sensitivity.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

class Rows : public SampleSet {
public:
  std::size_t size() const override { return 16; }
  std::string label(std::size_t index) const override { return "row " + std::to_string(index); }
  std::string description() const override { return "rows"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(8);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({1, 8}, std::move(values))};
  }
};

/// x -> first -> y; y and second(y) add up; third gives the logits.
Graph network() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,8] x) => (float[1,2] z)
    <float[8,2] a = {1,0, 0,1, 1,1, 0,0, 1,-1, 0,1, 1,0, 1,2}, float[2,2] b = {3,0, 0,3}, float[2,2] c = {1,0, 0,2}> {
      [first] y = MatMul(x, a)
      [second] u = MatMul(y, b)
      s = Add(u, y)
      [third] z = MatMul(s, c)
    })")
                    .value();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

Result<std::map<NodeId, double>> sensitivities(const Graph &graph, int threads) {
  const Rows rows;
  Job job = job_of(rows);
  job.threads = threads;
  std::vector<NodeId> layers;
  for (const NodeId id : graph.nodes())
    if (graph.node(id).is("MatMul")) layers.push_back(id);
  return layer_sensitivities(graph, layers, job);
}

TEST(Sensitivity, IsTheGainFromALayerToTheCentredLogits) {
  const Graph graph = network();
  const auto found = sensitivities(graph, 1);
  ASSERT_TRUE(found) << found.error().message;
  const std::vector<NodeId> nodes = graph.nodes();
  // An error n of the last layer's outputs costs (n0 - 2 n1)^2 / 2 with gains 1 and 2, n0^2 + n1^2 being its size:
  // between nothing and 2.5 times that, as the noise happens to fall. What the first layer gives arrives four times as
  // large.
  EXPECT_GT(found->at(nodes[3]), 0);
  EXPECT_LE(found->at(nodes[3]), 1.01); // gains 1 and 1: all but the mean
  EXPECT_GT(found->at(nodes[1]), 0.1);
  EXPECT_LE(found->at(nodes[1]), 2.51);
  EXPECT_GT(found->at(nodes[0]), 16 * 0.1);
  EXPECT_LE(found->at(nodes[0]), 16 * 2.51);
}

TEST(Sensitivity, SameForAnyNumberOfThreads) {
  const Graph graph = network();
  EXPECT_EQ(*sensitivities(graph, 1), *sensitivities(graph, 3));
}

TEST(Sensitivity, NothingToJudgeByIsAnError) {
  const Graph graph = network();
  EXPECT_FALSE(layer_sensitivities(graph, {}, Job{{.ops = all_ops()}}));
}

} // namespace
} // namespace edgec
