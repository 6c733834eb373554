// Int8 quantization as a whole, and its steps one by one, on a network whose channels differ in size.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "calibrate/calibrate.h"
#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "schemes/fitting/held_out.h"
#include "schemes/int8/equalize.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

/// Images of 8 channels that are mixtures of 3.
class Mixtures : public SampleSet {
public:
  std::size_t size() const override { return 48; }
  std::string label(std::size_t index) const override { return "sample " + std::to_string(index); }
  std::string description() const override { return "mixtures"; }
  Result<Sample> load(std::size_t index) const override {
    Random mixing(1), random(100 + index);
    double mix[8][3];
    for (auto &row : mix)
      for (double &m : row) m = mixing.normal();
    std::vector<float> values(8 * 36);
    for (std::size_t p = 0; p < 36; ++p) {
      const double sources[3] = {random.normal(), random.normal(), random.normal()};
      for (std::size_t c = 0; c < 8; ++c)
        values[c * 36 + p] = static_cast<float>(mix[c][0] * sources[0] + mix[c][1] * sources[1] +
                                                mix[c][2] * sources[2] + 0.1 * random.normal());
    }
    return Sample{Tensor::of<float>({1, 8, 6, 6}, std::move(values))};
  }
};

/// Two convolutions; output channels of the first differ in size by a factor of 4 each, which the second one undoes.
Graph uneven(const char *activation) {
  Graph graph = parse_graph(std::string(R"(<opset_import: ["" : 21]>
    g (float[1,8,6,6] x) => (float[1,10,6,6] z)
    <float[1,1,1,1] w = {1}, float[4] b = {0.1, 0.2, 0, 0}, float[1,1,1,1] v = {1}, float[10] c = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, float low = {0}, float high = {6}> {
      [first] y = Conv<pads = [1, 1, 1, 1]>(x, w, b)
      r = )") + activation + R"(
      [second] z = Conv(r, v, c)
    })")
                    .value();
  Random random(3);
  std::vector<float> w(4 * 8 * 9), v(10 * 4);
  for (std::size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<float>(0.1 * random.normal() * std::pow(4.0, static_cast<double>(i / 72) - 2));
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<float>(random.normal() * std::pow(4.0, 2 - static_cast<double>(i % 4)));
  const auto set = [&](const char *name, Tensor data) {
    for (const NodeId id : graph.nodes())
      if (graph.node(id).name == name) graph.set_input(id, 1, graph.add_constant(std::move(data)));
  };
  set("first", Tensor::of<float>({4, 8, 3, 3}, std::move(w)));
  set("second", Tensor::of<float>({10, 4, 1, 1}, std::move(v)));
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

Job on(const SampleSet &samples, Words words = {}) {
  words.emplace_back("int8");
  return job_of(samples, words, 32); // the rest is held out
}

/// On the samples that nothing was fitted to.
double unseen_sqnr_db(const Graph &graph, const Graph &reference, const SampleSet &samples) {
  Job job = job_of(samples);
  job.samples.erase(job.samples.begin(), job.samples.begin() + 32);
  return judge(reference, graph, job).value().sqnr_db();
}

Graph quantized(const Graph &graph, Job job) {
  Graph result = graph;
  job.reference = &graph;
  const auto outcome = run_scheme("quantize-int8", result, job);
  EXPECT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(coded_layers(result), 2U);
  return result;
}

Graph equalized(const Graph &graph, const SampleSet &samples, std::size_t &tensors) {
  const Job job = on(samples);
  Graph result = graph;
  auto found = find_equalizable(result, job);
  CalibrationOptions options{.histograms = true};
  for (const EqualizedTensor &tensor : found)
    if (options.ranges.push_back(tensor.value), options.channel_spreads.push_back(tensor.value); tensor.last_axis)
      options.last_axis.insert(tensor.value);
  const int both[] = {0, 1};
  const auto statistics = calibrate(graph, all_ops(), samples, job.samples, options).value().merged(both);
  choose_factors(result, found, statistics);
  equalize(result, found);
  tensors = found.size();
  return result;
}

TEST(Equalize, KeepsWhatTheNetworkComputes) {
  const Mixtures samples;
  for (const char *activation : {"Relu(y)", "Clip(y, low, high)"}) {
    const Graph graph = uneven(activation);
    std::size_t tensors = 0;
    const Graph result = equalized(graph, samples, tensors);
    EXPECT_EQ(tensors, 1U) << activation;
    EXPECT_NE(to_text(graph), to_text(result));
    // Values beyond all that were seen may saturate where the Clip was.
    EXPECT_GT(unseen_sqnr_db(result, graph, samples), activation[0] == 'R' ? 100 : 40) << activation;
  }
}

TEST(QuantizeInt8, EqualizationHelpsUnevenChannels) {
  const Mixtures samples;
  const Graph graph = uneven("Relu(y)");
  const double without = unseen_sqnr_db(quantized(graph, on(samples, {"equalize=off"})), graph, samples);
  const double with = unseen_sqnr_db(quantized(graph, on(samples, {"equalize=on"})), graph, samples);
  const double chosen = unseen_sqnr_db(quantized(graph, on(samples)), graph, samples);
  EXPECT_GT(with, without + 3);
  EXPECT_NEAR(chosen, with, 0.5); // the default sees it by itself
}

/// Six positions of eight features.
class Series : public SampleSet {
public:
  std::size_t size() const override { return 48; }
  std::string label(std::size_t index) const override { return "sample " + std::to_string(index); }
  std::string description() const override { return "series"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(6 * 8);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({1, 6, 8}, std::move(values))};
  }
};

/// `nodes` make y, z of x [1,6,8], a scale g of which one channel is 60 times the others, b and weights p, q that make
/// up for it.
Graph normalized(const std::string &nodes) {
  Graph graph = parse_graph("<opset_import: [\"\" : 23]>\ng (float[1,6,8] x, float[8] g, float[8] b, float[8,12] p, "
                            "float[8,5] q) => (float[1,6,12] y, float[1,6,5] z) {" +
                            nodes + " }")
                    .value();
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    Random random(i);
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
    const std::size_t row = values.size() / 8;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double outlier = k / row == 3 ? 60 : 1;
      values[k] = i == 1 ? outlier : random.normal() / (i > 2 ? outlier : 1);
    }
    graph.replace_uses(inputs[i], graph.add_constant(from_doubles(DType::float32, dims, values)));
    if (graph.value(inputs[i]).uses.empty()) graph.remove(inputs[i]);
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

const char *const products = " y = MatMul(n, p)  z = MatMul(n, q)";

TEST(Equalize, ScalesWhatNormalizationsGiveToTheirReaders) {
  const Series samples;
  for (const std::string norm : {"n = LayerNormalization(x, g, b)", "n = RMSNormalization(x, g)", "n = Mul(g, x)",
                                 "m = Mul(x, g)  n = Add(m, b)"}) {
    SCOPED_TRACE(norm);
    const Graph graph = normalized(norm + products);
    std::size_t tensors = 0;
    const Graph result = equalized(graph, samples, tensors);
    EXPECT_EQ(tensors, 1U);
    EXPECT_GT(unseen_sqnr_db(result, graph, samples), 100);
  }
}

TEST(Equalize, LeavesNormalizationsThatOthersReadToo) {
  const Series samples;
  std::size_t tensors = 0;
  equalized(normalized("n = LayerNormalization(x, g, b)  s = Softmax(n)  y = MatMul(n, p)  z = MatMul(s, q)"), samples,
            tensors);
  EXPECT_EQ(tensors, 0U);
}

TEST(QuantizeInt8, ScalingANormalizationHelpsAgainstAnOutlierChannel) {
  const Series samples;
  const Graph graph = normalized(std::string("n = LayerNormalization(x, g, b)") + products);
  const double without = unseen_sqnr_db(quantized(graph, on(samples, {"equalize=off"})), graph, samples);
  const double with = unseen_sqnr_db(quantized(graph, on(samples)), graph, samples);
  EXPECT_GT(with, without + 3);
}

TEST(QuantizeInt8, SecondOrderBeatsRoundingToNearest) {
  const Mixtures samples;
  const Graph graph = uneven("Relu(y)");
  const auto sqnr = [&](Words words) {
    return unseen_sqnr_db(quantized(graph, on(samples, std::move(words))), graph, samples);
  };
  const double fast = sqnr({"effort=fast", "weight-bits=4"}), full = sqnr({"weight-bits=4"});
  EXPECT_GT(full, fast + 3);
}

TEST(QuantizeInt8, SameForAnyNumberOfThreads) {
  const Mixtures samples;
  const Graph graph = uneven("Clip(y, low, high)");
  Job one = on(samples), three = on(samples);
  three.threads = 3;
  EXPECT_EQ(to_text(quantized(graph, one)), to_text(quantized(graph, three)));
}

TEST(QuantizeInt8, EveryRangeMethodGivesAFaithfulNetwork) {
  const Mixtures samples;
  const Graph graph = uneven("Relu(y)");
  for (const char *range : {"minmax", "percentile", "entropy", "mse", "auto"})
    EXPECT_GT(unseen_sqnr_db(quantized(graph, on(samples, {fmt::format("range={}", range)})), graph, samples), 25)
        << range;
}

} // namespace
} // namespace edgec
