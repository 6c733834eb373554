// Shapes through whole graphs: what stays unknown, what symbols do, what is followed through shape computations.
#include <gtest/gtest.h>

#include "ir/opdef.h"
#include "ops/registry.h"

namespace edgec {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor ints(Ints values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::of({count}, std::move(values));
}

struct Builder {
  Graph graph;
  Builder() { graph.opsets[""] = 13; }

  ValueId input(Shape shape, DType dtype = DType::float32) {
    return graph.add_input("x" + std::to_string(graph.inputs().size()), Type::tensor(dtype, std::move(shape)));
  }
  ValueId op(std::string type, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {}, Type out = {}) {
    Node node{.op = std::move(type), .inputs = std::move(inputs), .attributes = std::move(attributes)};
    return graph.add_op(std::move(node), std::move(out));
  }
  ValueId constant(Ints values) { return graph.add_constant(ints(std::move(values))); }
  std::string infer(ValueId id) {
    const Status status = infer_types(graph, all_ops());
    return status ? to_string(graph.value(id).type) : status.error().message;
  }
};

const Shape batch_of_images{Dim::named("N"), Dim::known(3), Dim::known(4), Dim::known(5)};

TEST(Infer, SymbolsKeepTheirNames) {
  Builder b;
  const ValueId x = b.input(batch_of_images);
  const ValueId y = b.op("Concat", {b.op("Relu", {x}), x}, {{"axis", std::int64_t{1}}});
  EXPECT_EQ(b.infer(y), "float[N,6,4,5]");
}

TEST(Infer, NoExpressionIsInventedForSymbols) {
  Builder b;
  const ValueId x = b.input(batch_of_images);
  EXPECT_EQ(b.infer(b.op("Concat", {x, x}, {{"axis", std::int64_t{0}}})), "float[?,3,4,5]");
  EXPECT_EQ(b.infer(b.op("Flatten", {x}, {{"axis", std::int64_t{2}}})), "float[?,20]");
}

TEST(Infer, ReshapeFindsTheRestAndTheSymbol) {
  Builder b;
  const ValueId x = b.input(batch_of_images);
  EXPECT_EQ(b.infer(b.op("Reshape", {x, b.constant({-1, 60})})), "float[N,60]");
  EXPECT_EQ(b.infer(b.op("Reshape", {x, b.constant({0, -1})})), "float[N,60]");
  EXPECT_EQ(b.infer(b.op("Reshape", {x, b.constant({-1, 30})})), "float[?,30]");
}

TEST(Infer, ShapeComputationsAreFollowedWithTheirSymbols) {
  Builder b;
  const ValueId x = b.input(batch_of_images);
  const ValueId shape = b.op("Shape", {x});
  const ValueId n = b.op(
      "Unsqueeze", {b.op("Gather", {shape, b.graph.add_constant(Tensor::scalar<std::int64_t>(0))}), b.constant({0})});
  const ValueId target = b.op("Concat", {n, b.constant({-1})}, {{"axis", std::int64_t{0}}});
  EXPECT_EQ(b.infer(b.op("Reshape", {x, target})), "float[N,60]");
  const ValueId rest = b.op("Slice", {shape, b.constant({1}), b.constant({4})});
  EXPECT_EQ(b.infer(b.op("ConstantOfShape", {b.op("Mul", {rest, b.constant({2})})})), "float[6,8,10]");
}

TEST(Infer, UnknownStaysUnknown) {
  Builder b;
  const ValueId x = b.graph.add_input("x", Type::tensor(DType::float32)),
                shape = b.graph.add_input("s", Type::tensor(DType::int64, Shape{Dim::unknown()}));
  EXPECT_EQ(b.infer(b.op("Transpose", {x})), "float[]");
  EXPECT_EQ(b.infer(b.op("Reshape", {x, shape})), "float[]");
  EXPECT_EQ(b.infer(b.op("Add", {x, b.graph.add_constant(Tensor::scalar(1.0F))})), "float[]");
  EXPECT_EQ(b.infer(b.op("SomethingElse", {x})), "undefined[]");
}

TEST(Infer, WhatIsKnownAndMorePreciseIsKept) {
  Builder b;
  const ValueId x = b.input({Dim::unknown(), Dim::named("W")});
  EXPECT_EQ(b.infer(b.op("Relu", {x}, {}, Type::tensor(DType::float32, Shape{Dim::named("N"), Dim::known(8)}))),
            "float[N,8]");
}

TEST(Infer, ContradictionsNameTheNode) {
  Builder b;
  const ValueId x = b.input({Dim::known(2)});
  const ValueId y = b.op("Relu", {x}, {}, Type::tensor(DType::float32, Dims{3}));
  b.graph.set_node_name(b.graph.value(y).producer, "act");
  EXPECT_EQ(b.infer(y), "node act (Relu): its output was said to be float[3], but is float[2]");
}

TEST(Infer, QuantizedTypesStayAndTheirShapesAreRefined) {
  Builder b;
  const Quant quant = Quant::per_tensor(0.5F, 3);
  const ValueId x =
      b.graph.add_input("x", {Type::Kind::tensor, DType::uint8, Shape{Dim::known(1), Dim::known(4)}, quant, nullptr});
  const ValueId y = b.op(
      "Relu", {x}, {},
      {Type::Kind::tensor, DType::uint8, Shape{Dim::named("N"), Dim::known(4)}, Quant::per_tensor(0.25F, 0), nullptr});
  EXPECT_EQ(b.infer(y), "uint8[1,4]{0.25,0}");
  EXPECT_EQ(b.infer(b.op("Reshape", {x, b.constant({2, 2})})), "uint8[2,2]{0.5,3}")
      << "an operator that moves codes passes their scale on";
  EXPECT_EQ(b.infer(b.op("Sigmoid", {x})), "float[1,4]") << "others give reals";
}

TEST(Infer, SubGraphsNestedTooDeepAreRefused) {
  auto inner = std::make_shared<Graph>();
  const ValueId x = inner->add_capture("x", {});
  inner->add_output(inner->add_op({.op = "Relu", .inputs = {x}}, {}), "y");
  for (int depth = 0; depth < 40; ++depth) {
    auto outer = std::make_shared<Graph>();
    const ValueId captured = outer->add_capture("x", {});
    Node node{.op = "If",
              .inputs = {outer->add_constant(from_int64s(DType::boolean, {}, Ints{1}))},
              .captures = {captured, captured}};
    node.attributes = {{"then_branch", SubGraph(inner)}, {"else_branch", SubGraph(inner)}};
    if (depth > 0) node.attributes[1].value = SubGraph(std::make_shared<Graph>()), node.captures.pop_back();
    outer->add_output(outer->add_op(std::move(node), {}), "y");
    inner = outer;
  }
  Graph graph;
  graph.opsets[""] = 13;
  const ValueId outside = graph.add_input("x", Type::tensor(DType::float32, Dims{1}));
  Node node{
      .op = "If", .inputs = {graph.add_constant(from_int64s(DType::boolean, {}, Ints{1}))}, .captures = {outside}};
  node.attributes = {{"then_branch", SubGraph(inner)}, {"else_branch", SubGraph(std::make_shared<Graph>())}};
  graph.add_output(graph.add_op(std::move(node), {}), "y");
  const Status status = infer_types(graph, all_ops());
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("sub-graphs are nested deeper than 32"), std::string::npos)
      << status.error().message;
}

} // namespace
} // namespace edgec
