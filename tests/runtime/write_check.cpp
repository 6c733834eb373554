// What a step gives out and did not write is found, whatever it computes.
#include "runtime/write_check.h"

#include <cstring>
#include <vector>

#include <gmock/gmock.h>

#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

/// Writes `value` to all elements of 13 but number `hole`.
template <class T>
Status write_but(std::size_t hole, T value) {
  std::vector<T> elements(13);
  const auto bytes = std::as_writable_bytes(std::span(elements));
  const CheckedOutput output{bytes, sizeof(T)};
  return run_checked(std::span(&output, 1), {}, [&] {
    for (std::size_t i = 0; i < elements.size(); ++i)
      if (i != hole) elements[i] = value;
  });
}

template <class T>
void expect_every_hole_is_found() {
  for (std::size_t hole = 0; hole < 13; ++hole)
    for (int value = 0; value < 256; ++value) {
      std::array<std::byte, sizeof(T)> bytes;
      bytes.fill(static_cast<std::byte>(value));
      const Status found = write_but(hole, std::bit_cast<T>(bytes));
      ASSERT_FALSE(found) << hole << " " << value;
      EXPECT_EQ(found.error().code, Code::internal);
      EXPECT_EQ(found.error().message, "element " + std::to_string(hole) + " of output 0 was not written");
      ASSERT_TRUE(write_but(13, std::bit_cast<T>(bytes))) << value;
    }
}

TEST(RunChecked, FindsTheElementThatWasNotWrittenWhateverTheOthersHold) {
  expect_every_hole_is_found<float>();
  expect_every_hole_is_found<std::uint8_t>();
  expect_every_hole_is_found<std::uint16_t>();
  expect_every_hole_is_found<std::int64_t>();
}

TEST(RunChecked, ScratchIsPoisonedToo) {
  std::vector<float> scratch(4, 1), y(4);
  const CheckedOutput output{std::as_writable_bytes(std::span(y)), sizeof(float)};
  ASSERT_TRUE(run_checked(std::span(&output, 1), std::as_writable_bytes(std::span(scratch)), [&] {
    for (std::size_t i = 0; i < 4; ++i) y[i] = scratch[i] + 1;
  }));
  EXPECT_THAT(y, testing::Each(testing::IsNan()));
}

TEST(CheckedPlan, NamesTheNodeWhoseKernelLeavesElementsUnwritten) {
  const OpDef half{
      .name = "Half",
      .infer = [](const InferArgs &args) -> Result<std::vector<Type>> { return std::vector<Type>{*args.input(0)}; },
      .prepare = [](const PrepareArgs &) -> Result<Kernel> {
        Kernel kernel;
        kernel.description = "half";
        kernel.run = [](const KernelIo &io) { std::memcpy(io.outputs[0], io.inputs[0], 2 * sizeof(float)); };
        return kernel;
      }};
  const OpRegistry ops({&half});
  Graph graph;
  graph.opsets = {{"", 17}};
  Node node{.op = "Half", .name = "it", .inputs = {graph.add_input("x", Type::tensor(DType::float32, Dims{4}))}};
  graph.add_output(graph.add_op(std::move(node), Type::tensor(DType::float32, Dims{4})), "y");
  PlanOptions options;
  options.check_writes = true;
  const std::vector<Tensor> feeds{Tensor::of(Dims{4}, std::vector<float>{1, 2, 3, 4})};
  const auto found = Runner(graph, ops, options).run_tensors(feeds);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::internal);
  EXPECT_EQ(found.error().message, "node it (half): element 2 of output 0 was not written");
}

} // namespace
} // namespace edgec
