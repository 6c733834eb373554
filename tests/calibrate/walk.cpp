// A walk keeps what a plain run of the network gives, and observes values of every type as they are.
#include "calibrate/walk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr std::size_t samples = 7;

class Images : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return samples; }
  [[nodiscard]] std::string label(std::size_t index) const override { return fmt::format("image {}", index); }
  [[nodiscard]] std::string description() const override { return "images"; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(100 + index);
    std::vector<float> values(2 * 3 * 5 * 5);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({2, 3, 5, 5}, std::move(values))};
  }
};

Graph parsed(const std::string &text) {
  Graph graph = parse_graph("<opset_import: [\"\" : 21]> " + text).value();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

std::vector<std::size_t> all_samples() {
  std::vector<std::size_t> which(samples);
  for (std::size_t i = 0; i < samples; ++i) which[i] = i;
  return which;
}

ValueId named(const Graph &graph, std::string_view name) {
  for (const ValueId id : graph.values())
    if (graph.value(id).name == name) return id;
  ADD_FAILURE() << name;
  return {};
}

/// What the definition says: of all positions of a channel the sum, and how many lie strictly inside.
ChannelObservation defined(const Graph &graph, ValueId value, double low, double high) {
  ChannelObservation all;
  const Images images;
  for (std::size_t i = 0; i < samples; ++i) {
    Runner runner(graph, all_ops(), {});
    const Tensor found = runner.run_tensors(images.load(i).value()).value()[0];
    const std::vector<double> numbers = to_doubles(found);
    const auto channels = static_cast<std::size_t>(found.dims[1]),
               positions = numbers.size() / channels / static_cast<std::size_t>(found.dims[0]);
    all.sum.resize(channels);
    all.inside.resize(channels);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      all.sum[k / positions % channels] += numbers[k];
      all.inside[k / positions % channels] += numbers[k] > low && numbers[k] < high ? 1 : 0;
    }
    all.positions += static_cast<double>(numbers.size()) / static_cast<double>(channels);
  }
  EXPECT_EQ(graph.outputs()[0].value, value);
  return all;
}

TEST(Walk, ObservesEveryTypeOfCodes) {
  const std::tuple<const char *, double, double> types[] = {
      {"uint8", 0, 255}, {"int8", -128, 127}, {"uint16", 0, 65535}, {"int16", -32768, 32767}};
  for (const auto &[type, low, high] : types)
    for (const int threads : {1, 3}) {
      const Graph graph = parsed(fmt::format("g (float[2,3,5,5] x) => ({0}[2,3,5,5] y) <float s = {{{1}}}, {0} z = "
                                             "{{{2}}}> {{ r = Relu(x) y = QuantizeLinear(r, s, z) }}",
                                             type, high > 255 ? 1e-4 : 0.01, low < 0 ? 0 : 3));
      const ValueId y = named(graph, "y");
      const Images images;
      Walk walk(graph, all_ops(), images, all_samples(), {graph.inputs()[0]},
                {.threads = threads, .isa = detect_isa()});
      ASSERT_TRUE(walk.advance());
      const auto seen = walk.observe({{y, {}}});
      ASSERT_TRUE(seen) << seen.error().message;
      const ChannelObservation wanted = defined(graph, y, low, high);
      EXPECT_EQ(seen->at(y).sum, wanted.sum) << type;
      EXPECT_EQ(seen->at(y).inside, wanted.inside) << type;
      EXPECT_EQ(seen->at(y).positions, wanted.positions) << type;
    }
}

TEST(Walk, RefusesTypesThatHaveNoSum) {
  const Graph graph = parsed("g (float[2,3,5,5] x) => (bool[2,3,5,5] y) { y = Less(x, x) }");
  const Images images;
  Walk walk(graph, all_ops(), images, all_samples(), {graph.inputs()[0]}, {});
  ASSERT_TRUE(walk.advance());
  const auto seen = walk.observe({{named(graph, "y"), {}}});
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::internal);
}

TEST(Walk, KeepsWhatAPlainRunGives) {
  const Graph graph = parsed("g (float[2,3,5,5] x) => (float[2,3,5,5] z, float[2,3,5,5] a, float[2,3,5,5] b) { a = "
                             "Tanh(x) b = Mul(a, a) c = Add(b, x) z = Neg(c) }");
  const ValueId a = named(graph, "a"), b = named(graph, "b");
  const Images images;
  for (const bool hold : {false, true}) {
    Walk walk(graph, all_ops(), images, all_samples(), {b, a}, {.threads = 2, .isa = detect_isa(), .hold = hold});
    EXPECT_EQ(walk.stops(), (std::vector<ValueId>{a, b})); // in the order of the graph
    ASSERT_TRUE(walk.reach(b));
    for (std::size_t i = 0; i < samples; ++i) {
      Runner runner(graph, all_ops(), {});
      const auto wanted = runner.run_tensors(images.load(i).value()).value();
      EXPECT_EQ(to_floats(walk.value(b, i).value()), to_floats(wanted[2]));
      if (hold) {
        EXPECT_EQ(to_floats(walk.value(a, i).value()), to_floats(wanted[1]));
      }
    }
  }
}

} // namespace
} // namespace edgec
