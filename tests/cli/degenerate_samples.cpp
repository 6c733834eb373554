// Samples that tell little or nothing, and networks whose outputs do, in every scheme: the run ends in a documented
// status with a sentence, and a file that is bad on the very samples given is called so.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/cli/compress_run.h"

namespace edgec {
namespace {

struct Network {
  std::string name, outputs, body; ///< of x float[1,3,6,6]
};

constexpr std::string_view hidden =
    "[c1] a = Conv<pads = [1, 1, 1, 1]>(x, k1, b8) b = Relu(a) [c2] c = Conv(b, k2, b8) d = Relu(c) "
    "p = GlobalAveragePool(d) f = Flatten(p) [g1] g = Gemm(f, w1, b16) h = Relu(g) ";

std::vector<Network> networks() {
  const std::string trunk(hidden);
  return {{"classifier", "float[1,8] y", trunk + "[g2] y = Gemm(h, w2, b8)"},
          {"ArgMax", "int64[1] y", trunk + "[g2] z = Gemm(h, w2, b8) y = ArgMax<axis = 1, keepdims = 0>(z)"},
          {"constant output", "float[1,8] y", trunk + "[g2] y = Gemm(h, none, b8)"},
          {"first output 0", "float[1,8] y, float[1,8] z",
           trunk + "[g3] u = Gemm(h, w2, low) y = Relu(u) [g2] z = Gemm(h, w2, b8)"},
          {"outputs of unlike power", "float[1,8] y, float[1,8] z",
           trunk + "[g2] y = Gemm(h, w2, b8) [g3] v = Gemm(h, w3, b8) z = Mul(v, small)"}};
}

Tensor normal(Random &random, const Dims &dims, double size) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &value : values) value = static_cast<float>(size * random.normal());
  return Tensor::of(dims, std::move(values));
}

Graph graph_of(const Network &network) {
  Graph graph =
      parse_graph(
          fmt::format(
              R"(<opset_import: ["" : 17]> g (float[1,3,6,6] x) => ({}) <float[1] k1 = {{0}}, float[1] k2 = {{0}}, float[1] w1 = {{0}},
      float[1] w2 = {{0}}, float[1] w3 = {{0}}, float[1] none = {{0}}, float[1] b8 = {{0}}, float[1] b16 = {{0}}, float[1] low = {{0}}, float small = {{0.0001}}> {{ {} }})",
              network.outputs, network.body))
          .value();
  Random random(9);
  const std::pair<std::string, Tensor> constants[] = {{"k1", normal(random, {8, 3, 3, 3}, .3)},
                                                      {"k2", normal(random, {8, 8, 3, 3}, .2)},
                                                      {"w1", normal(random, {8, 16}, .7)},
                                                      {"w2", normal(random, {16, 8}, .5)},
                                                      {"w3", normal(random, {16, 8}, .5)},
                                                      {"b8", normal(random, {8}, .1)},
                                                      {"b16", normal(random, {16}, .1)},
                                                      {"none", Tensor::of(Dims{16, 8}, std::vector<float>(128))},
                                                      {"low", Tensor::of(Dims{8}, std::vector<float>(8, -1e6F))}};
  for (const NodeId id : graph.nodes())
    for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i)
      for (const auto &[name, tensor] : constants)
        if (graph.value(graph.node(id).inputs[i]).name == name)
          graph.set_input(id, i, graph.add_constant(tensor, name + "_"));
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops())) << network.name;
  return graph;
}

struct Samples {
  std::string name;
  std::size_t count;
  double size = 1;                       ///< of the draws
  bool alike = false;                    ///< all the same
  std::optional<float> first, last, all; ///< an element of the first or the last sample, or every element of each
};

std::vector<Samples> kinds() {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  return {{.name = "one", .count = 1},
          {.name = "two", .count = 2},
          {.name = "alike", .count = 12, .alike = true},
          {.name = "zeros", .count = 12, .all = 0.0F},
          {.name = "constants", .count = 12, .all = 0.5F},
          {.name = "hardly varying", .count = 12, .size = 1e-6},
          {.name = "denormal", .count = 12, .size = 1e-41},
          {.name = "huge", .count = 12, .size = 1e30},
          {.name = "an outlier", .count = 12, .last = 1e20F},
          {.name = "NaN first", .count = 12, .first = nan},
          {.name = "NaN last", .count = 12, .last = nan},
          {.name = "infinity last", .count = 12, .last = infinity},
          {.name = "all NaN", .count = 12, .all = nan}};
}

std::vector<Sample> samples_of(const Samples &kind) {
  std::vector<Sample> samples;
  for (std::size_t s = 0; s < kind.count; ++s) {
    Random random(500 + (kind.alike ? 0 : s));
    Tensor drawn = normal(random, {1, 3, 6, 6}, kind.size);
    std::vector<float> values(drawn.as<float>().begin(), drawn.as<float>().end());
    if (kind.all) std::ranges::fill(values, *kind.all);
    if (kind.first && s == 0) values[5] = *kind.first;
    if (kind.last && s + 1 == kind.count) values[5] = *kind.last;
    samples.push_back({Tensor::of(drawn.dims, std::move(values))});
  }
  return samples;
}

TEST(DegenerateSamples, EndInADocumentedStatusInEveryScheme) {
  constexpr double poor_db = 9, poor_agreement = .45;
  std::size_t count = 0, at = 0;
  constexpr std::size_t turn = 5; // a fifth of the schemes in turn: a run takes its time
  for (const Network &network : networks())
    for (const Samples &kind : kinds()) {
      const Graph graph = graph_of(network);
      const auto samples = samples_of(kind);
      const CompressBench bench(graph, samples);
      for (const Scheme &scheme : every_scheme(graph)) {
        if (++at % turn != 0) continue;
        SCOPED_TRACE(fmt::format("{}, {}, {} {}", network.name, kind.name, scheme.flags, scheme.ending));
        const CompressRun run = bench.run(scheme);
        ++count;
        if (!run.written) continue;
        const Distance found = distance(graph, run.result, samples);
        EXPECT_EQ(found.error, "");
        EXPECT_TRUE(run.poor() || (found.least_db >= poor_db && found.least_agreement >= poor_agreement))
            << found.least_db << " dB " << found.least_agreement;
      }
    }
  RecordProperty("cases", static_cast<int>(count));
}

} // namespace
} // namespace edgec
