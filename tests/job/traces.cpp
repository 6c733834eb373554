#include "job/traces.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

const Metadata traces{{"pkg.torch.onnx.stack_trace", "File \"/home/someone/net.py\", line 3"},
                      {"pkg.onnxscript.rewriter.rule_name", "Fuse"},
                      {"namespace", ": Net/fc: torch.nn.Linear"}};
const Metadata own{{"namespace of mine", "kept"}, {"pkg", "kept"}};

/// Both, in any order.
Metadata mixed(Random &random) {
  Metadata all = traces;
  all.insert(all.end(), own.begin(), own.end());
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
  return all;
}

/// Puts metadata beside everything that has some; its traces' bytes.
std::size_t annotate(Graph &graph, Random &random) {
  std::size_t one = 0, count = 1;
  for (const auto &[key, value] : traces) one += key.size() + value.size();
  graph.metadata = mixed(random);
  for (const NodeId id : graph.nodes()) {
    Node noted = graph.node(id);
    noted.metadata = mixed(random);
    graph.set_history(id, noted);
    ++count;
  }
  for (const ValueId id : graph.values()) {
    graph.set_metadata(id, mixed(random), "doc");
    ++count;
  }
  return one * count;
}

void expect_own(const Graph &graph) {
  const auto sorted = [](Metadata metadata) {
    std::ranges::sort(metadata);
    return metadata;
  };
  EXPECT_EQ(sorted(graph.metadata), sorted(own));
  for (const NodeId id : graph.nodes()) EXPECT_EQ(sorted(graph.node(id).metadata), sorted(own));
  for (const ValueId id : graph.values()) {
    EXPECT_EQ(sorted(graph.value(id).metadata), sorted(own));
    EXPECT_EQ(graph.value(id).doc, "doc");
  }
}

TEST(Traces, GoFromNodesValuesAndGraphsAndNothingElseDoes) {
  Graph graph = parse_graph(R"(g (float[2] x, bool b) => (float[2] z) <float[2] w = {1, 2}> {
    y = Mul(x, w)
    z = If(b) <then_branch = t () => (float[2] p) { p = Neg(y) }, else_branch = e () => (float[2] q) { q = Abs(y) }>
  })")
                    .value();
  Random random(1);
  std::size_t bytes = annotate(graph, random);
  const NodeId branches = graph.nodes().back();
  for (const char *name : {"then_branch", "else_branch"}) {
    Graph body = **graph.node(branches).get<SubGraph>(name);
    bytes += annotate(body, random);
    graph.set_subgraph(branches, name, std::make_shared<const Graph>(std::move(body)), graph.node(branches).captures);
  }
  const std::string text = to_text(graph);
  EXPECT_EQ(drop_traces(graph), bytes);
  EXPECT_EQ(to_text(graph), text);
  expect_own(graph);
  for (const char *name : {"then_branch", "else_branch"})
    expect_own(**graph.node(graph.nodes().back()).get<SubGraph>(name));
  EXPECT_EQ(drop_traces(graph), 0U);
}

} // namespace
} // namespace edgec
