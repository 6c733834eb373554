// Gradient rules beside the gradients that PyTorch computes: scripts/record_gradients writes the cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "autodiff/differentiate.h"
#include "autodiff/rule.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

constexpr const char *cases_path = EDGEC_SOURCE_DIR "/tests/autodiff/pytorch_gradients.txt";

/// Graphs in ONNX's textual syntax, empty lines between them.
std::vector<std::string> recorded_cases() {
  std::vector<std::string> cases(1);
  std::ifstream file(cases_path);
  EXPECT_TRUE(file) << cases_path;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      cases.emplace_back();
    } else {
      cases.back() += line + '\n';
    }
  }
  return cases;
}

/// The network of a case: what PyTorch differentiated is an input.
struct Recorded {
  Graph graph;
  std::vector<ValueId> operands, fetches; ///< fetches: their gradients
  std::vector<RuntimeValue> feeds;
  std::vector<Tensor> gradients; ///< as PyTorch gives them
};

Result<Recorded> differentiated(const std::string &text) {
  Recorded made;
  EDGEC_ASSIGN(made.graph, parse_graph(text));
  Graph &graph = made.graph;
  std::map<std::string, ValueId> constants;
  for (const ValueId id : graph.values())
    if (graph.constant(id) != nullptr) constants[graph.value(id).name] = id;
  for (const auto &[name, id] : constants) {
    const auto gradient = constants.find("d" + name);
    if (gradient == constants.end()) continue;
    made.gradients.push_back(*graph.constant(gradient->second));
    made.feeds.emplace_back(*graph.constant(id));
    made.operands.push_back(graph.add_input(name, graph.value(id).type));
    graph.replace_uses(id, made.operands.back());
  }
  EDGEC_CHECK(infer_types(graph, all_ops()));
  Builder b(graph, all_ops());
  ValueId loss;
  for (const GraphOutput &y : graph.outputs()) {
    const ValueId part = b.sum_to(b.mul(y.value, constants.at("d" + y.name)), {});
    loss = loss.valid() ? b.add(loss, part) : part;
  }
  EDGEC_CHECK(b.status());
  EDGEC_ASSIGN(made.fetches, differentiate(graph, all_ops(), loss, made.operands));
  return made;
}

Result<std::vector<RuntimeValue>> run(const Recorded &recorded) {
  PlanOptions options;
  options.reference = true;
  options.fetches = recorded.fetches;
  std::vector<Type> types;
  for (const ValueId id : recorded.operands) types.push_back(recorded.graph.value(id).type);
  EDGEC_ASSIGN(const auto plan, Plan::compile(recorded.graph, all_ops(), types, options));
  return Session(plan).run(recorded.feeds);
}

TEST(Gradients, AreThoseOfPyTorch) {
  const auto cases = recorded_cases();
  EXPECT_GE(cases.size(), 90U);
  for (const std::string &text : cases) {
    SCOPED_TRACE(text.substr(0, text.find("\n<")));
    const auto recorded = differentiated(text);
    ASSERT_TRUE(recorded) << recorded.error().message;
    EXPECT_FALSE(recorded->operands.empty());
    const auto found = run(*recorded);
    ASSERT_TRUE(found) << found.error().message;
    for (std::size_t i = 0; i < found->size(); ++i) {
      const auto ours = to_doubles(*(*found)[i].tensor), theirs = to_doubles(recorded->gradients[i]);
      ASSERT_EQ(ours.size(), theirs.size());
      double largest = 0;
      for (const double x : theirs) largest = std::max(largest, std::abs(x));
      for (std::size_t k = 0; k < ours.size(); ++k)
        EXPECT_NEAR(ours[k], theirs[k], 1e-6 * largest)
            << "element " << k << " of " << recorded->graph.value(recorded->operands[i]).name;
    }
  }
}

TEST(Gradients, OfEveryRuleArePyTorchsToo) {
  std::string text;
  for (const std::string &one : recorded_cases()) text += one;
  for (const GradientRule *rule : all_gradient_rules()) {
    if (rule->straight_through) continue; // no function's gradient
    const std::string op = fmt::format("= {}", rule->op);
    EXPECT_TRUE(text.find(op + "(") != std::string::npos || text.find(op + "<") != std::string::npos) << rule->op;
  }
}

} // namespace
} // namespace edgec
