// Files broken on purpose, each in one way: the way is named, and its cure.
#include "diagnose/diagnose.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "calibrate/calibrate.h"
#include "compress/int8.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

Tensor normal(Random &random, const Dims &dims, double scale) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(scale * random.normal());
  return Tensor::of(dims, std::move(values));
}

struct Made : SampleSet {
  std::vector<Sample> all;
  [[nodiscard]] std::size_t size() const override { return all.size(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override { return all[index]; }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "made"; }
};

Made samples() {
  Made made;
  Random random(9);
  for (int i = 0; i < 8; ++i) made.all.push_back({normal(random, {1, 8, 6, 6}, 1)});
  return made;
}

using Change = std::function<void(std::vector<float> &)>; // of the numbers of a constant

/// Two convolutions, one of them depthwise, and a last layer; constants by name, changed where `changes` says so.
Model network(const std::map<std::string, Change> &changes = {}) {
  Model model;
  model.ir_version = 9;
  model.graph = parse_graph(R"(<opset_import: ["" : 17]>
    g (float[1,8,6,6] x) => (float[1,10] y)
      <float[1] w1 = {0}, float[1] b1 = {0}, float[1] wd = {0}, float[1] bd = {0}, float[1] w2 = {0}, float[1] b2 = {0},
       float[1] wf = {0}, int64[2] flat = {1, 16}> {
      [first] c = Conv<pads = [1, 1, 1, 1]>(x, w1, b1)
      [relu1] r = Relu(c)
      [dw] d = Conv<pads = [1, 1, 1, 1], group = 16>(r, wd, bd)
      [second] e = Conv(d, w2, b2)
      [pool] p = GlobalAveragePool(e)
      [flat] q = Reshape(p, flat)
      [last] y = Gemm<transB = 1>(q, wf)
    })")
                    .value();
  const std::vector<std::pair<std::string, Dims>> constants{
      {"w1", {16, 8, 3, 3}},  {"b1", {16}}, {"wd", {16, 1, 3, 3}}, {"bd", {16}},
      {"w2", {16, 16, 1, 1}}, {"b2", {16}}, {"wf", {10, 16}}};
  Random random(3);
  for (const auto &[name, dims] : constants) {
    const double terms = dims.size() < 2 ? 25 : static_cast<double>(*element_count(dims) / dims[0]);
    const Tensor made = normal(random, dims, 1 / std::sqrt(terms));
    std::vector<float> values(made.as<float>().begin(), made.as<float>().end());
    if (const auto change = changes.find(name); change != changes.end()) change->second(values);
    for (const ValueId id : model.graph.values())
      if (model.graph.value(id).name == name && model.graph.constant(id) != nullptr)
        model.graph.replace_uses(id, model.graph.add_constant(Tensor::of(dims, values), name + "_"));
  }
  model.graph.remove_dead();
  EXPECT_TRUE(infer_types(model.graph, all_ops()));
  return model;
}

/// How a file is quantized: the range of a value is that of the samples, unless said.
struct Making {
  std::map<std::string, Range> ranges;             ///< by the node that gives the value
  std::map<std::string, std::int32_t> zero_points; ///< the same
  std::vector<std::string> per_tensor;             ///< nodes whose weights have one scale
};

class Maker {
public:
  Maker(const Model &model, const SampleSet &samples, Making making)
      : original_(model), made_(model), making_(std::move(making)) {
    CalibrationOptions options;
    for (const ValueId id : original_.graph.values())
      if (original_.graph.constant(id) == nullptr) options.ranges.push_back(id);
    std::vector<std::size_t> all(samples.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    options.folds = 1;
    seen_ = calibrate(original_.graph, all_ops(), samples, all, options)->folds.front();
  }

  Model make() {
    Graph &graph = made_.graph;
    round_value(graph.inputs()[0], "x");
    for (const NodeId id : original_.graph.nodes()) {
      const Node node = original_.graph.node(id);
      if (node.is("Conv") || node.is("Gemm")) round_constants(id, node);
      if (!node.is("Reshape") && !original_.graph.is_output(node.outputs[0])) round_value(node.outputs[0], node.name);
    }
    EXPECT_TRUE(graph.sort());
    return made_;
  }

private:
  const Model &original_;
  Model made_;
  Making making_;
  RangeStatistics seen_;
  std::map<ValueId, float> scales_;

  static Node node_of(std::string op, std::vector<ValueId> inputs) {
    Node node{.op = std::move(op), .inputs = std::move(inputs)};
    return node;
  }

  void round_value(ValueId id, const std::string &name) {
    Graph &graph = made_.graph;
    Range range{std::min(0.0F, seen_.at(id).minimum), std::max(0.0F, seen_.at(id).maximum)};
    if (const auto said = making_.ranges.find(name); said != making_.ranges.end()) range = said->second;
    Quant quant = asymmetric_quant(range, 8);
    if (const auto said = making_.zero_points.find(name); said != making_.zero_points.end())
      quant.zero_points = {said->second};
    const auto uses = graph.value(id).uses;
    const ValueId scale = graph.add_constant(Tensor::scalar(quant.scale())),
                  zero = graph.add_constant(Tensor::scalar(static_cast<std::uint8_t>(quant.zero_point())));
    Type type = graph.value(id).type;
    const Type reals = type;
    type.dtype = DType::uint8;
    const ValueId codes = graph.add_op(node_of("QuantizeLinear", {id, scale, zero}), type);
    const ValueId back = graph.add_op(node_of("DequantizeLinear", {codes, scale, zero}), reals);
    for (const Use &use : uses) graph.set_input(use.node, use.index, back);
    scales_[id] = quant.scale();
  }

  void round_constants(NodeId id, const Node &node) {
    Graph &graph = made_.graph;
    const Tensor weight = *original_.graph.constant(node.inputs[1]);
    const bool whole = std::ranges::find(making_.per_tensor, node.name) != making_.per_tensor.end();
    const ChannelSpan span =
        whole ? ChannelSpan{1, 1, static_cast<std::int64_t>(weight.size())} : ChannelSpan::of(weight.dims, 0);
    std::vector<float> scales = channel_maxima(weight.as<float>(), span);
    for (float &scale : scales) scale = std::max(scale / 127, 1e-30F);
    const auto codes = quantize_symmetric(weight.as<float>(), span, scales);
    set(id, 1, Tensor::of(weight.dims, codes), scales, reals_of(weight));
    if (!node.input(2).valid()) return;
    const Tensor bias = *original_.graph.constant(node.inputs[2]);
    const auto input = scales_.find(node.inputs[0]);
    std::vector<float> steps;
    for (const float scale : scales) steps.push_back(input->second * scale);
    if (whole) steps.resize(1);
    set(id, 2, Tensor::of(bias.dims, quantize_bias(to_doubles(bias), input->second, scales)), steps, reals_of(bias));
    (void)graph;
  }

  static Type reals_of(const Tensor &tensor) { return Type::of(tensor); }

  void set(NodeId id, std::size_t operand, Tensor codes, const std::vector<float> &scales, Type reals) {
    Graph &graph = made_.graph;
    const bool one = scales.size() == 1;
    const ValueId stored = graph.add_constant(std::move(codes));
    const ValueId scale = graph.add_constant(one ? Tensor::scalar(scales[0])
                                                 : Tensor::of({static_cast<std::int64_t>(scales.size())}, scales));
    Node node = node_of("DequantizeLinear", {stored, scale});
    if (!one) node.attributes = {{"axis", std::int64_t{0}}};
    graph.set_input(id, operand, graph.add_op(std::move(node), std::move(reals)));
  }
};

Diagnosis diagnosed(const Model &reference, const Model &test, const SampleSet &samples) {
  DiagnoseOptions options;
  std::vector<std::size_t> all(samples.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  options.running.indices = all;
  auto found = diagnose(reference, test, all_ops(), samples, options);
  EXPECT_TRUE(found) << found.error().message;
  return found ? *std::move(found) : Diagnosis{};
}

Diagnosis diagnosed(const Model &reference, const Making &making) {
  const Made set = samples();
  const Model test = Maker(reference, set, making).make();
  return diagnosed(reference, test, set);
}

/// The worst cause, and where it sits.
void expect_cause(const Diagnosis &found, CauseKind kind, const std::string &node) {
  ASSERT_FALSE(found.causes.empty());
  EXPECT_EQ(definition(found.causes[0].kind).name, definition(kind).name) << diagnosis_text(found, 0, 200);
  EXPECT_TRUE(found.causes[0].matters);
  ASSERT_FALSE(found.tensors.empty());
  EXPECT_EQ(found.tensors[found.causes[0].tensors[0]].node, node) << diagnosis_text(found, 0, 200);
  EXPECT_GT(found.causes[0].without_db, found.rounded_db + 3);
}

TEST(Diagnose, AWellMadeFileHasNothingBroken) {
  const Diagnosis found = diagnosed(network(), Making{});
  EXPECT_GT(found.rounded_db, 25);
  EXPECT_GT(found.real_db, 100);
  EXPECT_TRUE(found.notes.empty()) << found.notes.front();
  EXPECT_EQ(found.tensors.size(), 13U); // 4 weights, 3 biases, 6 values
  for (const CauseFinding &cause : found.causes) EXPECT_EQ(definition(cause.kind).name, "too few bits");
  for (const TensorFinding &one : found.tensors) EXPECT_GT(one.alone_db, found.rounded_db) << one.node;
}

TEST(Diagnose, EqualizedLayersAreFollowed) {
  const auto scale = [](std::size_t period, std::size_t count, bool up) { // channel c by c + 1
    return [=](std::vector<float> &values) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto factor = static_cast<float>(i / period % count + 1);
        values[i] = up ? values[i] * factor : values[i] / factor;
      }
    };
  };
  const Model equalized = network({{"w1", scale(72, 16, true)},
                                   {"b1", scale(1, 16, true)},
                                   {"bd", scale(1, 16, true)},
                                   {"w2", scale(1, 16, false)}}); // the depthwise layer hands the factors on
  const Made set = samples();
  const Model test = Maker(equalized, set, {}).make();
  const Diagnosis found = diagnosed(network(), test, set);
  EXPECT_GT(found.real_db, 40);
  EXPECT_GT(found.rounded_db, 20);
  for (const TensorFinding &one : found.tensors) EXPECT_GT(one.alone_db, found.rounded_db - 3) << one.node << one.role;
}

TEST(Diagnose, DepthwiseWeightsPerTensor) {
  const Model reference = network({{"wd",
                                    [](std::vector<float> &w) {
                                      for (std::size_t i = 0; i < 9; ++i) w[i] *= 150;
                                    }},
                                   {"w1", [](std::vector<float> &w) {
                                      for (std::size_t i = 0; i < 72; ++i) w[i] /= 150;
                                    }}});
  const Diagnosis found = diagnosed(reference, {.per_tensor = {"dw"}});
  expect_cause(found, CauseKind::depthwise_per_tensor, "dw");
}

TEST(Diagnose, AnOutlierChannel) {
  const Model reference = network({{"w1",
                                    [](std::vector<float> &w) {
                                      for (std::size_t i = 0; i < 72; ++i) w[i] *= 100;
                                    }},
                                   {"wd", [](std::vector<float> &w) {
                                      for (std::size_t i = 0; i < 9; ++i) w[i] /= 100;
                                    }}});
  const Diagnosis found = diagnosed(reference, Making{});
  expect_cause(found, CauseKind::outlier_channel, "first");
  EXPECT_THAT(found.cure(), testing::Contains("--equalize on"));
}

TEST(Diagnose, ASaturatedRange) {
  const Diagnosis found = diagnosed(network(), {.ranges = {{"dw", {-0.4F, 0.4F}}}});
  expect_cause(found, CauseKind::saturation, "dw");
  EXPECT_THAT(found.cure(), testing::Contains("--range minmax"));
}

TEST(Diagnose, AZeroPointThatLeavesNoNegativeCodes) {
  const Diagnosis found = diagnosed(network(), {.zero_points = {{"dw", 0}}});
  expect_cause(found, CauseKind::zero_point, "dw");
}

TEST(Diagnose, ARangeFarTooWide) {
  expect_cause(diagnosed(network(), {.ranges = {{"second", {-300, 300}}}}), CauseKind::few_values, "second");
  expect_cause(diagnosed(network(), {.ranges = {{"second", {-1e5, 1e5}}}}), CauseKind::dead, "second");
}

TEST(Diagnose, ABiasBeyond32Bits) {
  const Model reference = network({{"w2",
                                    [](std::vector<float> &w) {
                                      for (std::size_t i = 0; i < 16; ++i) w[i] *= 1e-9F;
                                    }},
                                   {"b2", [](std::vector<float> &b) { b[0] = 5; }}});
  expect_cause(diagnosed(reference, Making{}), CauseKind::bias_overflow, "second");
}

TEST(Diagnose, AHeadThatMixesBoxesWithScores) {
  Model reference;
  reference.ir_version = 9;
  reference.graph = parse_graph(R"(<opset_import: ["" : 17]>
    g (float[1,8,6,6] x) => (float[1,4,6,6] boxes, float[1,4,6,6] scores)
      <float[1] w1 = {0}, float[1] w2 = {0}, int64[2] sizes = {4, 4}> {
      [boxes] b = Conv(x, w1)
      [scores] s = Conv(x, w2)
      [small] t = Sigmoid(s)
      [head] h = Concat<axis = 1>(b, t)
      [parts] boxes, scores = Split<axis = 1>(h, sizes)
    })")
                        .value();
  Random random(3);
  for (const auto &[name, scale] : {std::pair{"w1", 60.0}, {"w2", 0.3}})
    for (const ValueId id : reference.graph.values())
      if (reference.graph.value(id).name == name && reference.graph.constant(id) != nullptr)
        reference.graph.replace_uses(id, reference.graph.add_constant(normal(random, {4, 8, 1, 1}, scale)));
  reference.graph.remove_dead();
  ASSERT_TRUE(infer_types(reference.graph, all_ops()));
  const Diagnosis found = diagnosed(reference, Making{});
  expect_cause(found, CauseKind::mixed_head, "head");
  EXPECT_THAT(found.cure(), testing::Contains("--exclude boxes|small"));
}

TEST(Diagnose, AFloat16Overflow) {
  Model reference = network({{"w1",
                              [](std::vector<float> &w) {
                                for (float &x : w) x *= 3e4F;
                              }},
                             {"wd", [](std::vector<float> &w) {
                                for (float &x : w) x /= 3e4F;
                              }}});
  Model test = reference;
  Job job{{.ops = all_ops()}};
  job.settings = settings_of({"float16"}); // no samples: nobody saw how large values are
  ASSERT_TRUE(run_scheme("narrow-floats", test.graph, job));
  const Diagnosis found = diagnosed(reference, test, samples());
  ASSERT_FALSE(found.causes.empty());
  EXPECT_EQ(definition(found.causes[0].kind).name, "float16 overflow") << diagnosis_text(found, 0, 200);
  EXPECT_EQ(found.cure(), std::vector<std::string>{"--float16"});
}

TEST(Diagnose, AFileThatRoundsNothingIsSaidToBeOne) {
  const Made set = samples();
  const Model reference = network();
  DiagnoseOptions options;
  const std::size_t one[] = {0};
  options.running.indices = one;
  const auto found = diagnose(reference, reference, all_ops(), set, options);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, testing::HasSubstr("nothing in it is rounded"));
}

using Json = nlohmann::json;

/// Keys that an object has and its schema does not, or the other way round.
void compare_keys(const Json &value, const Json &schema, const std::string &at) {
  for (const auto &[key, member] : value.items()) EXPECT_TRUE(schema["properties"].contains(key)) << at << key;
  for (const Json &key : schema["required"]) EXPECT_TRUE(value.contains(key.get<std::string>())) << at << key;
}

TEST(Diagnose, TheJsonFollowsItsSchema) {
  std::ifstream file(EDGEC_SOURCE_DIR "/src/diagnose/diagnosis.schema.json");
  const Json schema = Json::parse(file);
  const Json value = Json::parse(diagnosis_json(diagnosed(network(), {.zero_points = {{"dw", 0}}})));
  compare_keys(value, schema, "");
  for (const char *list : {"tensors", "causes"}) {
    ASSERT_FALSE(value[list].empty());
    for (const Json &one : value[list]) compare_keys(one, schema["properties"][list]["items"], list);
  }
}

} // namespace
} // namespace edgec
