// The search sees sizes and answers only through functions: here a made-up network whose size follows from the rate.
#include "passes/rate/rate_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/registry.h"

namespace edgec {
namespace {

constexpr std::size_t weights = 100000;

/// 1,000 bytes and half a bit a weight less for twice the rate.
std::size_t size_at(double rate) { return static_cast<std::size_t>(1000 + weights / 8.0 * std::max(0.0, 2 - 0.5 * std::log2(rate))); }

Result<RateOutcome> search(const RateRequest &wanted) {
  const std::vector<Tensor> reference{Tensor::of<float>({1, 2}, {3, -3}), Tensor::of<float>({1, 2}, {1, 2})};
  PassContext context{.ops = all_ops()};
  RateRequest request = wanted;
  request.cross_fit = false;
  request.bytes = [](const Graph &graph) -> Result<std::size_t> { return size_at(std::stod(graph.name)); };
  const AtRate at_rate = [](double rate, std::span<const std::size_t>) -> Result<Graph> {
    Graph graph;
    graph.name = std::to_string(rate * 1e6) + "e-6";
    return graph;
  };
  const auto logits = [](const Graph &) { return ValueId{}; };
  return search_rate(at_rate, reference, logits, context, request, weights);
}

TEST(RateSearch, MeetsASizeFromBelowAndClosely) {
  for (const std::size_t limit : {9000U, 20000U, 47000U}) {
    const auto found = search({.max_size = limit});
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->met);
    const std::size_t bytes = size_at(std::stod(found->graph.name));
    EXPECT_LE(bytes, limit);
    EXPECT_GE(static_cast<double>(bytes), 0.98 * static_cast<double>(limit));
    EXPECT_TRUE(std::ranges::is_sorted(found->curve, {}, &RatePoint::bytes));
  }
}

TEST(RateSearch, SaysWhenASizeCannotBeMet) {
  const auto found = search({.max_size = 500});
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->met);
}

TEST(RateSearch, TakesARateAsItIs) {
  const auto found = search({.rate = 0.25});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->curve.size(), 1U);
  EXPECT_EQ(found->rate, 0.25);
}

} // namespace
} // namespace edgec
