// Every flag of `compress` with every other one: a pair is refused with a sentence, or what comes out is no worse than
// what each flag costs alone lets expect; and a network that has collapsed is called one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/cli/compress_run.h"

namespace edgec {
namespace {

Tensor normal(Random &random, const Dims &dims, double scale) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(scale * random.normal());
  return Tensor::of(dims, std::move(values));
}

Graph network() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 17]>
    g (float[1,4,6,6] x) => (float[1,6] z) <float[1] w = {0}, float[1] b = {0}, int64[2] flat = {1, 24}> {
      [first] s = Conv<pads = [1, 1, 1, 1]>(x, w, b)
      r = Relu(s)
      [second] t = Conv(r, w, b)
      u = Relu(t)
      p = GlobalAveragePool(u)
      q = Reshape(p, flat)
      [third] v = Gemm<transB = 1>(q, w, b)
      y = Relu(v)
      [last] z = Gemm<transB = 1>(y, w, b)
    })")
                    .value();
  Random random(11);
  const std::map<std::string, Dims> weights{
      {"first", {16, 4, 3, 3}}, {"second", {24, 16, 1, 1}}, {"third", {32, 24}}, {"last", {6, 32}}};
  for (const NodeId id : graph.nodes()) {
    const auto dims = weights.find(graph.node(id).name);
    if (dims == weights.end()) continue;
    const auto terms = static_cast<double>(*element_count(dims->second) / dims->second[0]);
    graph.set_input(id, 1, graph.add_constant(normal(random, dims->second, std::sqrt(2 / terms)), dims->first + "_w"));
    graph.set_input(id, 2, graph.add_constant(normal(random, {dims->second[0]}, 0.2), dims->first + "_b"));
  }
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

std::vector<Sample> samples() {
  std::vector<Sample> found;
  for (std::uint64_t i = 0; i < 48; ++i) {
    Random random(500 + i);
    found.push_back({normal(random, {1, 4, 6, 6}, 1)});
  }
  return found;
}

const std::vector<std::string> schemes{"--int8",
                                       "--prune 0.2",
                                       "--prune 3:4",
                                       "--prune-channels 0.1",
                                       "--low-rank 0.7 --low-rank-sqnr 15",
                                       "--share 5",
                                       "--share 5 --share-codebook network",
                                       "--share-hash 0.8",
                                       "--float16",
                                       "--bfloat16",
                                       "--rate 1e-6",
                                       "--max-size 6KB",
                                       "--max-drop 2"};
const std::vector<std::string> settings{"--effort fast",
                                        "--effort high",
                                        "--range minmax",
                                        "--range mse",
                                        "--range entropy",
                                        "--range auto",
                                        "--percentile 99.9",
                                        "--equalize on",
                                        "--equalize off",
                                        "--weight-bits 4",
                                        "--input-bits 16",
                                        "--activation-bits 16",
                                        "--no-bias-correction",
                                        "--prune-scope layer",
                                        "--prune-scope global",
                                        "--prune-mask magnitude",
                                        "--format qoperator",
                                        "--opset 21",
                                        "--overridable",
                                        "--op-types Conv",
                                        "--exclude first",
                                        "--include 'second|last'",
                                        "--channel-multiple 4",
                                        "--seed 3",
                                        "--max-memory 40MB",
                                        "--calib-limit 24",
                                        "--skip-pass fuse-activation",
                                        "--min-agreement 0.5"};

class Pairs : public testing::Test {
protected:
  Graph graph_ = network();
  std::vector<Sample> samples_ = samples();
  CompressBench bench_{graph_, samples_};
  std::map<std::string, double> noise_; // of a run, beside the signal
  int written_ = 0, refused_ = 0;

  /// Of the output, as a share of its power; nothing where the flags were refused.
  std::optional<double> noise_of(const std::string &flags) {
    if (const auto known = noise_.find(flags); known != noise_.end()) return known->second;
    SCOPED_TRACE(flags);
    const CompressRun run = bench_.run({flags, ".onnx"});
    if (!run.written) {
      ++refused_;
      return std::nullopt;
    }
    ++written_;
    const Distance found = distance(graph_, run.result, samples_);
    EXPECT_EQ(found.error, "");
    constexpr double poor_db = 10, other_samples = 3;
    EXPECT_TRUE(run.poor() || found.least_db > poor_db - other_samples) << found.least_db << " dB, and nobody said so";
    return noise_[flags] = std::pow(10, -found.least_db / 10);
  }

  /// What two flags cost together is not much more than what each costs.
  void check(const std::string &base, const std::string &one, const std::string &other) {
    constexpr double most = 10, always = 1e-9;
    const auto alone = noise_of(base + one), beside = noise_of(base + other), both = noise_of(base + one + " " + other);
    if (!alone || !beside || !both) return;
    EXPECT_LE(*both, most * (*alone + *beside) + always)
        << base << one << ": " << -10 * std::log10(*alone) << " dB, " << other << ": " << -10 * std::log10(*beside)
        << " dB, both: " << -10 * std::log10(*both) << " dB";
  }
};

TEST_F(Pairs, OfSchemes) {
  for (std::size_t i = 0; i < schemes.size(); ++i)
    for (std::size_t k = i + 1; k < schemes.size(); ++k)
      if (schemes[i].substr(0, schemes[i].find(' ')) != schemes[k].substr(0, schemes[k].find(' ')))
        check("", schemes[i], schemes[k]);
  EXPECT_GT(written_, 30);
  EXPECT_GT(refused_, 3);
}

TEST_F(Pairs, OfASchemeAndASetting) {
  for (const std::string &scheme : schemes)
    for (const std::string &setting : settings) noise_of(scheme + " " + setting);
  EXPECT_GT(written_, 250);
}

TEST_F(Pairs, OfSettingsOfInt8) {
  for (std::size_t i = 0; i < settings.size(); ++i)
    for (std::size_t k = i + 1; k < settings.size(); ++k)
      if (settings[i].substr(0, settings[i].find(' ')) != settings[k].substr(0, settings[k].find(' ')))
        check("--int8 ", settings[i], settings[k]);
  EXPECT_GT(written_, 300);
}

} // namespace
} // namespace edgec
