// int8 of what exporters write out operator by operator: normalizations, variances, Softmax, Gelu, attention blocks.
// Their inner values (squares, variances, differences) span more than 8 bits hold; those stay float, whatever the
// widths and the sizes of channels, so that the network keeps its answers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

constexpr std::int64_t tokens = 6;
constexpr std::size_t calibrated = 128; // ranges of few rows tell little of others

/// How the numbers lie that a chain reads.
struct Spread {
  const char *name;
  double size = 1, offset = 0, outlier = 1; ///< outlier: of one channel, in sizes of the others
};

constexpr Spread spreads[] = {{"plain"},
                              {"small", 0.01},
                              {"large", 100},
                              {"offset", 1, 5},
                              {"one large channel", 1, 0, 30},
                              {"large channel off 0", 0.3, 2, 20}};

class Rows : public SampleSet {
public:
  Rows(std::int64_t width, Spread spread) : width_(width), spread_(spread) {}
  std::size_t size() const override { return 144; }
  std::string label(std::size_t index) const override { return fmt::format("rows {}", index); }
  std::string description() const override { return "rows"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(40 + index);
    std::vector<float> values(static_cast<std::size_t>(tokens * width_));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double factor = static_cast<std::int64_t>(i) % width_ == 3 ? spread_.outlier : 1;
      values[i] = static_cast<float>(spread_.size * factor * (random.normal() + spread_.offset));
    }
    return Sample{Tensor::of({1, tokens, width_}, std::move(values))};
  }

private:
  std::int64_t width_;
  Spread spread_;
};

struct Chain {
  const char *name, *body; ///< h float[1,6,W] -> n float[1,6,W]; {w...} are [W,W], g and b [W]
};

constexpr Chain chains[] = {
    {"LayerNorm", "u = ReduceMean<axes = [-1]>(h) d = Sub(h, u) s = Pow(d, two) v = ReduceMean<axes = [-1]>(s) e = "
                  "Add(v, eps) r = Sqrt(e) q = Div(d, r) m = Mul(q, g) n = Add(m, b)"},
    {"LayerNorm by Mul", "u = ReduceMean<axes = [-1]>(h) d = Sub(h, u) s = Mul(d, d) v = ReduceMean<axes = [-1]>(s) e "
                         "= Add(v, eps) r = Sqrt(e) i = Reciprocal(r) q = Mul(d, i) m = Mul(q, g) n = Add(m, b)"},
    {"LayerNorm operator", "n = LayerNormalization<axis = -1>(h, g, b)"},
    {"RMSNorm",
     "s = Pow(h, two) v = ReduceMean<axes = [-1]>(s) e = Add(v, eps) r = Sqrt(e) q = Div(h, r) n = Mul(q, g)"},
    {"RMSNorm by Mul", "s = Mul(h, h) v = ReduceMean<axes = [-1]>(s) e = Add(v, eps) r = Sqrt(e) i = Reciprocal(r) q = "
                       "Mul(h, i) n = Mul(q, g)"},
    {"variance as a difference",
     "s = Mul(h, h) v = ReduceMean<axes = [-1]>(s) u = ReduceMean<axes = [-1]>(h) k = Mul(u, u) c = Sub(v, k) f = "
     "Relu(c) e = Add(f, eps) r = Sqrt(e) d = Sub(h, u) q = Div(d, r) m = Mul(q, g) n = Add(m, b)"},
    {"length", "s = ReduceL2<axes = [-1]>(h) e = Add(s, eps) n = Div(h, e)"},
    {"length by Clip", "s = ReduceSumSquare<axes = [-1]>(h) r = Sqrt(s) e = Max(r, eps) n = Div(h, e)"},
    {"instance", "u = ReduceMean<axes = [1]>(h) d = Sub(h, u) s = Mul(d, d) v = ReduceMean<axes = [1]>(s) e = Add(v, "
                 "eps) r = Sqrt(e) n = Div(d, r)"},
    {"Softmax", "u = ReduceMax<axes = [-1]>(h) d = Sub(h, u) p = Exp(d) t = ReduceSum(p, last) n = Div(p, t)"},
    {"Gelu", "c = Mul(h, half_root) e = Erf(c) o = Add(e, one) m = Mul(h, o) n = Mul(m, half)"},
    {"Gelu by Tanh", "k = Mul(h, h) c = Mul(k, h) t = Mul(c, cube) a = Add(h, t) z = Mul(a, root) e = Tanh(z) o = "
                     "Add(e, one) m = Mul(h, o) n = Mul(m, half)"},
    {"Silu", "e = Sigmoid(h) n = Mul(h, e)"},
    {"attention block", "l = LayerNormalization<axis = -1>(h, g, b) qq = MatMul(l, w2) kk = MatMul(l, w3) vv = "
                        "MatMul(l, w4) kt = Transpose<perm = [0, 2, 1]>(kk) sc = MatMul(qq, kt) ss = Div(sc, length) p "
                        "= Softmax<axis = -1>(ss) a = MatMul(p, vv) ao = MatMul(a, w5) y1 = Add(ao, h) "
                        "u = ReduceMean<axes = [-1]>(y1) d = Sub(y1, u) s = Pow(d, two) v = ReduceMean<axes = [-1]>(s) "
                        "e = Add(v, eps) r = Sqrt(e) q = Div(d, r) m = Mul(q, g) f = Add(m, b) "
                        "f1 = MatMul(f, w6) f2 = Relu(f1) f3 = MatMul(f2, w7) n = Add(f3, f)"},
};

Tensor normal(Random &random, Dims dims, double size, double mean = 0) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &value : values) value = static_cast<float>(mean + size * random.normal());
  return Tensor::of(std::move(dims), std::move(values));
}

Graph graph_of(const Chain &chain, std::int64_t width, bool direct) {
  std::string weights;
  for (const char *name : {"w1", "w2", "w3", "w4", "w5", "w6", "w7", "w9", "g", "b", "length"})
    weights += fmt::format("float[1] {} = {{1}}, ", name);
  Graph graph =
      parse_graph(
          fmt::format(
              R"(<opset_import: ["" : 17]> g (float[1,6,{0}] x) => (float[1,6,{0}] y) <{1} float two = {{2}}, float eps = {{0.00001}}, float one = {{1}}, float half = {{0.5}},
      float half_root = {{0.70710678}}, float root = {{0.7978846}}, float cube = {{0.044715}}, int64[1] last = {{-1}}> {{ {2} {3} y = MatMul(n, w9) }})",
              width, weights, direct ? "h = Identity(x)" : "h = MatMul(x, w1)", chain.body))
          .value();
  Random random(3);
  std::map<std::string, Tensor> constants;
  for (const char *name : {"w1", "w2", "w3", "w4", "w5", "w6", "w7", "w9"})
    constants[name] = normal(random, {width, width}, 1 / std::sqrt(static_cast<double>(width)));
  constants["g"] = normal(random, {width}, 0.2, 1);
  constants["b"] = normal(random, {width}, 0.2);
  constants["length"] = Tensor::scalar(std::sqrt(static_cast<float>(width)));
  for (const NodeId id : graph.nodes())
    for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i)
      if (const auto found = constants.find(graph.value(graph.node(id).inputs[i]).name); found != constants.end())
        graph.set_input(id, i, graph.add_constant(found->second, found->first + "_"));
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops())) << chain.name;
  return graph;
}

struct Figures {
  double sqnr_db = 0;
  std::size_t layers = 0;
  std::string reasons;
};

Figures quantized(const Graph &graph, const SampleSet &samples, bool second_order) {
  Job job = job_of(samples, {"int8", second_order ? "effort=default" : "effort=fast"}, calibrated);
  Figures figures;
  job.note = [&](const PassNote &note) {
    if (note.skipped) figures.reasons += fmt::format("{}: {}; ", note.node, note.text);
  };
  Graph result = graph;
  const auto outcome = run_scheme("quantize-int8", result, job);
  if (!outcome) return ADD_FAILURE() << outcome.error().message, figures;
  figures.layers = coded_layers(result);
  Runner a(result, all_ops(), {}), b(graph, all_ops(), {});
  double signal = 0, noise = 0;
  for (std::size_t i = calibrated; i < samples.size(); ++i) {
    const Sample sample = samples.load(i).value();
    const auto found = to_doubles(a.run_tensors(sample).value()[0]),
               wanted = to_doubles(b.run_tensors(sample).value()[0]);
    for (std::size_t k = 0; k < wanted.size(); ++k)
      signal += wanted[k] * wanted[k], noise += (wanted[k] - found[k]) * (wanted[k] - found[k]);
  }
  figures.sqnr_db = noise > 0 ? 10 * std::log10(signal / noise) : 200;
  return figures;
}

TEST(Int8Chains, KeepTheirAnswers) {
  constexpr double least_db = 23.5; // 25 on the samples that judge, which are others
  std::size_t count = 0;
  for (const Chain &chain : chains)
    for (const std::int64_t width : {8, 24, 64})
      for (const Spread &spread : spreads) {
        const bool direct = count % 3 == 0, second_order = count % 2 == 0; // in turn: a fit takes its time
        const Figures found = quantized(graph_of(chain, width, direct), Rows(width, spread), second_order);
        ++count;
        EXPECT_GE(found.sqnr_db, least_db)
            << chain.name << ", " << width << " wide, " << spread.name << (direct ? ", of the input" : ", of a layer")
            << ": " << found.layers << " layers " << found.reasons;
        EXPECT_GE(found.layers, 1U);
      }
  RecordProperty("cases", static_cast<int>(count));
}

} // namespace
} // namespace edgec
