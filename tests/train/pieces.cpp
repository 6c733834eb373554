// The pieces of training: optimizers and schedules, how samples are varied and dealt, features, states.
#include <gmock/gmock.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/file.h"
#include "train/augment.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/features.h"
#include "train/optimizer.h"
#include "train/sparsity.h"

namespace edgec {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Optimizer, StepsByTheRateAtFirst) { // whatever a gradient's size: m / sqrt(v) is its sign
  Optimizer adam(Descent::adam, GradientMoments(3));
  std::vector<float> values{1, 1, 1};
  adam.step(values, std::vector<float>{100, -0.01F, 0}, 0.1);
  EXPECT_NEAR(values[0], 0.9, 1e-6);
  EXPECT_NEAR(values[1], 1.1, 1e-6);
  EXPECT_EQ(values[2], 1);
}

TEST(Optimizer, KeepsMomentum) {
  const std::vector<float> pace{1, 2};
  Optimizer sgd(Descent::sgd, GradientMoments(2), pace);
  std::vector<float> values{1, 1};
  sgd.step(values, std::vector<float>{2, 2}, 0.1);
  EXPECT_NEAR(values[0], 1 - 0.1 * 2, 1e-6);
  EXPECT_NEAR(values[1], 1 - 0.1 * 2 * 4, 1e-6); // counted in twos: 0.5, and a gradient of 4
  sgd.step(values, std::vector<float>{0, 0}, 0.1);
  EXPECT_NEAR(values[0], 1 - 0.1 * 2 * 1.9, 1e-6);
}

TEST(Optimizer, FindsTheBottomOfABowl) {
  for (const auto &[descent, rate] : {std::pair{Descent::adam, 0.1}, std::pair{Descent::sgd, 0.01}}) {
    Optimizer optimizer(descent, GradientMoments(2));
    std::vector<float> values{3, -2};
    constexpr std::size_t steps = 500;
    for (std::size_t i = 0; i < steps; ++i)
      optimizer.step(values, std::vector<float>{2 * (values[0] - 1), 20 * (values[1] - 0.5F)},
                     scheduled_rate(rate, i, steps));
    EXPECT_NEAR(values[0], 1, 1e-3);
    EXPECT_NEAR(values[1], 0.5, 1e-3);
  }
}

TEST(Schedule, RisesThenFallsToNothing) {
  for (const std::size_t steps : {1U, 7U, 100U, 5000U}) {
    double largest = 0;
    for (std::size_t i = 0; i < steps; ++i) largest = std::max(largest, scheduled_rate(1, i, steps));
    EXPECT_NEAR(largest, 1, 1e-9) << steps;
  }
  EXPECT_NEAR(scheduled_rate(1, 0, 1000), 0.02, 1e-9);
  EXPECT_LT(scheduled_rate(1, 999, 1000), 1e-4);
}

TEST(Schedule, OfZerosIsCubicAndEndsThere) {
  EXPECT_EQ(scheduled_zeros(0.5, 0.9, 0, 1000), 0.5);
  EXPECT_NEAR(scheduled_zeros(0.5, 0.9, 349, 1000), 0.9 - 0.4 / 8, 1e-9); // half of the way
  EXPECT_EQ(scheduled_zeros(0.5, 0.9, 999, 1000), 0.9);
  for (std::size_t i = 1; i < 1000; ++i)
    EXPECT_GE(scheduled_zeros(0.5, 0.9, i, 1000), scheduled_zeros(0.5, 0.9, i - 1, 1000));
}

TEST(Sparsity, ClearsTheLeastWorthyOfAllAndLeavesAFloor) {
  std::vector<char> kept(60, 1);
  std::vector<float> worth(60);
  std::iota(worth.begin(), worth.end(), 0.0F); // segment 0 is worth less than segment 1
  const std::vector<Segment> segments{{0, 40}, {40, 20}};
  clear_least(kept, worth, segments, 0.5);
  EXPECT_EQ(std::count(kept.begin(), kept.begin() + 30, 0), 30);
  EXPECT_EQ(std::count(kept.begin() + 30, kept.end(), 0), 0);
  clear_least(kept, worth, segments, 0.8); // 48: the first segment keeps 2
  EXPECT_EQ(std::count(kept.begin(), kept.end(), 0), 48);
  EXPECT_THAT(std::vector<char>(kept.begin() + 38, kept.begin() + 40), Each(1));
  const auto before = kept;
  clear_least(kept, worth, segments, 0.3); // nothing comes back
  EXPECT_EQ(kept, before);
}

Sample one_input(Dims dims, float first) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  std::iota(values.begin(), values.end(), first);
  return {Tensor::of(std::move(dims), std::move(values))};
}

TEST(Augmentation, KeepsShapesAndStaysWithinTheSamples) {
  for (const Dims &dims : {Dims{1, 3, 16, 16}, Dims{1, 1, 49, 10}, Dims{1, 20}, Dims{1, 8, 8}}) {
    const Sample a = one_input(dims, 0), b = one_input(dims, 5000);
    const auto of_a = a[0].as<float>(), of_b = b[0].as<float>();
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      Random random(seed);
      const Sample found = augmented(a, b, {}, random);
      ASSERT_EQ(found.size(), 1U);
      EXPECT_EQ(found[0].dims, dims);
      for (const float x : found[0].as<float>()) {
        EXPECT_GE(x, of_a.front());
        EXPECT_LE(x, of_b.back());
      }
    }
  }
}

TEST(Augmentation, DoesNothingToWhatItCannotVary) {
  Random random(1);
  const Sample tokens{Tensor::of({1, 4}, std::vector<std::int64_t>{1, 2, 3, 4})},
      others{Tensor::of({1, 4}, std::vector<std::int64_t>{5, 6, 7, 8})};
  const Sample row = one_input({1, 12}, 0);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(identical(augmented(tokens, others, {}, random)[0], tokens[0]));
    EXPECT_TRUE(identical(augmented(row, row, {false, false, false}, random)[0], row[0]));
  }
}

TEST(Deck, DealsEachSampleOnceARound) {
  const std::vector<std::size_t> cards{3, 5, 7, 11, 13};
  Deck deck(cards, 9);
  std::vector<std::size_t> dealt;
  for (const Draw &draw : deck.deal(5)) dealt.push_back(draw.sample);
  std::ranges::sort(dealt);
  EXPECT_EQ(dealt, cards);
}

Graph parsed(const char *text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return *std::move(graph);
}

/// A stem, two residual blocks, a classifier.
constexpr const char *residual = R"(<opset_import: ["" : 17]>
  g (float[1,4,6,6] x) => (float[1,4] shares)
  <float[4,4,1,1] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}> {
    c0 = Conv(x, w)  stem = Relu(c0)
    c1 = Conv(stem, w)  r1 = Relu(c1)  c2 = Conv(r1, w)  a1 = Add(c2, stem)  one = Relu(a1)
    c3 = Conv(one, w)  a2 = Add(one, c3)  two = Relu(a2)
    p = GlobalAveragePool(two)  y = Flatten(p)  shares = Softmax(y) })";

TEST(Features, AutomaticOnesEndBlocks) {
  const Graph graph = parsed(residual);
  std::vector<std::string> names;
  for (const ValueId id : block_ends(graph, all_ops())) names.push_back(graph.value(id).name);
  EXPECT_THAT(names, ElementsAre("stem", "one", "p"));
  EXPECT_EQ(features_of_one_name(graph, graph, all_ops()).size(), 3U);
}

TEST(Features, AreNamedByPairs) {
  const Graph graph = parsed(residual);
  const auto found = named_features("r1=stem,two=two", graph, graph);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(graph.value((*found)[0].student).name, "r1");
  EXPECT_EQ(graph.value((*found)[0].teacher).name, "stem");
  for (const auto &[text, why] : {std::pair{"", "'' is no pair of names"},
                                  {"one", "'one' is no pair of names"},
                                  {"one=two,", "'' is no pair of names"},
                                  {"nil=one", "'nil' is no value of the network that is trained"},
                                  {"one=nil", "'nil' is no value of its teacher"},
                                  {"x=one", "x of the network that is trained is float[1,4,6,6], and not computed"}}) {
    const auto refused = named_features(text, graph, graph);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::usage);
    EXPECT_THAT(refused.error().message, HasSubstr(why));
  }
}

TEST(Checkpoint, IsReadWholeOrRefused) {
  const auto path = (std::filesystem::temp_directory_path() / fmt::format("edgec-state-{}", getpid())).string();
  TrainingState state{.fingerprint = std::string(64, 'a'), .step = 3, .steps = 9, .values = {1, 2}, .free = {1, 0}};
  for (auto *numbers : {&state.best, &state.mean, &state.square}) *numbers = {3, 4};
  ASSERT_TRUE(write_checkpoint(path, state));
  const auto found = read_checkpoint(path, state.fingerprint, 2);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->values, state.values);
  EXPECT_EQ((*found)->free, state.free);
  EXPECT_EQ((*found)->step, 3U);
  const std::string whole = [&] {
    const auto bytes = read_file(path);
    return std::string(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  }();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    const ByteView view = std::as_bytes(std::span(part));
    ASSERT_TRUE(write_file(path, {&view, 1}, true));
    EXPECT_FALSE(read_checkpoint(path, state.fingerprint, 2)) << size;
  }
  for (auto spoil : {+[](TrainingState &s) { s.mean.pop_back(); }, +[](TrainingState &s) { s.squares = {1}; },
                     +[](TrainingState &s) { s.step = 10; }, +[](TrainingState &s) { s.dealt = UINT64_MAX; }}) {
    TrainingState spoiled = state;
    spoil(spoiled);
    ASSERT_TRUE(write_checkpoint(path, spoiled));
    EXPECT_FALSE(read_checkpoint(path, state.fingerprint, 2));
  }
  std::filesystem::remove(path);
  const auto none = read_checkpoint(path, state.fingerprint, 2);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

} // namespace
} // namespace edgec
