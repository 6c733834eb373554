#include "ir/graph.h"

#include <gtest/gtest.h>

namespace edgec {
namespace {

Node relu(ValueId input, ValueId output) {
  Node node{.op = "Relu", .inputs = {input}, .outputs = {output}};
  return node;
}

struct Chain {
  Graph graph;
  ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{4}));
  ValueId a = graph.add_value(Type::tensor(DType::float32));
  ValueId b = graph.add_value(Type::tensor(DType::float32));
  NodeId first = graph.add_node(relu(x, a));
  NodeId second = graph.add_node(relu(a, b));
  Chain() { graph.add_output(b, "y"); }
};

TEST(Graph, UsesFollowReplacedValues) {
  Chain chain;
  chain.graph.replace_uses(chain.a, chain.x);
  EXPECT_EQ(chain.graph.use_count(chain.a), 0U);
  EXPECT_EQ(chain.graph.node(chain.second).inputs.front(), chain.x);
  EXPECT_EQ(chain.graph.use_count(chain.x), 2U);
}

TEST(Graph, AnOutputKeepsItsNameWhenItsValueIsReplaced) {
  Chain chain;
  chain.graph.replace_uses(chain.b, chain.a);
  EXPECT_EQ(chain.graph.outputs().front().name, "y");
  EXPECT_EQ(chain.graph.outputs().front().value, chain.a);
  EXPECT_TRUE(chain.graph.remove_dead());
  EXPECT_FALSE(chain.graph.alive(chain.second));
  EXPECT_TRUE(chain.graph.alive(chain.first));
}

TEST(Graph, SortsNodesThatStandBeforeTheirOperands) {
  Graph graph;
  const ValueId x = graph.add_input("x", Type::tensor(DType::float32));
  const ValueId a = graph.add_value(Type::tensor(DType::float32));
  const ValueId b = graph.add_value(Type::tensor(DType::float32));
  const NodeId late = graph.add_node(relu(a, b));
  const NodeId early = graph.add_node(relu(x, a));
  ASSERT_TRUE(graph.sort());
  EXPECT_EQ(graph.nodes(), (std::vector<NodeId>{early, late}));
}

TEST(Graph, SortNamesACycle) {
  Graph graph;
  const ValueId a = graph.add_value(Type::tensor(DType::float32));
  const ValueId b = graph.add_value(Type::tensor(DType::float32));
  graph.add_node(relu(b, a));
  graph.add_node(relu(a, b));
  const Status status = graph.sort();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("cycle"), std::string::npos);
}

TEST(Graph, CompactKeepsEverythingAlive) {
  Chain chain;
  chain.graph.replace_uses(chain.a, chain.x);
  chain.graph.remove_dead();
  chain.graph.compact();
  EXPECT_EQ(chain.graph.node_bound(), 1U);
  EXPECT_EQ(chain.graph.value_bound(), 2U);
  EXPECT_EQ(chain.graph.node(chain.graph.nodes().front()).inputs.front(), chain.graph.inputs().front());
}

} // namespace
} // namespace edgec
