// Masks: numbers far below all others, down to -infinity, that say "never". Wherever they stand in a network, every
// scheme goes through, and what is written keeps to the network.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/cli/compress_run.h"

namespace edgec {
namespace {

constexpr float never = -std::numeric_limits<float>::infinity();

/// Where a mask stands: `body` reads x float[1,6,8] or what was made of it and gives y.
struct Place {
  std::string name, output, body;
  bool mask_input = false; ///< the mask is an input of the network
};

constexpr std::string_view attention = R"(
  [q] q = MatMul(x, w1) [k] k = MatMul(x, w2) [v] v = MatMul(x, w3)
  t = Transpose<perm = [0, 2, 1]>(k)
  s = MatMul(q, t))";
constexpr std::string_view after = "[a] a = MatMul(p, v) [z] y = MatMul(a, w4)";
constexpr std::string_view classifier = "m = ReduceMean<axes = [1], keepdims = 0>(h) [l] l = MatMul(m, w2)";

std::vector<Place> places() {
  const std::string hidden = "[h] g = MatMul(x, w1) h = Relu(g) ";
  const std::string logits = hidden + std::string(classifier);
  const auto attend = [](const std::string &masked) {
    return std::string(attention) + masked + " p = Softmax<axis = -1>(r) " + std::string(after);
  };
  const std::string sequence = "float[1,6,8] y", classes = "float[1,8] y";
  return {
      {"scores", sequence, attend(" r = Add(s, square)")},
      {"scores by Where", sequence, attend(" r = Where(seen, s, mask)")},
      {"scores by an input", sequence, attend(" r = Add(s, given)"), true},
      {"scores by Sub", sequence, attend(" r = Sub(s, negated)")},
      {"an inner product", "float[1,8] y", logits + " r = Add(l, row) p = Softmax(r) [z] y = MatMul(p, w4)"},
      {"an inner Gemm", "float[1,8] y", logits + " n = Gemm(l, w3, row) p = Softmax(n) [z] y = MatMul(p, w4)"},
      {"a largest of the rest", classes,
       hidden + "r = Add(h, column) b = ReduceMax<axes = [1], keepdims = 0>(r) [z] y = MatMul(b, w2)"},
      {"Exp", sequence, hidden + "[u] u = MatMul(h, w2) r = Add(u, row) e = Exp(r) [z] y = MatMul(e, w3)"},
      {"a final Softmax", classes, logits + " r = Add(l, row) y = Softmax(r)"},
      {"a final Softmax by Where", classes, logits + " r = Where(some, l, mask) y = Softmax(r)"},
      {"a final Softmax of a Gemm", classes, logits + " k = Relu(l) n = Gemm(k, w3, row) y = Softmax(n)"},
      {"a final LogSoftmax", classes, logits + " r = Add(l, row) y = LogSoftmax(r)"},
      {"a final ArgMax", "int64[1] y", logits + " r = Add(l, row) y = ArgMax<axis = 1, keepdims = 0>(r)"},
      {"the answers", classes, logits + " y = Add(l, row)"},
      {"the answers by Where", classes, logits + " y = Where(some, l, mask)"},
      {"the answers of a Gemm", classes, logits + " k = Relu(l) y = Gemm(k, w3, row)"},
      {"a convolution", "float[1,8,6] y",
       "t = Transpose<perm = [0, 2, 1]>(x) [c] c = Conv(t, conv) h = Relu(c) [d] d = Conv(h, conv, row) y = "
       "Softmax<axis = 1>(d)"},
  };
}

Tensor normal(Random &random, const Dims &dims, double size) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &value : values) value = static_cast<float>(size * random.normal());
  return Tensor::of(dims, std::move(values));
}

Graph graph_of(const Place &place, float mask) {
  Graph graph =
      parse_graph(
          fmt::format(
              R"(<opset_import: ["" : 17]> g (float[1,6,8] x{}) => ({}) <float[1] w1 = {{1}}, float[1] w2 = {{1}}, float[1] w3 = {{1}},
      float[1] w4 = {{1}}, float[1] square = {{0}}, float[1] negated = {{0}}, float[1] row = {{0}}, float[1] column = {{0}}, float[1] conv = {{0}},
      float[1] mask = {{0}}, bool[1] seen = {{1}}, bool[1] some = {{1}}> {{ {} }})",
              place.mask_input ? ", float[1,6,6] given" : "", place.output, place.body))
          .value();
  Random random(5);
  std::vector<float> square, negated, row, column;
  std::vector<std::uint8_t> seen, some;
  for (std::int64_t i = 0; i < 36; ++i) {
    seen.push_back(i % 6 <= i / 6);
    square.push_back(seen.back() ? 0 : mask), negated.push_back(seen.back() ? 0 : -mask);
  }
  for (std::int64_t i = 0; i < 8; ++i)
    some.push_back(i % 3 != 1), row.push_back(some.back() ? 0.1F * static_cast<float>(i) : mask);
  for (std::int64_t i = 0; i < 6; ++i) column.push_back(i < 4 ? 0 : mask);
  const auto booleans = [](Dims dims, std::vector<std::uint8_t> values) {
    Tensor tensor = Tensor::of(std::move(dims), std::move(values));
    tensor.dtype = DType::boolean;
    return tensor;
  };
  const std::pair<std::string, Tensor> constants[] = {{"w1", normal(random, {8, 8}, .5)},
                                                      {"w2", normal(random, {8, 8}, .5)},
                                                      {"w3", normal(random, {8, 8}, .5)},
                                                      {"w4", normal(random, {8, 8}, .5)},
                                                      {"conv", normal(random, {8, 8, 1}, .5)},
                                                      {"square", Tensor::of(Dims{6, 6}, square)},
                                                      {"negated", Tensor::of(Dims{6, 6}, negated)},
                                                      {"row", Tensor::of(Dims{8}, row)},
                                                      {"column", Tensor::of(Dims{6, 1}, column)},
                                                      {"mask", Tensor::scalar(mask)},
                                                      {"seen", booleans({6, 6}, seen)},
                                                      {"some", booleans({8}, some)}};
  for (const NodeId id : graph.nodes())
    for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i)
      for (const auto &[name, tensor] : constants)
        if (graph.value(graph.node(id).inputs[i]).name == name)
          graph.set_input(id, i, graph.add_constant(tensor, name + "_"));
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops())) << place.name;
  return graph;
}

std::vector<Sample> samples_of(const Place &place, float mask) {
  std::vector<Sample> samples;
  for (std::size_t s = 0; s < 16; ++s) {
    Random random(300 + s);
    samples.push_back({normal(random, {1, 6, 8}, 1)});
    if (!place.mask_input) continue;
    std::vector<float> given; // a sentence of its own length
    for (std::size_t i = 0; i < 36; ++i) given.push_back(i % 6 < 2 + s % 5 ? 0 : mask);
    samples.back().push_back(Tensor::of(Dims{1, 6, 6}, std::move(given)));
  }
  return samples;
}

TEST(Masks, StopNoScheme) {
  constexpr double poor_db = 9;
  constexpr float masks[] = {never, std::numeric_limits<float>::lowest(), never, -1e4F};
  constexpr std::size_t turn = 5; // a fifth of the schemes in turn: a run takes its time
  std::size_t count = 0, at = 0;
  for (const Place &place : places())
    for (std::size_t m = 0; m < std::size(masks); ++m) {
      const float mask = masks[m];
      const Graph graph = graph_of(place, mask);
      const auto samples = samples_of(place, mask);
      const CompressBench bench(graph, samples);
      for (const Scheme &scheme : every_scheme(graph)) {
        if (++at % turn != 0) continue;
        if (place.output == "float[1,6,8] y" && scheme.flags.ends_with("--max-drop 1"))
          continue; // there are no answers to lose
        SCOPED_TRACE(fmt::format("{} in {}, {} {}", mask, place.name, scheme.flags, scheme.ending));
        const CompressRun run = bench.run(scheme);
        ++count;
        EXPECT_LE(run.status, 1) << run.errors;
        if (!run.written) continue;
        const Distance found = distance(graph, run.result, samples);
        EXPECT_EQ(found.error, "");
        EXPECT_TRUE(run.poor() || (found.least_db >= poor_db && found.least_agreement >= .5))
            << found.least_db << " dB " << found.least_agreement;
      }
    }
  RecordProperty("cases", static_cast<int>(count));
}

} // namespace
} // namespace edgec
