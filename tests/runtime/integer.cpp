// A plan's integer results are the reference's, bit for bit, whatever the instruction set.
#include <gtest/gtest.h>

#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec {
namespace {

template <class T>
Tensor random_codes(Random &random, Dims dims, int low, int high) {
  std::vector<T> codes(static_cast<std::size_t>(*element_count(dims)));
  for (T &code : codes)
    code = static_cast<T>(low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1))));
  return Tensor::of(std::move(dims), std::move(codes));
}

/// A quantized 3x3 convolution, an average pool and a Gemm with a float output, as the quantizer types them.
Graph quantized_network(Random &random) {
  Graph graph;
  graph.opsets = {{"", 13}};
  Type input = Type::tensor(DType::uint8, Dims{1, 16, 9, 9});
  input.quant = Quant::per_tensor(0.0173F, 11);
  const ValueId x = graph.add_input("x", input);
  const auto channels = [&](std::size_t count, int axis, float input_scale) {
    Quant weight{{}, std::vector<std::int32_t>(count, 0), axis, 0};
    for (std::size_t c = 0; c < count; ++c) weight.scales.push_back(static_cast<float>(random.uniform(0.001, 0.01)));
    Quant bias = weight;
    bias.axis = 0;
    for (float &scale : bias.scales) scale *= input_scale;
    return std::pair(weight, bias);
  };
  const auto quantized = [](Dims dims, float scale, int zero_point) {
    Type type = Type::tensor(DType::uint8, dims);
    type.quant = Quant::per_tensor(scale, zero_point);
    return type;
  };
  const auto [conv_scales, conv_bias_scales] = channels(24, 0, 0.0173F);
  Node conv{
      .op = "Conv",
      .inputs = {x, graph.add_constant(random_codes<std::int8_t>(random, {24, 16, 3, 3}, -127, 127), "w", conv_scales),
                 graph.add_constant(random_codes<std::int32_t>(random, {24}, -9000, 9000), "b", conv_bias_scales)},
      .attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}}};
  const ValueId hidden = graph.add_op(std::move(conv), quantized({1, 24, 9, 9}, 0.0291F, 97));
  Node pool{.op = "GlobalAveragePool", .inputs = {hidden}};
  const ValueId pooled = graph.add_op(std::move(pool), quantized({1, 24, 1, 1}, 0.0117F, 101));
  Node flatten{.op = "Flatten", .inputs = {pooled}};
  const ValueId flat = graph.add_op(std::move(flatten), quantized({1, 24}, 0.0117F, 101));
  const auto [gemm_scales, gemm_bias_scales] = channels(10, 0, 0.0117F);
  Node gemm{
      .op = "Gemm",
      .inputs = {flat, graph.add_constant(random_codes<std::int8_t>(random, {10, 24}, -127, 127), "v", gemm_scales),
                 graph.add_constant(random_codes<std::int32_t>(random, {10}, -9000, 9000), "c", gemm_bias_scales)},
      .attributes = {{"transB", std::int64_t{1}}}};
  graph.add_output(graph.add_op(std::move(gemm), Type::tensor(DType::float32, Dims{1, 10})), "y");
  graph.add_output(hidden, "hidden");
  return graph;
}

TEST(IntegerResults, AreTheReferencesOnEveryInstructionSet) {
  Random random(17);
  for (int round = 0; round < 20; ++round) {
    const Graph graph = quantized_network(random);
    const std::vector<Tensor> feeds{random_codes<std::uint8_t>(random, {1, 16, 9, 9}, 0, 255)};
    PlanOptions options;
    options.reference = true;
    auto expected = Runner(graph, all_ops(), options).run_tensors(feeds);
    ASSERT_TRUE(expected) << expected.error().message;
    options.reference = false;
    for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::vnni, Isa::amx}) {
      if (isa > detect_isa()) continue;
      options.isa = isa;
      auto found = Runner(graph, all_ops(), options).run_tensors(feeds);
      ASSERT_TRUE(found) << found.error().message;
      for (std::size_t i = 0; i < expected->size(); ++i)
        EXPECT_TRUE(identical((*found)[i], (*expected)[i])) << "output " << i << ", isa " << static_cast<int>(isa);
    }
  }
}

} // namespace
} // namespace edgec
