#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compress/kmeans.h"
#include "formats/onnx/onnx.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

using ::testing::HasSubstr;

/// A MatMul of 64 x 64 normal weights, half of them zero, and one of 64 x 1.
Graph network(std::int64_t opset) {
  Random random(3);
  Graph graph;
  graph.name = "g";
  graph.opsets[""] = opset;
  ValueId at = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 64}));
  for (const std::int64_t columns : {64, 1}) {
    std::vector<float> numbers(static_cast<std::size_t>(64 * columns));
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = i % 2 == 0 ? 0.0F : static_cast<float>(random.normal());
    Node node{.op = "MatMul", .name = "layer" + std::to_string(columns)};
    node.origins = {node.name};
    node.inputs = {at, graph.add_constant(Tensor::of({64, columns}, numbers), "w" + std::to_string(columns))};
    at = graph.add_op(node, Type::tensor(DType::float32, Dims{1, columns}));
  }
  graph.add_output(at, "y");
  return graph;
}

std::vector<PassNote> share(Graph &graph, int bits) {
  std::vector<PassNote> notes;
  Job job{{.ops = all_ops(), .note = [&](const PassNote &note) { notes.push_back(note); }}};
  job.settings = settings_of({fmt::format("share={}", bits)});
  const auto report = run_scheme("share-weights", graph, job);
  EXPECT_TRUE(report) << report.error().message;
  return notes;
}

const Node &maker_of_weight(const Graph &graph) {
  for (const NodeId id : graph.nodes())
    if (graph.node(id).name == "layer64") return *graph.producer(graph.node(id).inputs[1]);
  ADD_FAILURE();
  std::abort();
}

TEST(ShareWeights, BecomeACodebookAndIndices) {
  const Graph before = network(21);
  for (const int bits : {2, 4, 5, 8}) {
    Graph graph = before;
    const auto notes = share(graph, bits);
    const Node &gather = maker_of_weight(graph);
    ASSERT_TRUE(gather.is("Gather"));
    const Node &cast = *graph.producer(gather.inputs[1]);
    ASSERT_TRUE(cast.is("Cast"));
    const Tensor &codebook = *graph.constant(gather.inputs[0]);
    const Tensor &indices = *graph.constant(cast.inputs[0]);
    EXPECT_EQ(indices.dtype, bits <= 4 ? DType::uint4 : DType::uint8);
    EXPECT_LE(codebook.size(), 1 << bits);
    const auto numbers = to_floats(*before.constant(before.node(before.nodes()[0]).inputs[1]));
    const Codebook book = kmeans_codebook(numbers, bits);
    EXPECT_EQ(to_floats(codebook), book.values);
    EXPECT_EQ(to_int64s(indices), std::vector<std::int64_t>(book.codes.begin(), book.codes.end()));
    ASSERT_EQ(notes.size(), 2U);
    EXPECT_THAT(notes[0].text, HasSubstr("4096 weights share"));
    EXPECT_TRUE(notes[1].skipped); // 256 bytes of the small layer would not shrink
    EXPECT_EQ(notes[1].node, "layer1");
    for (std::size_t i = 0; i < numbers.size(); i += 2) ASSERT_EQ(book.values[book.codes[i]], 0);
  }
}

TEST(ShareWeights, OlderOpsetsGetEightBits) {
  Graph graph = network(13);
  const auto notes = share(graph, 4);
  EXPECT_EQ(graph.constant(graph.producer(maker_of_weight(graph).inputs[1])->inputs[0])->dtype, DType::uint8);
  EXPECT_EQ(notes.back().text, "indices take 8 bits, opset 13 has no 4-bit type");
}

TEST(ShareWeights, TheFileShrinks) {
  Model model;
  model.ir_version = 10;
  model.graph = network(21);
  const auto before = serialize_onnx(model, {});
  share(model.graph, 4);
  const auto after = serialize_onnx(model, {});
  ASSERT_TRUE(before && after) << after.error().message;
  EXPECT_LT(after->size(), before->size() - 4096 * 3);
}

} // namespace
} // namespace edgec
