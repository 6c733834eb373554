// Training itself.
#include <gmock/gmock.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "train/batches.h"
#include "train/buckets.h"
#include "train/shards.h"
#include "train/trainer.h"

namespace edgec {
namespace {

using testing::HasSubstr;

/// Normal numbers.
class Numbers : public SampleSet {
public:
  explicit Numbers(Dims dims) : dims_(std::move(dims)) {}
  std::size_t size() const override { return 100; }
  std::string label(std::size_t index) const override { return "sample " + std::to_string(index); }
  std::string description() const override { return "numbers"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index + 1);
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims_)));
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of(dims_, std::move(values))};
  }

private:
  Dims dims_;
};

Tensor random_tensor(Dims dims, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(random.normal() / 3);
  return Tensor::of(std::move(dims), std::move(values));
}

struct Network {
  Graph graph;
  std::vector<Parameter> parameters;
};

/// Conv, Relu, a residual Conv, an average and a Gemm over an input [N, 3, 8, 8].
Network small_network(const char *odd = nullptr) {
  Network made;
  Graph &graph = made.graph;
  graph.opsets[""] = 17;
  Builder b(graph, all_ops());
  ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 3, 8, 8}));
  const auto weight = [&](Dims dims, bool keeps_zeros) {
    const ValueId id = b.constant(random_tensor(std::move(dims), made.parameters.size() + 1));
    made.parameters.push_back({id, keeps_zeros});
    return id;
  };
  const std::vector<Attribute> pads{{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  x = b.op("Relu", {b.op("Conv", {x, weight({8, 3, 3, 3}, true), weight({8}, false)}, pads)});
  if (odd != nullptr) x = b.op(odd, {x});
  x = b.op("Relu", {b.add(x, b.op("Conv", {x, weight({8, 8, 3, 3}, true), weight({8}, false)}, pads))});
  x = b.op("Flatten", {b.op("GlobalAveragePool", {x})});
  x = b.op("Gemm", {x, weight({8, 10}, true), weight({10}, false)});
  graph.add_output(x, "y");
  EXPECT_TRUE(b.status()) << b.status().error().message;
  return made;
}

/// Every third weight of those that keep zeros becomes 0.
void damage(Network &network) {
  for (const Parameter &parameter : network.parameters) {
    if (!parameter.keeps_zeros) continue;
    const Tensor &data = *network.graph.constant(parameter.value);
    std::vector<float> values(data.as<float>().begin(), data.as<float>().end());
    for (std::size_t i = 0; i < values.size(); i += 3) values[i] = 0;
    network.graph.set_data(parameter.value, Tensor::of(data.dims, std::move(values)));
  }
}

std::vector<Tensor> values_of(const Network &network) {
  std::vector<Tensor> found;
  for (const Parameter &parameter : network.parameters) found.push_back(*network.graph.constant(parameter.value));
  return found;
}

std::vector<std::size_t> all_of(const SampleSet &samples) {
  std::vector<std::size_t> indices(samples.size());
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

Result<Trained> train_damaged(Network &network, const Graph &teacher, TrainOptions options) {
  const Numbers samples({1, 3, 8, 8});
  return train(network.graph, network.parameters, teacher, all_ops(), samples, all_of(samples), options);
}

TEST(Training, BringsAnswersBackAndKeepsZeros) {
  const Network original = small_network();
  for (const Loss loss : {Loss::squared_error, Loss::divergence, Loss::cosine}) {
    Network network = small_network();
    damage(network);
    const auto found = train_damaged(network, original.graph, {.steps = 60, .rate = 0.01, .loss = loss});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->held_out, 20U);
    EXPECT_LT(found->after, 0.2 * found->before);
    for (const Parameter &parameter : network.parameters) {
      const auto values = network.graph.constant(parameter.value)->as<float>();
      for (std::size_t i = 0; parameter.keeps_zeros && i < values.size(); i += 3) EXPECT_EQ(values[i], 0);
    }
  }
}

Graph parsed(const char *text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return *std::move(graph);
}

/// Of two convolutions in a row the first is to give what the teacher's first gives: answers alone do not tell.
TEST(Training, MatchesFeatures) {
  constexpr const char *chain = "<opset_import: [\"\" : 17]> g (float[1,3,8,8] x) => (float[1,2,8,8] y)"
                                "<float[2,3,1,1] v = {1, 2, -1, 0.5, -2, 1}, float[2,2,1,1] w = {1, -1, 0.5, 2}>"
                                "{ h = Conv(x, v)  y = Conv(h, w) }";
  const Graph teacher = parsed(chain);
  const auto constant_of = [](const Graph &graph, std::string_view name) {
    for (const ValueId id : graph.values())
      if (graph.value(id).name == name) return id;
    return ValueId{};
  };
  double apart[2] = {0, 0};
  for (const bool matched : {false, true}) {
    Graph student = teacher;
    const ValueId v = constant_of(student, "v"), w = constant_of(student, "w");
    student.set_data(v, random_tensor({2, 3, 1, 1}, 1));
    student.set_data(w, random_tensor({2, 2, 1, 1}, 2));
    const std::vector<Parameter> parameters{{v}, {w}};
    TrainOptions options{.steps = 300, .rate = 0.05};
    if (matched) options.features = *named_features("h=h", student, teacher);
    const Numbers samples({1, 3, 8, 8});
    const auto found = train(student, parameters, teacher, all_ops(), samples, all_of(samples), options);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->features, matched ? 1U : 0U);
    EXPECT_LT(found->after, 1e-2); // of the answers alone
    const auto mine = student.constant(v)->as<float>(), its = teacher.constant(v)->as<float>();
    for (std::size_t i = 0; i < mine.size(); ++i) apart[matched ? 1 : 0] += std::abs(double{mine[i]} - double{its[i]});
  }
  EXPECT_GT(apart[0], 1);
  EXPECT_LT(apart[1], 0.1);
}

/// What leads to other outputs alone stays.
TEST(Training, CountsTheOutputsNamedAlone) {
  Graph teacher;
  teacher.opsets[""] = 17;
  Builder b(teacher, all_ops());
  const ValueId x = teacher.add_input("x", Type::tensor(DType::float32, Dims{1, 6}));
  std::vector<Parameter> parameters;
  for (const char *name : {"scores", "cache"}) {
    parameters.push_back({b.constant(random_tensor({6, 4}, parameters.size() + 1))});
    teacher.add_output(b.op("MatMul", {x, parameters.back().value}), name);
  }
  Graph student = teacher;
  for (const Parameter &parameter : parameters) student.set_data(parameter.value, random_tensor({6, 4}, 9));
  const Numbers samples({1, 6});
  TrainOptions options{.steps = 100, .rate = 0.02};
  options.outputs = {0};
  const auto found = train(student, parameters, teacher, all_ops(), samples, all_of(samples), options);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_LT(found->after, 0.1 * found->before);
  EXPECT_FALSE(identical(*student.constant(parameters[0].value), random_tensor({6, 4}, 9)));
  EXPECT_TRUE(identical(*student.constant(parameters[1].value), random_tensor({6, 4}, 9)));
}

TEST(Training, RefusesFeaturesOfOtherShapes) {
  const Graph teacher =
      parsed("<opset_import: [\"\" : 17]> g (float[1,3,8,8] x) => (float[1,3,8,8] y) <float[3] w = {1,2,3}>"
             "{ h = Relu(x)  p = GlobalAveragePool(h)  m = Mul(p, p)  a = Add(h, m) y = Sigmoid(a) }");
  for (const bool asked : {true, false}) {
    Graph student = parsed("<opset_import: [\"\" : 17]> g (float[1,3,8,8] x) => (float[1,3,8,8] y)"
                           "<float[3,3,1,1] w = {1,2,3, 2,3,4, 0,1,1}> { h = Conv(x, w)  y = Sigmoid(h) }");
    TrainOptions options{.steps = 10};
    options.features = *named_features("h=p", student, teacher);
    options.features[0].asked = asked;
    std::vector<Parameter> parameters;
    for (const ValueId id : student.values())
      if (student.constant(id) != nullptr) parameters.push_back({id});
    const Numbers samples({1, 3, 8, 8});
    const auto found = train(student, parameters, teacher, all_ops(), samples, all_of(samples), options);
    ASSERT_EQ(static_cast<bool>(found), !asked);
    if (asked)
      EXPECT_THAT(found.error().message, HasSubstr("features: h of the network that is trained is float[1,3,8,8], p "
                                                   "of its teacher float[1,3,1,1]"));
    else
      EXPECT_EQ(found->features, 0U);
  }
}

TEST(Training, GivesTheSameNumbersOnAnyThreads) {
  const Network original = small_network();
  std::vector<Tensor> expected;
  for (const int threads : {1, 2, 3}) {
    Network network = small_network();
    damage(network);
    const auto found =
        train_damaged(network, original.graph, {.steps = 12, .zeros = 0.6, .threads = threads, .isa = detect_isa()});
    ASSERT_TRUE(found) << found.error().message;
    for (std::size_t i = 0; i < network.parameters.size(); ++i) {
      const Tensor &values = *network.graph.constant(network.parameters[i].value);
      if (threads == 1)
        expected.push_back(values);
      else
        EXPECT_TRUE(identical(values, expected[i])) << threads << " threads, parameter " << i;
    }
  }
}

/// Nothing else differs but what the products are rounded to, and that little; what memory allows changes nothing.
TEST(Training, GivesTheSameNumbersOnBfloat16OnAnyThreads) {
  if (!has_bfloat16(detect_isa())) GTEST_SKIP() << "no instructions on bfloat16";
  const Network original = small_network();
  const auto trained = [&](bool bfloat16, int threads, std::size_t memory) {
    Network network = small_network();
    damage(network);
    TrainOptions options{.steps = 12, .rate = 0.01, .bfloat16 = bfloat16, .threads = threads, .isa = detect_isa()};
    options.memory = memory;
    const auto found = train_damaged(network, original.graph, options);
    EXPECT_TRUE(found) << found.error().message;
    return values_of(network);
  };
  constexpr std::size_t enough = std::size_t{192} << 20;
  const auto exact = trained(false, 1, enough), expected = trained(true, 1, enough);
  EXPECT_FALSE(identical(exact[0], expected[0]));
  for (const auto &found : {trained(true, 2, enough), trained(true, 3, enough), trained(true, 1, 1 << 16)})
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE(identical(found[i], expected[i])) << "parameter " << i;
  const auto low = trained(false, 2, 1 << 16);
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_TRUE(identical(low[i], exact[i])) << "parameter " << i;
}

TEST(Training, PrunesOnTheWay) {
  const Network original = small_network();
  Network network = small_network();
  damage(network);
  const auto found = train_damaged(network, original.graph, {.steps = 80, .rate = 0.01, .zeros = 0.7});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->pruned);
  double zeros = 0, all = 0;
  for (const Parameter &parameter : network.parameters) {
    if (!parameter.keeps_zeros) continue;
    const auto values = network.graph.constant(parameter.value)->as<float>();
    zeros += static_cast<double>(std::ranges::count(values, 0.0F));
    all += static_cast<double>(values.size());
  }
  EXPECT_NEAR(zeros / all, 0.7, 0.01);
}

TEST(Training, LeavesAloneWhatItCannotImprove) {
  Network network = small_network();
  const Network original = small_network();
  const auto found = train_damaged(network, original.graph, {.steps = 10});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->improved());
  for (std::size_t i = 0; i < network.parameters.size(); ++i)
    EXPECT_TRUE(identical(*network.graph.constant(network.parameters[i].value),
                          *original.graph.constant(original.parameters[i].value)));
}

TEST(Training, NamesTheOperatorThatStopsIt) {
  Network network = small_network("Round");
  const Graph teacher = network.graph;
  const auto found = train_damaged(network, teacher, {.steps = 10});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unsupported);
  EXPECT_THAT(found.error().message, HasSubstr("(Round): there is no gradient"));
}

/// Rows that are normalized over the batch cannot be run together.
TEST(Training, RunsSamplesTogetherOnlyWhereTheyDoNotMeet) {
  for (const bool meets : {false, true}) {
    Graph graph;
    graph.opsets[""] = 17;
    Builder b(graph, all_ops());
    const ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 6})),
                  w = b.constant(random_tensor({6, 4}, 3));
    ValueId y = b.op("MatMul", {x, w});
    if (meets) y = b.mul(y, b.op("Softmax", {y}, {{"axis", std::int64_t{0}}}));
    graph.add_output(y, "y");
    const Numbers samples({1, 6});
    SampleCache cache(samples);
    const std::vector<ValueId> parameters{w};
    const auto indices = all_of(samples);
    const ShardOptions options;
    Shards shards(graph, parameters, graph, all_ops(), cache, options);
    const Status prepared = shards.prepare(indices);
    ASSERT_TRUE(prepared) << prepared.error().message;
    EXPECT_EQ(shards.rows(), meets ? 1U : 8U);
  }
}

/// As if the process had been killed: the state of some moment, and another run from there.
TEST(Training, GoesOnFromACheckpointBitForBit) {
  const Network original = small_network();
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("edgec-training-{}", getpid());
  std::filesystem::create_directories(folder);
  const auto kept = (folder / "whole.state").string();
  for (const auto &[zeros, descent] : {std::pair{0.0, Descent::adam}, {0.6, Descent::adam}, {0.0, Descent::sgd}}) {
    TrainOptions options{.steps = 40, .rate = 0.01, .descent = descent, .zeros = zeros};
    options.checkpoint = kept;
    std::set<std::string> moments;
    options.progress = [&](std::size_t done, std::size_t) {
      if (done != 7 && done != 22 && done != 37) return;
      const auto copy = folder / fmt::format("{}.state", done);
      std::filesystem::copy_file(kept, copy, std::filesystem::copy_options::overwrite_existing);
      moments.insert(copy.string());
    };
    std::filesystem::remove(kept);
    Network whole = small_network();
    damage(whole);
    const auto expected = train_damaged(whole, original.graph, options);
    ASSERT_TRUE(expected) << expected.error().message;
    ASSERT_EQ(moments.size(), 3U);
    moments.insert(kept); // that of the end, too
    for (const std::string &moment : moments) {
      Network again = small_network();
      damage(again);
      TrainOptions from{.steps = 40, .rate = 0.01, .descent = descent, .zeros = zeros, .threads = 2};
      from.checkpoint = moment;
      const auto found = train_damaged(again, original.graph, from);
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(found->after, expected->after);
      const auto a = values_of(whole), b = values_of(again);
      for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(identical(a[i], b[i])) << moment << ", parameter " << i;
    }
    Network other = small_network();
    const auto refused = train_damaged(other, original.graph, options); // its weights are not damaged
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::usage);
    EXPECT_THAT(refused.error().message, HasSubstr("is the state of another training"));
  }
  std::filesystem::remove_all(folder);
}

/// Labels that a network answers with, and it does not know them yet.
TEST(Training, LearnsLabels) {
  const Network original = small_network();
  const Numbers samples({1, 3, 8, 8});
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < samples.size(); ++i) { // whether the first channel is bright: two of ten classes
    const Sample sample = *samples.load(i);
    const auto values = sample[0].as<float>().first(64);
    labels.push_back(std::accumulate(values.begin(), values.end(), 0.0F) > 0 ? 3 : 7);
  }
  for (const double hard : {1.0, 0.5}) {
    Network network = small_network();
    const auto found = train(network.graph, network.parameters, original.graph, all_ops(), samples, all_of(samples),
                             {.steps = 150,
                              .rate = 0.01,
                              .hard = hard,
                              .labels = labels,
                              .augmentation = {.mixup = true, .flips = false, .shifts = false}});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_LT(found->after, (hard < 1 ? 0.7 : 0.5) * found->before) << hard; // the teacher says otherwise
  }
}

/// Ten classes in turn: a split by position would judge two of them, and train none of these.
TEST(Training, JudgesOnAllKindsOfSamples) {
  class Turns : public SampleSet {
  public:
    [[nodiscard]] std::size_t size() const override { return 200; }
    [[nodiscard]] std::string label(std::size_t) const override { return "turn"; }
    [[nodiscard]] std::string description() const override { return "turns"; }
    [[nodiscard]] Result<Sample> load(std::size_t index) const override {
      std::vector<float> values(10, -1);
      values[index % 10] = 1;
      return Sample{Tensor::of({1, 10}, std::move(values))};
    }
  };
  Graph graph;
  graph.opsets[""] = 17;
  Builder b(graph, all_ops());
  const ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 10})),
                w = b.constant(random_tensor({10, 10}, 3));
  graph.add_output(b.op("MatMul", {x, w}), "y");
  const Turns samples;
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < samples.size(); ++i) labels.push_back(static_cast<std::int64_t>(i % 10));
  const std::vector<Parameter> parameters{{w}};
  const Graph teacher = graph;
  const auto found = train(graph, parameters, teacher, all_ops(), samples, all_of(samples),
                           {.steps = 200, .rate = 0.05, .hard = 1, .labels = labels});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_LT(found->after, 0.1 * found->before);
}

TEST(Training, RefusesLabelsOfAnswersWithoutClasses) {
  Graph graph;
  graph.opsets[""] = 17;
  Builder b(graph, all_ops());
  const ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 3, 8, 8})),
                w = b.constant(random_tensor({4, 3, 3, 3}, 3));
  graph.add_output(b.op("Conv", {x, w}), "y");
  const Numbers samples({1, 3, 8, 8});
  const std::vector<std::int64_t> labels(samples.size());
  const std::vector<Parameter> parameters{{w}};
  const Graph teacher = graph;
  const auto found = train(graph, parameters, teacher, all_ops(), samples, all_of(samples),
                           {.steps = 3, .hard = 0.5, .labels = labels});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unsupported);
  EXPECT_THAT(found.error().message, HasSubstr("is not one row of classes a sample"));
}

TEST(Training, NamesAnswersThatTheTeacherHasOtherwise) {
  Network network = small_network();
  Graph teacher;
  teacher.opsets[""] = 17;
  Builder b(teacher, all_ops());
  const ValueId x = teacher.add_input("x", Type::tensor(DType::float32, Dims{1, 3, 8, 8}));
  teacher.add_output(b.op("Flatten", {x}), "y");
  const auto found = train_damaged(network, teacher, {.steps = 3});
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("answer 1 of the network that is trained is float[1,10], that of its "
                                               "teacher float[1,192]"));
}

/// Series of 4 to 7 steps; a network over each step alone, so that all lengths want the same weights.
class Lengths : public SampleSet {
public:
  explicit Lengths(std::size_t shapes) : shapes_(shapes) {}
  [[nodiscard]] std::size_t size() const override { return 200; }
  [[nodiscard]] std::string label(std::size_t) const override { return "length"; }
  [[nodiscard]] std::string description() const override { return "lengths"; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    return Sample{random_tensor({1, static_cast<std::int64_t>(4 + index % shapes_), 6}, index)};
  }

private:
  std::size_t shapes_;
};

Network steps_network() {
  Network made;
  made.graph.opsets[""] = 17;
  Builder b(made.graph, all_ops());
  const ValueId x = made.graph.add_input("x", Type::tensor(DType::float32, Dims{1, 4, 6}));
  made.parameters = {{b.constant(random_tensor({6, 3}, 3))}};
  made.graph.add_output(b.op("MatMul", {x, made.parameters[0].value}), "y");
  Type type = made.graph.value(x).type;
  (*type.shape)[0] = Dim::named("N"), (*type.shape)[1] = Dim::named("T");
  made.graph.set_type(x, type);
  return made;
}

TEST(Training, LearnsFromSamplesOfSeveralShapes) {
  const Network teacher = steps_network();
  const Lengths samples(4);
  std::vector<Tensor> expected;
  for (const int threads : {1, 2}) {
    Network network = steps_network();
    network.graph.set_data(network.parameters[0].value, random_tensor({6, 3}, 4));
    const auto found = train(network.graph, network.parameters, teacher.graph, all_ops(), samples, all_of(samples),
                             {.steps = 200, .rate = 0.02, .threads = threads, .isa = detect_isa()});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->held_out, 40U);
    EXPECT_LT(found->after, 1e-3 * found->before);
    if (threads == 1) expected = values_of(network);
    EXPECT_TRUE(identical(values_of(network)[0], expected[0]));
  }
}

TEST(Training, RefusesSamplesOfVeryManyShapes) {
  Network network = steps_network();
  const Graph teacher = network.graph;
  const Lengths samples(65);
  const auto found =
      train(network.graph, network.parameters, teacher, all_ops(), samples, all_of(samples), {.steps = 3});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unsupported);
  EXPECT_THAT(found.error().message, HasSubstr("training takes samples of at most 64 shapes"));
}

TEST(Buckets, DealBatchesOfOneShapeAndAllOfThem) {
  const std::vector<std::vector<std::size_t>> buckets{{0, 1, 2}, {}, {10, 11, 12, 13, 14, 15, 16, 17, 18}};
  Dealer dealer(buckets, {2, 4, 3}, 5);
  std::map<std::size_t, std::size_t> times;
  std::set<std::size_t> seen;
  for (int i = 0; i < 400; ++i) {
    const Batch batch = dealer.deal();
    ++times[batch.bucket];
    EXPECT_EQ(batch.draws.size(), batch.bucket == 0 ? 2U : 3U);
    for (const Draw &draw : batch.draws) {
      EXPECT_EQ(draw.sample < 10, batch.bucket == 0);
      EXPECT_EQ(draw.other < 10, batch.bucket == 0);
      seen.insert(draw.sample);
    }
  }
  EXPECT_EQ(seen.size(), 12U);
  EXPECT_EQ(times.size(), 2U);
  EXPECT_NEAR(static_cast<double>(times[0]), 100, 35); // a quarter of the samples
  EXPECT_EQ(dealer.dealt(), 400U);
}

/// A chain of products that all differ a little from the teacher's.
TEST(Training, TakesHalfTheRateForDeepNetworks) {
  const auto rate_of = [](std::size_t layers) {
    Graph student;
    student.opsets[""] = 17;
    Builder b(student, all_ops());
    ValueId x = student.add_input("x", Type::tensor(DType::float32, Dims{1, 6}));
    std::vector<Parameter> parameters;
    for (std::size_t i = 0; i < layers; ++i) {
      std::vector<float> values(36);
      for (std::size_t k = 0; k < 36; k += 7) values[k] = 1;
      parameters.push_back({b.constant(Tensor::of({6, 6}, std::move(values)))});
      x = b.op("MatMul", {x, parameters.back().value});
    }
    student.add_output(x, "y");
    Graph teacher = student;
    teacher.set_data(parameters[0].value, random_tensor({6, 6}, 2));
    const Numbers samples({1, 6});
    const auto found = train(student, parameters, teacher, all_ops(), samples, all_of(samples), {.steps = 1});
    EXPECT_TRUE(found) << found.error().message;
    return found->rate;
  };
  EXPECT_DOUBLE_EQ(rate_of(51), 0.5 * rate_of(50));
}

TEST(Training, NeedsSamplesToJudgeBy) {
  Network network = small_network();
  const Graph teacher = network.graph;
  const Numbers samples({1, 3, 8, 8});
  const std::vector<std::size_t> few{0, 1, 2, 3};
  const auto found = train(network.graph, network.parameters, teacher, all_ops(), samples, few, {.steps = 3});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::usage);
  EXPECT_EQ(found.error().message, "training needs at least 5 samples: a fifth of them judges");
}

/// A linear network's answers have the gradient x: its mean square over signs and samples is E x^2.
TEST(Importance, IsTheMeanSquareOfTheAnswersGradient) {
  Graph graph;
  graph.opsets[""] = 17;
  Builder b(graph, all_ops());
  const ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 4}));
  const ValueId w = b.constant(random_tensor({4, 3}, 5));
  graph.add_output(b.op("MatMul", {b.mul(x, b.constant(Tensor::of({4}, std::vector<float>{0, 1, 2, 3}))), w}), "y");
  const std::vector<Parameter> parameters{{w}};
  const Numbers samples({1, 4});
  const auto found = gradient_squares(graph, parameters, all_ops(), samples, all_of(samples),
                                      {.steps = 400, .augmentation = {false, false, false}});
  ASSERT_TRUE(found) << found.error().message;
  double means[4] = {};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample sample = *samples.load(i);
    for (std::size_t k = 0; k < 4; ++k)
      means[k] += std::pow(static_cast<double>(k) * static_cast<double>(sample[0].as<float>()[k]), 2);
  }
  const auto squares = (*found)[0].as<float>();
  for (std::size_t column = 0; column < 3; ++column) {
    EXPECT_EQ(squares[column], 0);
    const double unit = squares[3 + column] / means[1];
    for (std::size_t k = 2; k < 4; ++k) EXPECT_NEAR(squares[3 * k + column] / means[k] / unit, 1, 0.1);
  }
}

} // namespace
} // namespace edgec
