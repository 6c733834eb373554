#include <gtest/gtest.h>

#include <array>

#include <fmt/format.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec {
namespace {

/// Of starts, ends, axes and steps those whose bit is set are inputs, whose numbers are known only when it runs.
Graph slice(const std::array<std::int64_t, 4> &numbers, unsigned given) {
  constexpr std::array<const char *, 4> names{"starts", "ends", "axes", "steps"};
  std::string inputs = "float[5,7] x", constants;
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((given >> i & 1U) != 0)
      inputs += fmt::format(", int64[1] {}", names[i]);
    else
      constants += fmt::format("{}int64[1] {} = {{{}}}", constants.empty() ? "" : ", ", names[i], numbers[i]);
  const std::string block = constants.empty() ? "" : fmt::format("<{}>", constants);
  auto graph = parse_graph(fmt::format("<opset_import: [\"\" : 17]> g ({}) => (float[N,M] y) {} {{ "
                                       "y = Slice(x, starts, ends, axes, steps) }}",
                                       inputs, block));
  EXPECT_TRUE(graph) << graph.error().message;
  return *graph;
}

TEST(Slice, AnyOfItsBoundsMayBeKnownOnlyWhenItRuns) {
  Random random(4);
  for (unsigned given = 0; given < 16; ++given) {
    const auto axis = static_cast<std::int64_t>(random.below(2));
    const std::array<std::int64_t, 4> numbers{static_cast<std::int64_t>(random.below(3)),
                                              static_cast<std::int64_t>(3 + random.below(3)), axis,
                                              static_cast<std::int64_t>(1 + random.below(2))};
    SCOPED_TRACE(given);
    std::vector<float> values(35);
    for (float &x : values) x = static_cast<float>(random.normal());
    std::vector<Tensor> all{Tensor::of<float>({5, 7}, values)};
    std::vector<Tensor> inputs = all;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if ((given >> i & 1U) != 0) inputs.push_back(Tensor::of<std::int64_t>({1}, {numbers[i]}));
    Graph graph = slice(numbers, given);
    const Status types = infer_types(graph, all_ops());
    ASSERT_TRUE(types) << types.error().message;
    const auto wanted = Runner(slice(numbers, 0), all_ops(), {}).run_tensors(all);
    const auto found = Runner(graph, all_ops(), {}).run_tensors(inputs);
    ASSERT_TRUE(wanted) << wanted.error().message;
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->front().dims, wanted->front().dims);
    EXPECT_EQ(to_floats(found->front()), to_floats(wanted->front()));
  }
}

} // namespace
} // namespace edgec
