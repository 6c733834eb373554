// What kernels are given: an address of whatever is there, null for what is left out.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ir/graph.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

/// Tells of each of its operands whether it has an address.
const OpDef addresses{.name = "Addresses",
                      .infer = [](const InferArgs &args) -> Result<std::vector<Type>> {
                        return std::vector<Type>{
                            Type::tensor(DType::uint8, Dims{static_cast<std::int64_t>(args.inputs.size())})};
                      },
                      .prepare = [](const PrepareArgs &) -> Result<Kernel> {
                        Kernel kernel;
                        kernel.run = [](const KernelIo &io) {
                          for (std::size_t i = 0; i < io.inputs.size(); ++i)
                            io.outputs[0][i] = static_cast<std::byte>(io.inputs[i] != nullptr);
                        };
                        return kernel;
                      }};

TEST(Operands, HaveAnAddressUnlessTheyAreLeftOut) {
  const OpRegistry ops({&addresses});
  for (const Dims &dims : {Dims{}, Dims{3}, Dims{0}, Dims{2, 0}, Dims{0, 4, 5}}) {
    const std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
    Graph graph;
    graph.opsets = {{"", 17}};
    Node node{.op = "Addresses",
              .inputs = {graph.add_input("x", Type::tensor(DType::float32, dims)), ValueId(),
                         graph.add_constant(Tensor::of(dims, values), "c")}};
    graph.add_output(graph.add_op(std::move(node), Type::tensor(DType::uint8, Dims{3})), "y");
    const std::vector<Tensor> feeds{Tensor::of(dims, values)};
    const auto found = Runner(graph, ops, {}).run_tensors(feeds);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(to_int64s(found->front()), (std::vector<std::int64_t>{1, 0, 1}))
        << fmt::format("[{}]", fmt::join(dims, ","));
  }
}

} // namespace
} // namespace edgec
