// Every shape that ONNX allows for the operands of Gemm, MatMul, Conv and ConvTranspose, in every scheme: the network
// that comes out computes about what the float one does, and so does the file that is written.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "formats/flat/flat.h"
#include "ir/text.h"
#include "job/compressor.h"
#include "job/model_file.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "schemes/int8/options.h"
#include "support/random.h"
#include "tests/schemes/settings.h"

namespace edgec {
namespace {

constexpr std::size_t fitted = 12, unseen = 6;

/// A network of one layer `[layer] y = ...` that reads x, of these dims, behind a Tanh.
struct Case {
  std::string name;
  Dims data;
  std::string body; ///< with {w}, {c} for constants
  Dims weight;
  std::optional<Dims> other = std::nullopt;
  Dims output;
};

class Draws : public SampleSet {
public:
  explicit Draws(Dims dims) : dims_(std::move(dims)) {}
  std::size_t size() const override { return fitted + unseen; }
  std::string label(std::size_t index) const override { return fmt::format("draw {}", index); }
  std::string description() const override { return "draws"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    return Sample{normal(random, dims_, 1)};
  }
  static Tensor normal(Random &random, const Dims &dims, double sigma) {
    std::vector<float> values(static_cast<std::size_t>(element_count(dims).value()));
    for (float &x : values) x = static_cast<float>(sigma * random.normal());
    return Tensor::of(dims, std::move(values));
  }

private:
  Dims dims_;
};

std::vector<Case> gemm_cases() {
  std::vector<Case> cases;
  constexpr std::int64_t m = 4, k = 12, n = 5;
  const std::pair<const char *, std::optional<Dims>> terms[] = {
      {"", std::nullopt},  {", c", Dims{}},     {", c", Dims{1}},
      {", c", Dims{n}},    {", c", Dims{1, n}}, {", c", Dims{m, 1}},
      {", c", Dims{m, n}}, {", c", Dims{1, 1}}, {", computed", std::nullopt}};
  for (const auto &[operand, c] : terms)
    for (const bool trans_a : {false, true})
      for (const bool trans_b : {false, true})
        for (const bool left : {false, true}) {
          const bool factors = trans_a != left;
          Case one{.name = fmt::format("Gemm{}{}{} C{}", left ? " by the left" : "", trans_a ? " A^T" : "",
                                       trans_b ? " B^T" : "", c ? fmt::format("[{}]", fmt::join(*c, ",")) : operand),
                   .data = {},
                   .body = {},
                   .weight = {},
                   .other = c,
                   .output = {m, n}};
          Dims a{m, k}, b{k, n};
          if (trans_a) std::swap(a[0], a[1]);
          if (trans_b) std::swap(b[0], b[1]);
          one.data = left ? b : a;
          one.weight = left ? a : b;
          one.body =
              fmt::format("{} [layer] y = Gemm<transA = {:d}, transB = {:d}{}>({}{})",
                          operand == std::string(", computed") ? "computed = ReduceMean<keepdims = 0>(h)" : "", trans_a,
                          trans_b, factors ? ", alpha = 0.5, beta = 2.0" : "", left ? "w, h" : "h, w", operand);
          cases.push_back(std::move(one));
        }
  return cases;
}

std::vector<Case> matmul_cases() {
  constexpr std::int64_t k = 12;
  const std::string by = "[layer] y = MatMul(h, w)", left = "[layer] y = MatMul(w, h)",
                    own = "t = Sigmoid(h) [layer] y = MatMul(t, h)";
  return {{"vector by matrix", {k}, by, {k, 5}, {}, {5}},
          {"matrix by vector", {4, k}, by, {k}, {}, {4}},
          {"vector by vector", {k}, by, {k}, {}, {}},
          {"matrices", {4, k}, by, {k, 5}, {}, {4, 5}},
          {"rank 3", {2, 4, k}, by, {k, 5}, {}, {2, 4, 5}},
          {"rank 4", {2, 3, 4, k}, by, {k, 5}, {}, {2, 3, 4, 5}},
          {"rank 5", {1, 2, 3, 2, k}, by, {k, 5}, {}, {1, 2, 3, 2, 5}},
          {"stack", {2, 4, k}, by, {2, k, 5}, {}, {2, 4, 5}},
          {"stack of one", {2, 4, k}, by, {1, k, 5}, {}, {2, 4, 5}},
          {"matrix by stack of one", {4, k}, by, {1, k, 5}, {}, {1, 4, 5}},
          {"matrix by stack", {4, k}, by, {3, k, 5}, {}, {3, 4, 5}},
          {"vector by stack", {k}, by, {3, k, 5}, {}, {3, 5}},
          {"stacks that broadcast", {2, 1, 4, k}, by, {3, k, 5}, {}, {2, 3, 4, 5}},
          {"one column", {4, k}, by, {k, 1}, {}, {4, 1}},
          {"one term", {4, 1}, by, {1, 5}, {}, {4, 5}},
          {"constant on the left", {k, 4}, left, {5, k}, {}, {5, 4}},
          {"constant vector on the left", {k, 4}, left, {k}, {}, {4}},
          {"constant stack on the left", {k, 4}, left, {2, 5, k}, {}, {2, 5, 4}},
          {"constant on the left of a vector", {k}, left, {5, k}, {}, {5}},
          {"no constant", {4, 4}, own, {1}, {}, {4, 4}},
          {"no constant, vectors", {k}, own, {1}, {}, {}},
          {"no rows", {0, k}, by, {k, 5}, {}, {0, 5}}};
}

std::vector<Case> conv_cases() {
  std::vector<Case> cases;
  for (std::size_t rank = 1; rank <= 3; ++rank)
    for (const std::int64_t groups : {1, 2, 6})
      for (const bool transposed : {false, true})
        for (const bool bias : {false, true}) {
          Case one{.name = fmt::format("{} of rank {}, {} groups{}", transposed ? "ConvTranspose" : "Conv", rank,
                                       groups, bias ? ", bias" : ""),
                   .data = {2, 6},
                   .body = {},
                   .weight = {6, 6 / groups},
                   .other = bias ? std::optional(Dims{6}) : std::nullopt,
                   .output = {2, 6}};
          Dims strides(rank, 1), dilations(rank, 1);
          strides.back() = 2;
          dilations.front() = 2;
          for (std::size_t i = 0; i < rank; ++i) {
            one.data.push_back(5);
            one.weight.push_back(2);
            const std::int64_t reach = dilations[i];
            one.output.push_back(transposed ? 4 * strides[i] + reach + 1 - 1 : (5 + 1 - reach - 1) / strides[i] + 1);
          }
          Dims pads(2 * rank, 0);
          for (std::size_t i = 0; i < rank; ++i) pads[i] = 1;
          one.body = fmt::format("[layer] y = {}<group = {}, strides = [{}], dilations = [{}], pads = [{}]>(h, w{})",
                                 transposed ? "ConvTranspose" : "Conv", groups, fmt::join(strides, ","),
                                 fmt::join(dilations, ","), fmt::join(pads, ","), bias ? ", c" : "");
          cases.push_back(std::move(one));
        }
  return cases;
}

/// What is asked for, and the decibels that the answers keep at least.
struct Scheme {
  std::string name;
  double least;
  Words words;
  const char *format = "qdq";
};

std::vector<Scheme> schemes() {
  return {{"int8", 25, {"int8"}},
          {"int8 rounded", 25, {"int8", "effort=fast"}},
          {"int8 equalized", 25, {"int8", "equalize=on"}},
          {"int8 qoperator", 10, {"int8"}, "qoperator"},
          {"int8 of 4 bits", 8, {"int8", "weight-bits=4"}},
          {"int8 pruned", 0, {"int8", "prune=0.3"}},
          {"prune", 3, {"prune=0.3"}},
          {"prune by magnitude", 3, {"prune=0.3", "effort=fast"}},
          {"prune 2:4", 0, {"prune=2:4"}},
          {"prune channels", -1, {"prune-channels=0.3"}},
          {"low rank", 5, {"low-rank=0.6", "low-rank-sqnr=6"}},
          {"share", 5, {"share=3"}},
          {"share rounded", 5, {"share=3", "effort=fast"}},
          {"share network", 5, {"share=3", "share-codebook=network"}},
          {"share hash", -3, {"share-hash=0.5"}},
          {"rate", -3, {"rate=1e-4"}},
          {"int8 rate", -3, {"int8", "rate=1e-4"}}};
}

Graph graph_of(const Case &one) {
  Graph graph = parse_graph(fmt::format("<opset_import: [\"\" : 21]> g (float[{}] x) => (float[{}] y) <float[1] w = "
                                        "{{0}}, float[1] c = {{0}}> {{ h = Tanh(x) {} }}",
                                        fmt::join(one.data, ","), fmt::join(one.output, ","), one.body))
                    .value();
  Random random(7);
  const auto terms = static_cast<double>(std::max<std::int64_t>(1, element_count(one.weight).value() / 6));
  const Tensor weight = Draws::normal(random, one.weight, 1 / std::sqrt(terms)),
               other = Draws::normal(random, one.other.value_or(Dims{1}), 0.5);
  for (const NodeId id : graph.nodes())
    for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i) {
      const std::string name = graph.value(graph.node(id).inputs[i]).name;
      if (name == "w") graph.set_input(id, i, graph.add_constant(weight, "weight"));
      if (name == "c") graph.set_input(id, i, graph.add_constant(other, "other"));
    }
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops())) << one.name;
  return graph;
}

double decibels(const Graph &reference, const Graph &test, const SampleSet &samples) {
  Runner a(reference, all_ops(), {}), b(test, all_ops(), {});
  double signal = 0, noise = 0;
  for (std::size_t i = fitted; i < samples.size(); ++i) {
    const Sample sample = samples.load(i).value();
    const auto wanted = a.run_tensors(sample), found = b.run_tensors(sample);
    if (!wanted || !found) return ADD_FAILURE() << (wanted ? found : wanted).error().message, -1e9;
    const auto x = to_doubles(wanted->front()), y = to_doubles(found->front());
    EXPECT_EQ(wanted->front().dims, found->front().dims);
    for (std::size_t k = 0; k < x.size() && k < y.size(); ++k)
      signal += x[k] * x[k], noise += (x[k] - y[k]) * (x[k] - y[k]);
  }
  return noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

void compress_case(const Case &one, const Scheme &scheme) {
  SCOPED_TRACE(one.name + ", " + scheme.name);
  const Graph graph = graph_of(one);
  Dataset data;
  data.samples = std::make_unique<Draws>(one.data);
  for (std::size_t i = 0; i < fitted; ++i) data.indices.push_back(i);
  CompressRequest request;
  request.settings = settings_of(scheme.words);
  request.settings.edit<Int8Options>().integer_results = std::string_view(scheme.format) == "qoperator";
  request.file_bytes = [](const Graph &g) -> Result<std::size_t> {
    EDGEC_ASSIGN(const auto bytes, serialize_flat({.graph = g}, {}));
    return bytes.size();
  };
  const auto compressed = compress(graph, request, data);
  ASSERT_TRUE(compressed) << compressed.error().message;
  EXPECT_TRUE(compressed->outcome.warnings.empty()) << compressed->outcome.warnings.front();
  EXPECT_GE(decibels(graph, compressed->graph, *data.samples), scheme.least);
  const std::string path =
      testing::TempDir() + fmt::format("edgec_shapes.{}.onnx", ::getpid()); // several of this may run at once
  Model model;
  model.graph = compressed->graph;
  const Status written = write_model(model, path, *find_format(scheme.format), {.force = true});
  ASSERT_TRUE(written) << written.error().message;
  const auto back = read_model(path);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_GE(decibels(graph, back->graph, *data.samples), scheme.least);
}

TEST(Shapes, AreRightInEveryScheme) {
  std::vector<Case> cases = gemm_cases();
  for (const auto &more : {matmul_cases(), conv_cases()}) cases.insert(cases.end(), more.begin(), more.end());
  std::size_t count = 0;
  for (const Case &one : cases)
    for (const Scheme &scheme : schemes()) compress_case(one, scheme), ++count;
  RecordProperty("cases", static_cast<int>(count));
}

} // namespace
} // namespace edgec
