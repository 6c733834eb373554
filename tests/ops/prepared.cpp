// Prepared kernels of weighted operators against their definitions.
#include <cmath>
#include <cstdlib>

#include <gmock/gmock.h>

#include "kernels/isa.h"
#include "support/random.h"
#include "tests/ops/evaluate.h"

namespace edgec {
namespace {

using test::evaluate;
using test::node_of;
using test::Operand;

/// Prepares the node with all operands but the first `fed` as constants, and runs it on row-major operands.
Result<Tensor> run_prepared(const Node &node, const std::vector<Operand> &operands, std::size_t fed,
                            const Type &output) {
  std::vector<Type> types;
  std::vector<const Type *> inputs;
  std::vector<const Tensor *> constants;
  for (const Operand &operand : operands) types.push_back(operand.type());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    inputs.push_back(&types[i]);
    constants.push_back(i < fed ? nullptr : &operands[i].tensor);
  }
  const Type *const outputs[] = {&output};
  const std::vector<Layout> layouts(operands.size(), Layout::plain);
  EDGEC_ASSIGN(const Kernel kernel, all_ops().find(node)->prepare({.node = node,
                                                                   .opset = 17,
                                                                   .inputs = inputs,
                                                                   .constants = constants,
                                                                   .outputs = outputs,
                                                                   .layouts = layouts,
                                                                   .followers = {},
                                                                   .isa = apply_isa_limit(detect_isa()),
                                                                   .threads = 2}));
  for (const Layout layout : kernel.inputs) EXPECT_EQ(layout, Layout::plain) << "this test feeds rows";
  std::vector<const std::byte *> bytes;
  for (const Operand &operand : operands) bytes.push_back(operand.tensor.data.data());
  std::vector<std::byte> y(byte_size(output.dtype, *element_count(*output.concrete())));
  const std::unique_ptr<std::byte, decltype(&std::free)> scratch(
      static_cast<std::byte *>(std::aligned_alloc(64, (kernel.scratch_bytes + 127) / 64 * 64)), &std::free);
  std::byte *const out[] = {y.data()};
  kernel.run({bytes, out, scratch.get()});
  return Tensor::of_bytes(output.dtype, *output.concrete(), std::move(y));
}

Tensor random_tensor(Random &random, DType dtype, Dims dims) {
  std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
  const IntegerRange range = is_float(dtype) ? IntegerRange{} : integer_range(dtype);
  for (double &value : values)
    value = is_float(dtype)
                ? random.normal()
                : static_cast<double>(range.low) +
                      static_cast<double>(random.below(static_cast<std::uint64_t>(range.high - range.low + 1)));
  return from_doubles(dtype, std::move(dims), values);
}

Quant random_quant(Random &random, DType dtype, std::int64_t channels, int axis) {
  Quant quant{.axis = axis};
  for (std::int64_t c = 0; c < channels; ++c) {
    quant.scales.push_back(static_cast<float>(random.uniform(0.01, 0.1)));
    quant.zero_points.push_back(axis >= 0 ? 0
                                          : static_cast<std::int32_t>(integer_range(dtype).low) +
                                                static_cast<std::int32_t>(random.below(256)));
  }
  return quant;
}

void expect_same(const Node &node, const std::vector<Operand> &operands, std::size_t fed, Type output) {
  const auto expected = evaluate(node, operands, output);
  ASSERT_TRUE(expected) << expected.error().message;
  output.shape = Type::of(*expected).shape;
  const auto found = run_prepared(node, operands, fed, output);
  ASSERT_TRUE(found) << found.error().message;
  if (operands[0].quant) {
    ASSERT_TRUE(identical(*found, *expected));
    return;
  }
  const auto a = found->as<float>(), b = expected->as<float>();
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-3);
}

TEST(Prepared, GemmWithConstantMatrix) {
  Random random(5);
  for (int round = 0; round < 40; ++round) {
    const auto m = static_cast<std::int64_t>(1 + random.below(9)), n = static_cast<std::int64_t>(1 + random.below(70)),
               k = static_cast<std::int64_t>(1 + random.below(90));
    const bool trans = random.below(2), integer = random.below(2), real = random.below(2);
    const Node node = node_of(
        "Gemm", {{"transB", std::int64_t{trans}}, {"alpha", round % 3 ? 1.0F : 0.5F}, {"beta", integer ? 1.0F : 2.0F}});
    const Dims b = trans ? Dims{n, k} : Dims{k, n};
    Type output = Type::tensor(DType::float32);
    if (!integer) {
      expect_same(node,
                  {{random_tensor(random, DType::float32, {m, k})},
                   {random_tensor(random, DType::float32, b)},
                   {random_tensor(random, DType::float32, {n})}},
                  1, output);
    } else {
      const DType dtype = random.below(2) ? DType::uint8 : DType::int8;
      if (!real) output = {.dtype = dtype, .quant = Quant::per_tensor(1.5F, 3)};
      std::vector<std::int32_t> bias(static_cast<std::size_t>(n));
      for (auto &value : bias) value = static_cast<std::int32_t>(random.below(20000)) - 10000;
      expect_same(node,
                  {{random_tensor(random, dtype, {m, k}), random_quant(random, dtype, 1, -1)},
                   {random_tensor(random, DType::int8, b), random_quant(random, DType::int8, n, trans ? 0 : 1)},
                   {Tensor::of({n}, std::move(bias))}},
                  1, output);
    }
    if (HasFatalFailure()) FAIL() << m << " " << k << " " << n << " " << trans << integer << real;
  }
}

TEST(Prepared, MatMulOfConstantsAndOfActivations) {
  Random random(6);
  for (int round = 0; round < 40; ++round) {
    const auto m = static_cast<std::int64_t>(1 + random.below(9)), n = static_cast<std::int64_t>(1 + random.below(70)),
               k = static_cast<std::int64_t>(1 + random.below(50));
    const bool constant = random.below(2), integer = random.below(2), batched = random.below(2);
    const Dims a{2, m, k}, b = batched ? Dims{2, k, n} : Dims{k, n};
    Type output = Type::tensor(DType::float32);
    const Node node = node_of("MatMul", {});
    if (!integer) {
      expect_same(node, {{random_tensor(random, DType::float32, a)}, {random_tensor(random, DType::float32, b)}},
                  constant ? 1 : 2, output);
    } else {
      const DType dtype = random.below(2) ? DType::uint8 : DType::int8,
                  other = random.below(2) ? DType::uint8 : DType::int8;
      if (random.below(2)) output = {.dtype = dtype, .quant = Quant::per_tensor(0.5F, 3)};
      expect_same(node,
                  {{random_tensor(random, dtype, a), random_quant(random, dtype, 1, -1)},
                   {random_tensor(random, other, b), random_quant(random, other, 1, -1)}},
                  constant ? 1 : 2, output);
    }
    if (HasFatalFailure()) FAIL() << m << " " << k << " " << n << " " << constant << integer << batched;
  }
}

} // namespace
} // namespace edgec
