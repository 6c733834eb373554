// Moments say what a layer gives: sums of products of its outputs are w^T M w' for its weights' rows, whatever
// operator, rank, layout, grouping and attributes it has, and whether it reads floats or codes.
#include "calibrate/layer_moments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr std::size_t samples = 5;

/// A layer to be drawn: operator, attributes, dims of data and weight.
struct Drawn {
  std::string op, attributes;
  Dims data, weight;
};

class Draws : public SampleSet {
public:
  explicit Draws(Dims dims) : dims_(std::move(dims)) {}
  std::size_t size() const override { return samples; }
  std::string label(std::size_t index) const override { return fmt::format("draw {}", index); }
  std::string description() const override { return "draws"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    return Sample{normal(random, dims_)};
  }
  static Tensor normal(Random &random, const Dims &dims) {
    std::vector<float> values(static_cast<std::size_t>(element_count(dims).value()));
    for (float &x : values) x = static_cast<float>(random.normal());
    return Tensor::of(dims, std::move(values));
  }

private:
  Dims dims_;
};

std::int64_t between(Random &random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

Drawn draw_conv(Random &random) {
  const auto rank = static_cast<std::size_t>(between(random, 1, 3));
  const std::int64_t groups = between(random, 1, 3), batch = between(random, 1, 2);
  Drawn drawn{"Conv", "", {batch, groups * between(random, 1, 3)}, {groups * between(random, 1, 3), 0}};
  drawn.weight[1] = drawn.data[1] / groups;
  Dims strides, dilations, pads;
  for (std::size_t i = 0; i < rank; ++i) {
    drawn.data.push_back(between(random, 5, 7));
    drawn.weight.push_back(between(random, 1, 3));
    strides.push_back(between(random, 1, 2));
    dilations.push_back(between(random, 1, 2));
  }
  for (std::size_t i = 0; i < 2 * rank; ++i) pads.push_back(between(random, 0, 2));
  drawn.attributes = fmt::format("<group = {}, strides = [{}], dilations = [{}], pads = [{}]>", groups,
                                 fmt::join(strides, ","), fmt::join(dilations, ","), fmt::join(pads, ","));
  return drawn;
}

Drawn draw_matmul(Random &random) {
  Drawn drawn{"MatMul", "", {}, {between(random, 1, 5), between(random, 1, 4)}};
  for (std::int64_t i = between(random, 0, 4); i > 0; --i) drawn.data.push_back(between(random, 1, 3));
  drawn.data.push_back(drawn.weight[0]);
  return drawn;
}

Drawn draw_gemm(Random &random) {
  const bool trans_a = random.below(2) == 1, trans_b = random.below(2) == 1;
  Drawn drawn{"Gemm",
              fmt::format("<transA = {:d}, transB = {:d}>", trans_a, trans_b),
              {between(random, 1, 4), between(random, 1, 5)},
              {}};
  drawn.weight = {drawn.data[1], between(random, 1, 4)};
  if (trans_a) std::swap(drawn.data[0], drawn.data[1]);
  if (trans_b) std::swap(drawn.weight[0], drawn.weight[1]);
  return drawn;
}

Drawn draw(std::uint64_t seed, Random &random) {
  return seed % 3 == 0 ? draw_conv(random) : seed % 3 == 1 ? draw_matmul(random) : draw_gemm(random);
}

/// The layer y behind another one that gives its data d, channels last where that is a convolution; with codes q
/// between.
struct Network {
  Graph graph;
  ValueId data;
  NodeId layer;
  Type data_type;

  Network(const Drawn &drawn, bool codes, bool behind_conv, const Tensor &weight, Random &random) {
    const std::string text = fmt::format("<opset_import: [\"\" : 17]> g (float[{0}] x) => (float[{0}] d)"
                                         "<float[1] w = {{0}}, float[1] v = {{0}}, float s = {{0.03}}, uint8 z = "
                                         "{{120}}> {{ [before] d = {1} {2} [layer] y = {3}{4}({5}, w) }}",
                                         fmt::join(drawn.data, ","), behind_conv ? "Conv(x, v)" : "Neg(x)",
                                         codes ? "q = QuantizeLinear(d, s, z) r = DequantizeLinear(q, s, z)" : "",
                                         drawn.op, drawn.attributes, codes ? "r" : "d");
    graph = parse_graph(text).value();
    for (const NodeId id : graph.nodes()) {
      if (graph.node(id).name == "layer") layer = id, graph.set_input(id, 1, graph.add_constant(weight));
      if (graph.node(id).name != "before" || !behind_conv) continue;
      Dims kernel(drawn.data.size(), 1);
      kernel[0] = kernel[1] = drawn.data[1];
      graph.set_input(id, 1, graph.add_constant(Draws::normal(random, kernel)));
    }
    EXPECT_TRUE(infer_types(graph, all_ops())) << text;
    data = graph.node(layer).inputs[0];
    if (codes) data = graph.producer(data)->inputs[0];
    data_type = graph.value(data).type;
    if (codes) data_type.quant = Quant::per_tensor(0.03F, 120);
  }

  [[nodiscard]] Tensor output(const Sample &sample) const {
    PlanOptions plan;
    plan.reference = true;
    plan.fetches = {graph.node(layer).outputs[0]};
    return Runner(graph, all_ops(), plan).run_tensors(sample).value()[0];
  }
};

/// Sums over samples and positions of what channel i of `x` gives times what channel j of `y` gives.
Matrix products_of_outputs(const Network &x, const Network &y, const SampleSet &set, const WeightInfo &info,
                           std::size_t channels) {
  Matrix sums(channels, channels);
  for (std::size_t s = 0; s < samples; ++s) {
    const Sample sample = set.load(s).value();
    const Tensor a = x.output(sample), b = y.output(sample);
    std::size_t inner = 1;
    for (std::size_t d = static_cast<std::size_t>(info.output_axis) + 1; d < a.dims.size(); ++d)
      inner *= static_cast<std::size_t>(a.dims[d]);
    const std::size_t positions = static_cast<std::size_t>(a.size()) / channels;
    for (std::size_t p = 0; p < positions; ++p) {
      const std::size_t first = p / inner * channels * inner + p % inner;
      for (std::size_t i = 0; i < channels; ++i)
        for (std::size_t j = 0; j < channels; ++j)
          sums(i, j) += static_cast<double>(a.as<float>()[first + i * inner]) *
                        static_cast<double>(b.as<float>()[first + j * inner]);
    }
  }
  return sums;
}

/// A row per output channel.
Matrix rows_of(const Tensor &weight, const WeightInfo &info) {
  const auto values = to_doubles(weight);
  const auto channels = static_cast<std::size_t>(weight.dims[static_cast<std::size_t>(info.channel_axis)]);
  Matrix rows(channels, values.size() / channels);
  for (std::size_t i = 0; i < rows.rows; ++i)
    for (std::size_t k = 0; k < rows.columns; ++k)
      rows(i, k) = values[info.channel_axis == 0 ? i * rows.columns + k : k * rows.rows + i];
  return rows;
}

void expect_products(const Matrix &moments, const Matrix &rows, std::size_t group, std::size_t group_rows,
                     const Matrix &wanted) {
  for (std::size_t i = group * group_rows; i < (group + 1) * group_rows; ++i)
    for (std::size_t j = group * group_rows; j < (group + 1) * group_rows; ++j) {
      double sum = 0, size = 0;
      for (std::size_t k = 0; k < rows.columns; ++k)
        for (std::size_t l = 0; l < rows.columns; ++l) {
          const double term = rows(i, k) * moments(k, l) * rows(j, l);
          sum += term, size += std::abs(term);
        }
      EXPECT_NEAR(sum, wanted(i, j), 1e-4 * (1e-3 + size)) << "channels " << i << " and " << j;
    }
}

TEST(LayerMoments, SayWhatLayersGive) {
  constexpr std::uint64_t layers = 600;
  std::size_t channels_last = 0;
  for (std::uint64_t seed = 0; seed < layers; ++seed) {
    Random random(seed);
    const Drawn drawn = draw(seed, random);
    const bool codes = random.below(3) == 0,
               behind_conv = drawn.data.size() >= 3 && drawn.data.size() <= 5 && random.below(3) > 0;
    SCOPED_TRACE(fmt::format("seed {}: {}{} of [{}]{}{}", seed, drawn.op, drawn.attributes, fmt::join(drawn.data, ","),
                             codes ? ", codes" : "", behind_conv ? ", behind a convolution" : ""));
    const Draws set(drawn.data);
    const Tensor weight = Draws::normal(random, drawn.weight);
    const Network before(drawn, false, behind_conv, weight, random), now(drawn, codes, behind_conv, weight, random);
    const std::vector<std::size_t> which{0, 1, 2, 3, 4};
    const Walk::Options options{.threads = 2, .isa = detect_isa()};
    Walk x(before.graph, all_ops(), set, which, {before.data}, options),
        y(now.graph, all_ops(), set, which, {now.data}, options);
    ASSERT_TRUE(x.advance());
    ASSERT_TRUE(y.advance());
    channels_last += y.layout(now.data) == Layout::channels_last ? 1 : 0;
    const Node &node = now.graph.node(now.layer);
    const OpDef *op = all_ops().find(node);
    const std::vector<const Type *> types{&now.graph.value(node.inputs[0]).type, &now.graph.value(node.inputs[1]).type};
    const WeightInfo info = op->weights(node, types).value();
    auto moments = layer_moments(
        x, y, {now.layer, before.data, now.data, before.data_type, now.data_type, &node, op, drawn.weight}, samples, 2,
        1000, 2);
    ASSERT_TRUE(moments) << moments.error().message;
    const Matrix rows = rows_of(weight, info);
    const Matrix yy = products_of_outputs(now, now, set, info, rows.rows),
                 xy = products_of_outputs(before, now, set, info, rows.rows);
    ASSERT_EQ(moments->size(), static_cast<std::size_t>(info.groups));
    for (std::size_t g = 0; g < moments->size(); ++g) {
      Moments all = (*moments)[g][0];
      all.add((*moments)[g][1]);
      expect_products(all.yy, rows, g, rows.rows / moments->size(), yy);
      expect_products(all.xy, rows, g, rows.rows / moments->size(), xy);
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(channels_last, layers / 10); // the layouts that the test is about did occur
}

TEST(Walk, ReachesWhatIsComputedFromConstants) {
  Graph graph =
      parse_graph("g (float[2] x) => (float[2] y) <float[2] c = {1, 2}> { d = Neg(c)  y = Add(x, d) }").value();
  ASSERT_TRUE(infer_types(graph, all_ops()));
  const ValueId stop = graph.node(graph.nodes()[0]).outputs[0];
  const Draws set({2});
  Walk walk(graph, all_ops(), set, {0, 1}, {stop}, {});
  const Status reached = walk.reach(stop);
  ASSERT_TRUE(reached) << reached.error().message;
  EXPECT_EQ(walk.value(stop, 1).value().as<float>()[1], -2);
}

} // namespace
} // namespace edgec
