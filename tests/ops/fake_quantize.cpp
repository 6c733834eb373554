// FakeQuantize beside QuantizeLinear and DequantizeLinear, and its gradient beside the formula.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "kernels/isa.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/ops/run.h"

namespace edgec {
namespace {

/// Which scale element i takes, by axis and block.
struct Layouts {
  Dims dims, scales;
  int axis = -1;
  std::int64_t block = 0;

  [[nodiscard]] std::size_t of(std::int64_t i) const {
    if (axis < 0) return 0;
    std::int64_t inner = 1;
    for (std::size_t d = static_cast<std::size_t>(axis) + 1; d < dims.size(); ++d) inner *= dims[d];
    const std::int64_t size = dims[static_cast<std::size_t>(axis)], along = i / inner % size;
    if (block == 0) return static_cast<std::size_t>(along);
    const std::int64_t blocks = (size + block - 1) / block;
    return static_cast<std::size_t>((i / (inner * size) * blocks + along / block) * inner + i % inner);
  }
};

const Layouts layouts[] = {{{3, 50}, {}},           {{2, 3, 5}, {3}, 1},     {{4, 40}, {4}, 0},
                           {{6, 10}, {6, 3}, 1, 4}, {{10, 6}, {5, 6}, 0, 2}, {{2, 3, 4, 4}, {4}, 3}};

Tensor uniform(const Dims &dims, double low, double high, Random &random) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(random.uniform(low, high));
  return Tensor::of(dims, std::move(values));
}

/// An operator of edgec's domain by its reference and by its kernel, which must agree bit for bit.
std::vector<Tensor> run(const char *op, const Layouts &layout, float low, float high, std::vector<Tensor> inputs,
                        std::size_t outputs) {
  Node node{.op = op, .domain = "edgec", .attributes = {{"low", low}, {"high", high}}};
  if (layout.axis >= 0) node.attributes.push_back({"axis", std::int64_t{layout.axis}});
  if (layout.block > 0) node.attributes.push_back({"block_size", layout.block});
  const OpDef &def = *all_ops().find(node);
  std::vector<const Tensor *> operands;
  std::vector<Type> types, results;
  for (const Tensor &tensor : inputs) operands.push_back(&tensor), types.push_back(Type::of(tensor));
  const auto found = evaluate_node(def, node, 1, operands);
  EXPECT_TRUE(found) << found.error().message;
  std::vector<Tensor> expected;
  for (const RuntimeValue &value : *found) expected.push_back(*value.tensor);

  std::vector<const Type *> input_types, output_types;
  for (const Type &type : types) input_types.push_back(&type);
  for (std::size_t i = 0; i < outputs; ++i) results.push_back(Type::of(expected[i]));
  for (const Type &type : results) output_types.push_back(&type);
  const std::vector<const Tensor *> constants(inputs.size());
  const std::vector<Layout> plain(inputs.size(), Layout::plain);
  const auto kernel = def.prepare({.node = node,
                                   .opset = 1,
                                   .inputs = input_types,
                                   .constants = constants,
                                   .outputs = output_types,
                                   .layouts = plain,
                                   .followers = {},
                                   .isa = detect_isa()});
  EXPECT_TRUE(kernel) << kernel.error().message;
  std::vector<const std::byte *> from;
  std::vector<std::vector<std::byte>> to;
  std::vector<std::byte *> into;
  for (const Tensor &tensor : inputs) from.push_back(tensor.data.data());
  for (const Tensor &tensor : expected) to.emplace_back(tensor.data.size());
  for (auto &bytes : to) into.push_back(bytes.data());
  kernel->run({from, into, nullptr});
  for (std::size_t i = 0; i < outputs; ++i)
    EXPECT_TRUE(std::ranges::equal(to[i], std::span(expected[i].data.data(), expected[i].data.size()))) << i;
  return expected;
}

TEST(FakeQuantize, GivesWhatDequantizeLinearGivesOfTheCodes) {
  Random random(1);
  for (const Layouts &layout : layouts)
    for (const DType dtype : {DType::uint8, DType::int8, DType::uint4, DType::int4}) {
      const auto [low, high] = integer_range(dtype);
      const Tensor x = uniform(layout.dims, -3, 3, random), scale = uniform(layout.scales, 0.01, 0.5, random);
      Tensor zero = uniform(layout.scales, static_cast<double>(low), static_cast<double>(high), random);
      std::vector<std::int64_t> zeros;
      for (const float z : zero.as<float>()) zeros.push_back(std::lround(z));
      zero = from_doubles(DType::float32, layout.scales, std::vector<double>(zeros.begin(), zeros.end()));
      const auto found =
          run("FakeQuantize", layout, static_cast<float>(low), static_cast<float>(high), {x, scale, zero}, 1);
      Quant quant{to_floats(scale), {}, layout.axis, layout.block};
      quant.zero_points.assign(zeros.begin(), zeros.end());
      EXPECT_TRUE(identical(found[0], dequantize(quantize(x, dtype, quant), quant)));
    }
}

/// Esser et al. 2020, equations 2 and 3: rounding has the derivative 1, a clipped code none.
TEST(FakeQuantize, HasTheGradientOfLearnedSteps) {
  Random random(2);
  for (const Layouts &layout : layouts) {
    const Tensor x = uniform(layout.dims, -3, 3, random), scale = uniform(layout.scales, 0.05, 0.5, random),
                 zero = from_doubles(DType::float32, layout.scales,
                                     std::vector<double>(static_cast<std::size_t>(*element_count(layout.scales)), 2)),
                 dy = uniform(layout.dims, -1, 1, random);
    constexpr double low = -8, high = 7, z = 2;
    const auto found = run("FakeQuantizeGradient", layout, low, high, {x, scale, zero, dy}, 2);
    std::vector<double> steps(static_cast<std::size_t>(scale.size()));
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double code = static_cast<double>(x.as<float>()[at] / scale.as<float>()[layout.of(i)]);
      const bool inside = code >= low - z && code <= high - z;
      const double rounded = std::clamp(std::nearbyint(code), low - z, high - z), d = dy.as<float>()[at];
      EXPECT_EQ(found[0].as<float>()[at], inside ? dy.as<float>()[at] : 0);
      steps[layout.of(i)] += d * (inside ? rounded - code : rounded);
    }
    for (std::size_t k = 0; k < steps.size(); ++k) EXPECT_NEAR(found[1].as<float>()[k], steps[k], 1e-4);
  }
}

TEST(FakeQuantize, RefusesScalesAndZeroPointsThatDoNotFit) {
  Node node{.op = "FakeQuantize", .domain = "edgec"};
  const Tensor x = test::floats({2, 3}, std::vector<float>(6)), one = test::floats({1}, {1}),
               two = test::floats({2}, {1, 1}), none = test::floats({0}, {});
  for (const auto &operands : {std::vector{&x, &two}, std::vector{&x, &one, &two}, std::vector{&x, &one, &none}}) {
    const std::vector<const Tensor *> given(operands.begin(), operands.end());
    const auto found = evaluate_node(*all_ops().find(node), node, 1, given);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::bad_input);
  }
}

} // namespace
} // namespace edgec
