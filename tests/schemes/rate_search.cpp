// The search sees sizes and answers only through functions: here a made-up network whose size follows from the rate.
#include "schemes/rate/rate_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <csignal>
#include <limits>

#include "ops/registry.h"
#include "support/cancel.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

constexpr std::size_t weights = 100000;

/// 1,000 bytes and half a bit a weight less for twice the rate.
std::size_t size_at(double rate) {
  return static_cast<std::size_t>(1000 + weights / 8.0 * std::max(0.0, 2 - 0.5 * std::log2(rate)));
}

/// The same, but falling faster where files are large: the search comes nearer in several steps.
std::size_t bent_size_at(double rate) {
  return static_cast<std::size_t>(1000 + weights / 8.0 * std::exp2(-0.3 * std::log2(rate)));
}

RateOptions of_size(std::size_t limit) { return {.max_size = static_cast<std::int64_t>(limit)}; }

Result<RateOutcome> search(const RateOptions &wanted, std::size_t (*size_of)(double) = size_at,
                           Progress stages = nullptr) {
  Job job{{.ops = all_ops()}};
  job.settings = wanted;
  job.cross_fit = false;
  job.stages = std::move(stages);
  job.file_bytes = [=](const Graph &graph) -> Result<std::size_t> { return size_of(std::stod(graph.name)); };
  const AtRate at_rate = [](double rate, std::span<const std::size_t>) -> Result<Graph> {
    Graph graph;
    graph.name = std::to_string(rate * 1e6) + "e-6";
    return graph;
  };
  const HeldOutJudge judge = [](const FitHalf &) { return Result<Fidelity>(Fidelity()); };
  return search_rate(at_rate, judge, 9.0, job, weights);
}

TEST(RateSearch, MeetsASizeFromBelowAndClosely) {
  for (const std::size_t limit : {9000U, 20000U, 47000U}) {
    const auto found = search(of_size(limit));
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->met);
    const std::size_t bytes = size_at(std::stod(found->graph.name));
    EXPECT_LE(bytes, limit);
    EXPECT_GE(static_cast<double>(bytes), 0.98 * static_cast<double>(limit));
    EXPECT_TRUE(std::ranges::is_sorted(found->curve, {}, &RatePoint::bytes));
  }
}

/// Files grow again where steps are beyond all weights.
std::size_t size_with_a_valley(double rate) {
  return size_at(rate) + static_cast<std::size_t>(std::exp2(std::max(0.0, std::log2(rate) - 4)) * 100);
}

TEST(RateSearch, ASizeThatCannotBeMetGivesTheSmallestFileSeen) {
  for (const auto size_of : {size_at, bent_size_at, size_with_a_valley})
    for (const std::size_t limit : {20U, 500U, 900U}) {
      const auto found = search(of_size(limit), size_of);
      ASSERT_TRUE(found);
      EXPECT_FALSE(found->met);
      const std::size_t bytes = size_of(std::stod(found->graph.name));
      EXPECT_EQ(bytes, found->smallest);
      for (const RatePoint &point : found->curve) EXPECT_LE(bytes, point.bytes);
    }
}

TEST(RateSearch, AnswersThatDoNotVaryAreASentence) {
  for (const double power : {0.0, std::numeric_limits<double>::quiet_NaN()}) {
    const HeldOutJudge judge = [](const FitHalf &) { return Result<Fidelity>(Fidelity()); };
    const AtRate at_rate = [](double, std::span<const std::size_t>) { return Result<Graph>(Graph()); };
    const auto found = search_rate(at_rate, judge, power, {{.ops = all_ops()}}, weights);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::bad_input);
  }
}

TEST(RateSearch, TakesARateAsItIs) {
  const auto found = search(RateOptions{.rate = 0.25});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->curve.size(), 1U);
  EXPECT_EQ(found->rate, 0.25);
}

/// Sends a signal from the `probe`-th probe on.
Result<RateOutcome> search_interrupted_at(int probe, std::size_t limit) {
  catch_interrupts();
  int begun = 0;
  auto found = search(of_size(limit), bent_size_at, [&](std::string_view, std::size_t, std::size_t) {
    if (++begun == probe) std::raise(SIGINT);
  });
  take_interrupt();
  return found;
}

TEST(RateSearch, KeepsTheBestSoFarWhenInterrupted) {
  int kept = 0, stopped = 0;
  for (std::size_t limit = 10000; limit < 10000000; limit *= 2) {
    const auto whole = search(of_size(limit), bent_size_at);
    ASSERT_TRUE(whole);
    bool fits = false;
    for (int probe = 1; probe <= static_cast<int>(whole->curve.size()); ++probe) {
      const auto found = search_interrupted_at(probe, limit);
      if (!found) {
        EXPECT_EQ(found.error().code, Code::interrupted);
        EXPECT_FALSE(fits); // once there is a file that fits, there is one
        ++stopped;
        continue;
      }
      fits = true;
      ++kept;
      EXPECT_TRUE(found->met);
      EXPECT_TRUE(found->interrupted);
      EXPECT_LE(bent_size_at(std::stod(found->graph.name)), limit);
      EXPECT_LT(found->curve.size(), whole->curve.size());
    }
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(stopped, 0);
}

TEST(RateSearch, NothingMeetsTheBudgetWhenInterrupted) {
  const auto found = search_interrupted_at(1, 500);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::interrupted);
}

TEST(RateSearch, TheChosenPointIsMarked) {
  const auto found = search(of_size(20000));
  ASSERT_TRUE(found);
  EXPECT_EQ(std::ranges::count(found->curve, true, &RatePoint::chosen), 1);
  EXPECT_EQ(std::ranges::find(found->curve, true, &RatePoint::chosen)->rate, found->rate);
}

} // namespace
} // namespace edgec
