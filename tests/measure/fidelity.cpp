#include "measure/fidelity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "ir/text.h"
#include "measure/logits.h"
#include "ops/registry.h"

namespace edgec {
namespace {

Noise noise_of(std::vector<double> reference, std::vector<double> test) {
  Noise noise;
  noise.add(reference, test);
  return noise;
}

TEST(Noise, IsTheRatioOfSquaredSumsInDecibels) {
  const Noise noise = noise_of({3, -4}, {3, -4.5});
  EXPECT_DOUBLE_EQ(noise.signal, 25);
  EXPECT_DOUBLE_EQ(noise.noise, 0.25);
  EXPECT_DOUBLE_EQ(noise.max_error, 0.5);
  EXPECT_DOUBLE_EQ(noise.max_reference, 4);
  EXPECT_DOUBLE_EQ(*noise.sqnr_db(), 20);
}

TEST(Noise, OfEqualNumbersHasNoRatio) { EXPECT_FALSE(noise_of({1, 2}, {1, 2}).sqnr_db()); }

TEST(Noise, TakesANumberThatIsNotFiniteOnOneSideAsAnUnboundedError) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(noise_of({1}, {infinity}).max_error, infinity);
  EXPECT_EQ(noise_of({infinity}, {-infinity}).max_error, infinity);
  EXPECT_EQ(noise_of({infinity}, {infinity}).max_error, 0);
}

TEST(RealValues, AreCodesTimesScale) {
  const Tensor codes = Tensor::of<std::uint8_t>({2}, {0, 12});
  Type type = Type::of(codes);
  type.quant = Quant::per_tensor(0.5F, 10);
  EXPECT_THAT(real_values(codes, type), testing::ElementsAre(-5, 1));
  EXPECT_THAT(real_values(codes, Type::of(codes)), testing::ElementsAre(0, 12));
}

class Logits : public testing::Test {
protected:
  Graph graph_;
  ValueId input_ = graph_.add_input("x", Type::tensor(DType::float32, Dims{1, 10}));

  ValueId apply(const char *op, ValueId value) {
    Node node{.op = op, .inputs = {value}};
    return graph_.add_op(std::move(node), Type::tensor(DType::float32));
  }
};

TEST_F(Logits, AreWhatTheFinalSoftmaxReads) {
  const ValueId scores = apply("Relu", input_);
  graph_.add_output(apply("Flatten", apply("Softmax", scores)), "y");
  EXPECT_EQ(find_logits(graph_), scores);
}

TEST_F(Logits, AreTheOutputWhereNoSoftmaxEndsTheNetwork) {
  const ValueId last = apply("Relu", apply("Softmax", input_));
  graph_.add_output(last, "y");
  EXPECT_EQ(find_logits(graph_), last);
}

TEST_F(Logits, AreAbsentWithoutOutputs) { EXPECT_FALSE(find_logits(graph_).valid()); }

/// Rows of two numbers, several a call.
class Rows : public SampleSet {
public:
  Rows(std::vector<float> values, std::size_t batch) : values_(std::move(values)), batch_(batch) {}
  std::size_t size() const override { return (rows() + batch_ - 1) / batch_; }
  std::size_t rows() const override { return values_.size() / 2; }
  std::size_t batch() const override { return batch_; }
  std::string label(std::size_t index) const override { return "row " + std::to_string(index); }
  std::string description() const override { return "rows"; }
  using SampleSet::rows;
  Result<Sample> load(std::size_t index) const override {
    std::vector<float> call;
    for (std::size_t row = index * batch_; row < (index + 1) * batch_; ++row) {
      const std::size_t from = std::min(row, rows() - 1) * 2;
      call.insert(call.end(), {values_[from], values_[from + 1]});
    }
    return Sample{Tensor::of<float>({static_cast<std::int64_t>(batch_), 2}, std::move(call))};
  }

private:
  std::vector<float> values_;
  std::size_t batch_;
};

Graph scaled(const std::string &batch, const std::string &factors) {
  auto graph = parse_graph("<opset_import: [\"\" : 13]>\ng (float[" + batch + ",2] x) => (float[" + batch +
                           ",2] y)\n  <float[2] f = {" + factors + "}>\n{\n  z = Mul(x, f)\n  y = Softmax(z)\n}\n");
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return std::move(*graph);
}

/// Three rows; the second factor of the test network is 0.5 where the reference's is 1.
Result<Fidelity> measured(const Rows &rows, const std::vector<std::int64_t> *labels, int threads = 1,
                          const char *batch = "N") {
  const Graph reference = scaled(batch, "1.0, 1.0"), test = scaled(batch, "1.0, 0.5");
  std::vector<std::size_t> calls(rows.size());
  std::iota(calls.begin(), calls.end(), 0);
  return measure_fidelity(&reference, test, all_ops(), rows, {.threads = threads, .indices = calls, .labels = labels});
}

const std::vector<float> three_rows{1, 4, 3, 4, 5, 0}; // logits of the test network: 1 2, 3 2, 5 0

TEST(MeasureFidelity, ComparesLogitsAndCountsLabels) {
  const std::vector<std::int64_t> labels{1, 1, 1};
  const auto fidelity = measured(Rows(three_rows, 1), &labels);
  ASSERT_TRUE(fidelity) << fidelity.error().message;
  EXPECT_EQ(fidelity->samples, 3U);
  EXPECT_EQ(fidelity->agreeing, 2U);
  EXPECT_EQ(fidelity->reference_accuracy->top1, 2U);
  EXPECT_EQ(fidelity->test_accuracy->top1, 1U);
  EXPECT_EQ(fidelity->test_accuracy->top5, 3U);
  EXPECT_DOUBLE_EQ(fidelity->logits.noise.noise, 8);
  EXPECT_DOUBLE_EQ(fidelity->logits.noise.signal, 17 + 25 + 25);
  EXPECT_DOUBLE_EQ(*fidelity->median_sqnr_db, 10 * std::log10(25.0 / 4)); // of 17/4, 25/4 and equal
  ASSERT_EQ(fidelity->outputs.size(), 1U);
  EXPECT_EQ(fidelity->outputs[0].name, "y");
  EXPECT_GT(fidelity->outputs[0].noise.max_error, 0.2);
}

TEST(MeasureFidelity, NamesTheAnswersThatChanged) {
  const auto fidelity = measured(Rows(three_rows, 1), nullptr);
  ASSERT_TRUE(fidelity);
  ASSERT_EQ(fidelity->changed.size(), 1U);
  const ChangedAnswer &changed = fidelity->changed[0];
  EXPECT_EQ(changed.row, 1U);
  EXPECT_EQ(changed.before, 1U);
  EXPECT_EQ(changed.after, 0U);
  EXPECT_DOUBLE_EQ(changed.lead, 1);     // of 3 and 4
  EXPECT_DOUBLE_EQ(changed.lead_now, 1); // of 3 and 2
  EXPECT_EQ(measured(Rows(three_rows, 2), nullptr, 1, "2")->changed[0].row, 1U);
}

TEST(MeasureFidelity, DoesNotDependOnThreadsOrBatch) {
  const std::vector<std::int64_t> labels{1, 0, 1};
  const auto one = measured(Rows(three_rows, 1), &labels), two = measured(Rows(three_rows, 1), &labels, 2);
  const auto pairs = measured(Rows(three_rows, 2), &labels, 1, "2");
  ASSERT_TRUE(one && two && pairs);
  for (const auto *other : {&*two, &*pairs}) {
    EXPECT_EQ(other->samples, 3U);
    EXPECT_EQ(other->agreeing, one->agreeing);
    EXPECT_EQ(other->test_accuracy->top1, one->test_accuracy->top1);
    EXPECT_EQ(other->logits.noise.noise, one->logits.noise.noise);
    EXPECT_EQ(other->median_sqnr_db, one->median_sqnr_db);
  }
}

TEST(MeasureFidelity, LabelsOfOtherClassesAreCountedInsteadOfAccuracy) {
  const std::vector<std::int64_t> labels{1, 7, 2};
  const auto fidelity = measured(Rows(three_rows, 1), &labels);
  ASSERT_TRUE(fidelity);
  EXPECT_EQ(fidelity->foreign_labels, 2U);
  EXPECT_FALSE(fidelity->test_accuracy);
  EXPECT_EQ(fidelity->agreeing, 2U);
}

TEST(MeasureFidelity, NamesTheSampleWhoseLogitsAreNotFinite) {
  const auto fidelity = measured(Rows({1, 4, std::numeric_limits<float>::infinity(), 1}, 1), nullptr);
  ASSERT_FALSE(fidelity);
  EXPECT_EQ(fidelity.error().code, Code::bad_input);
  EXPECT_THAT(fidelity.error().message, testing::StartsWith("row 1: output "));
}

TEST(MeasureFidelity, NetworksTakeTurns) {
  const Graph reference = scaled("N", "1.0, 1.0"), other = scaled("N", "1.0, 0.5");
  const Graph *const tests[] = {&reference, &other};
  const std::vector<std::size_t> calls{0, 1, 2};
  const auto fidelity = measure_fidelity(reference, tests, all_ops(), Rows(three_rows, 1), {.indices = calls});
  ASSERT_TRUE(fidelity) << fidelity.error().message;
  EXPECT_EQ(fidelity->agreeing, 2U); // the second row is run by the other network
  EXPECT_DOUBLE_EQ(fidelity->logits.noise.noise, 4);
}

TEST(MeasureFidelity, TakesWhatWasKeptForTheReferences) {
  const Graph reference = scaled("N", "1.0, 1.0"), test = scaled("N", "1.0, 0.5");
  ASSERT_TRUE(stands_for(scaled("N", "1.0, 1.0"), reference));
  ASSERT_EQ(compared_values(reference).size(), 2U); // the shares, and the scores that they are of
  const ReferenceOutputs kept;
  const std::vector<Tensor> values{Tensor::of<float>({1, 2}, {0.5F, 0.5F}), Tensor::of<float>({1, 2}, {1, 5})};
  kept.keep(0, values);
  const std::vector<std::size_t> calls{0, 1};
  const auto fidelity = measure_fidelity(&reference, test, all_ops(), Rows(three_rows, 1),
                                         {.indices = calls, .reference_outputs = &kept});
  ASSERT_TRUE(fidelity) << fidelity.error().message;
  EXPECT_DOUBLE_EQ(fidelity->logits.noise.noise, 9 + 4); // of (1, 2) beside (1, 5), and of (3, 2) beside (3, 4)
}

TEST(MeasureFidelity, NoNetworkStandsForOneWhoseAnswersAreReadElsewhere) {
  const Graph shares = scaled("N", "1.0, 1.0");
  Graph scores = shares;
  scores.set_output(0, compared_values(shares)[1]);
  EXPECT_FALSE(stands_for(scores, shares));
}

/// A graph of rows of two numbers, in ONNX's text form.
Graph rows_graph(const std::string &outputs, const std::string &body) {
  auto graph = parse_graph("<opset_import: [\"\" : 13]>\ng (float[N,2] x) => (" + outputs + ")\n{\n" + body + "}\n");
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return std::move(*graph);
}

TEST(MeasureFidelity, TheOutputThatLostMostIsTold) {
  const std::string outputs = "float[N,2] none, float[N,2] large, float[N,2] small";
  const auto body = [](const char *factor) {
    return std::string("  zero = Constant<value_float = 0.0>()\n  none = Mul(x, zero)\n  many = Constant<value_float = "
                       "1000.0>()\n"
                       "  large = Mul(x, many)\n  few = Constant<value_float = ") +
           factor + ">()\n  small = Mul(x, few)\n";
  };
  const Graph reference = rows_graph(outputs, body("0.001")), test = rows_graph(outputs, body("0.0005"));
  const std::vector<std::size_t> calls{0, 1, 2};
  const auto fidelity = measure_fidelity(&reference, test, all_ops(), Rows(three_rows, 1), {.indices = calls});
  ASSERT_TRUE(fidelity) << fidelity.error().message;
  EXPECT_EQ(fidelity->logits.name, "small");
  EXPECT_NEAR(fidelity->sqnr_db(), 10 * std::log10(4), 1e-3);
}

TEST(MeasureFidelity, OutputsAreComparedWhereARewriteMovedWhatArgMaxReads) {
  const char *text = R"(<opset_import: ["" : 13]>
g (float[N,2] x) => (int64[N,1] y) <int64[1] zero = {0}, int64[1] one = {1}>
{ a = ArgMax<axis = 1>(x) y = %s }
)";
  const auto network = [&](std::string_view last) {
    std::string whole = text;
    return parse_graph(whole.replace(whole.find("%s"), 2, last)).value();
  };
  const Graph reference = network("Slice(a, zero, one, zero)"), test = network("Identity(a)");
  const std::vector<std::size_t> calls{0, 1, 2};
  const auto fidelity = measure_fidelity(&reference, test, all_ops(), Rows(three_rows, 1), {.indices = calls});
  ASSERT_TRUE(fidelity) << fidelity.error().message;
  EXPECT_EQ(fidelity->outputs[0].noise.noise, 0);
}

TEST(JudgedNumbers, AreThoseThatNoMaskMade) {
  constexpr double infinite = std::numeric_limits<double>::infinity(), lowest = std::numeric_limits<float>::lowest();
  const Answer numbers, scores{.axis = -1, .shares = true}, across{.axis = 1, .shares = true};
  EXPECT_EQ(judged_numbers(numbers, {1, 4}, {-1e9, lowest, -infinite, 7}), (std::vector<double>{-1e9, 0, 0, 7}));
  EXPECT_EQ(judged_numbers(scores, {2, 3}, {-1e4, 3, 5, -infinite, lowest, -infinite}),
            (std::vector<double>{0, 3, 5, 0, 0, 0}));
  EXPECT_EQ(judged_numbers(scores, {1, 3}, {-999, 0, -infinite}), (std::vector<double>{-999, 0, 0}));
  EXPECT_EQ(judged_numbers(scores, {1, 3}, {-1e9, -1e9 + 5, -1e9}),
            (std::vector<double>{-1e9, -1e9 + 5, -1e9})); // all alike
  EXPECT_EQ(judged_numbers(across, {1, 2, 2}, {1, -1e5, -1e5, 2}), (std::vector<double>{1, 0, 0, 2}));
}

TEST(MeasureFidelity, OutputsAreComparedWhereARewriteHidTheFinalOperator) {
  const char *looked_through[] = {"Reshape(i, shape)", "Flatten(i)", "Identity(i)"};
  const auto network = [](const std::string &last) {
    return rows_graph("int64[?,?] y", "  k = Constant<value_ints = [2]>()\n  shape = Constant<value_ints = [1, 2]>()\n"
                                      "  v, i = TopK(x, k)\n  y = " +
                                          last + "\n");
  };
  const Graph hidden = network("Transpose<perm = [0, 1]>(i)");
  const std::vector<std::size_t> calls{0, 1, 2};
  for (const char *last : looked_through) {
    const Graph seen = network(last);
    for (const auto &[reference, test] : {std::pair(&hidden, &seen), std::pair(&seen, &hidden)}) {
      const auto fidelity = measure_fidelity(reference, *test, all_ops(), Rows(three_rows, 1), {.indices = calls});
      ASSERT_TRUE(fidelity) << fidelity.error().message;
      EXPECT_EQ(fidelity->outputs[0].noise.noise, 0) << last;
      EXPECT_EQ(fidelity->agreement(), 1.0) << last;
    }
  }
}

TEST(MeasureFidelity, CodesBesideIntegersWithoutAScaleAreComparedAsStored) {
  for (const char *dtype : {"int8", "uint8"})
    for (const char *zero_point : {"0", "3"}) {
      const auto network = [&](const std::string &quant) {
        return rows_graph(std::string(dtype) + "[N,2]" + quant + " y",
                          std::string("  s = Constant<value = float {0.5}>()\n  z = Constant<value = ") + dtype + " {" +
                              zero_point + "}>()\n  y = QuantizeLinear(x, s, z)\n");
      };
      const Graph plain = network(""), codes = network(std::string("{0.5,") + zero_point + "}");
      const std::vector<std::size_t> calls{0, 1, 2};
      for (const auto &[reference, test] :
           {std::pair(&plain, &codes), std::pair(&codes, &plain), std::pair(&codes, &codes)}) {
        const auto fidelity = measure_fidelity(reference, *test, all_ops(), Rows(three_rows, 1), {.indices = calls});
        ASSERT_TRUE(fidelity) << fidelity.error().message;
        EXPECT_EQ(fidelity->outputs[0].noise.noise, 0) << dtype << ' ' << zero_point;
        EXPECT_EQ(fidelity->outputs[0].noise.max_reference, reference == &codes && test == &codes ? 5.0
                                                            : zero_point[0] == '0'                ? 10.0
                                                                                                  : 13.0);
      }
    }
}

/// Nothing along any one axis, of every rank, and read by every final operator.
TEST(MeasureFidelity, OutputsWithoutElementsAreEqual) {
  const char *finals[] = {"Identity(e)", "Softmax(e)", "ArgMax<axis = -1>(e)", "Softmax<axis = 0>(e)"};
  for (int rank = 1; rank <= 4; ++rank)
    for (int empty = 0; empty < rank; ++empty)
      for (const char *last : finals) {
        if (std::string_view(last).starts_with("ArgMax") && empty == rank - 1) continue; // of nothing: undefined
        std::string shape;
        for (int axis = 0; axis < rank; ++axis) shape += axis == empty ? "0," : axis % 2 == 0 ? "2," : "3,";
        shape.back() = ']';
        std::string type = std::string_view(last).starts_with("ArgMax") ? "int64[?" : "float[?";
        for (int axis = 1; axis < rank; ++axis) type += ",?";
        const Graph graph = rows_graph(
            type + "] y", "  s = Constant<value_ints = [" + shape +
                              ">()\n  zero = Constant<value_ints = [0]>()\n"
                              "  a = Slice(x, zero, zero, zero)\n  e = Reshape<allowzero = 1>(a, s)\n  y = " +
                              last + "\n");
        const std::vector<std::size_t> calls{0, 1, 2};
        const auto fidelity = measure_fidelity(&graph, graph, all_ops(), Rows(three_rows, 1), {.indices = calls});
        ASSERT_TRUE(fidelity) << fidelity.error().message;
        EXPECT_EQ(fidelity->outputs[0].noise.count, 0U) << shape << ' ' << last;
        EXPECT_EQ(fidelity->answers, 0U) << shape << ' ' << last;
      }
}

TEST(ClassAxis, IsWhereScoresOfClassesLie) {
  const Answer plain, softmax{.axis = -1}, segmented{.axis = 1}, tokens{.tokens = true};
  EXPECT_EQ(class_axis(plain, {10}), 0U);
  EXPECT_EQ(class_axis(plain, {8, 10}), 1U);
  EXPECT_EQ(class_axis(plain, {8, 10, 1, 1}), 1U);
  EXPECT_EQ(class_axis(plain, {8, 1, 1, 10}), 3U);
  EXPECT_EQ(class_axis(tokens, {1, 7, 500}), 2U);
  EXPECT_EQ(class_axis(softmax, {1, 4420, 2}), 2U);
  EXPECT_EQ(class_axis(segmented, {1, 21, 8, 8}), 1U);
  for (const Dims &dims :
       {Dims{}, Dims{1}, Dims{8, 1}, Dims{1, 4420, 4}, Dims{1, 21, 8, 8}, Dims{0, 10}, Dims{8, 10, 0}})
    EXPECT_FALSE(class_axis(plain, dims));
}

} // namespace
} // namespace edgec
