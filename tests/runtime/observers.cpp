// Observers see every value that a plan was asked to keep, once a run, also those that no input reaches.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

/// Values named x... come from the input, those named c... from constants alone.
constexpr const char *network = R"(<opset_import: ["" : 13]>
g (float[1,2,3] x) => (float[1,2,3] x3)
<float[1,2,3] k = {1, -2, 3, -4, 5, -6}, float[2,2,1] w = {1, 2, 3, 4}, float[2] b = {1, 1}>
{
  c1 = Relu(k)
  c2 = ConvTranspose(c1, w, b)
  c3 = Neg(c2)
  x1 = Relu(x)
  x2 = Conv(x1, w, b)
  x3 = Add(x2, c3)
}
)";

ValueId named(const Graph &graph, const std::string &name) {
  for (const NodeId id : graph.nodes())
    for (const ValueId output : graph.node(id).outputs)
      if (graph.value(output).name == name) return output;
  return {};
}

TEST(Observers, SeeWhatIsKeptWhetherAnInputReachesItOrNot) {
  const std::vector<std::string> names{"c1", "c2", "c3", "x1", "x2", "x3"};
  auto graph = parse_graph(network);
  ASSERT_TRUE(graph) << graph.error().message;
  ASSERT_TRUE(infer_types(*graph, all_ops()));
  const std::vector<RuntimeValue> feeds{Tensor::of<float>({1, 2, 3}, {1, 2, 3, -1, -2, -3})};
  for (unsigned chosen = 1; chosen < 1U << names.size(); ++chosen) {
    PlanOptions options;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (chosen >> i & 1U) options.keep.push_back(named(*graph, names[i]));
    PlanOptions fetching = options;
    fetching.fetches = options.keep;
    Runner runner(*graph, all_ops(), options), reference(*graph, all_ops(), fetching);
    const auto expected = reference.run(feeds);
    ASSERT_TRUE(expected) << expected.error().message;
    std::map<ValueId, std::vector<float>> seen;
    ASSERT_TRUE(runner.run(feeds, 0, [&](const ValueView &view) {
      EXPECT_EQ(view.type.dtype, DType::float32);
      const auto *data = reinterpret_cast<const float *>(view.data);
      std::vector<float> sorted(data, data + *element_count(view.dims)); // in whatever layout
      std::ranges::sort(sorted);
      EXPECT_TRUE(seen.emplace(view.id, sorted).second) << "shown twice";
    }));
    for (std::size_t i = 0; i < options.keep.size(); ++i) {
      const auto wanted = (*expected)[i].tensor->as<float>();
      std::vector<float> sorted(wanted.begin(), wanted.end());
      std::ranges::sort(sorted);
      ASSERT_TRUE(seen.contains(options.keep[i])) << graph->value(options.keep[i]).name;
      EXPECT_EQ(seen[options.keep[i]], sorted) << graph->value(options.keep[i]).name;
    }
  }
}

} // namespace
} // namespace edgec
