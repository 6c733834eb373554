#include "tests/cases/commands.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "ir/text.h"
#include "ops/registry.h"
#include "passes/pipeline.h"
#include "runtime/plan.h"
#include "support/random.h"

namespace edgec::cases {
namespace {

struct Arguments {
  std::vector<std::string> names;
  bool types = false;
  std::size_t fold_growth = 1024;
};

Result<Arguments> parse_arguments(const std::vector<std::string> &words) {
  Arguments out;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "--types")
      out.types = true;
    else if (words[i] == "--fold-growth" && i + 1 < words.size())
      out.fold_growth = std::stoul(words[++i]);
    else if (words[i].starts_with("--"))
      return usage_error("a case cannot say " + words[i]);
    else
      out.names.push_back(words[i]);
  }
  return out;
}

Result<Graph> typed_graph(std::string_view text) {
  EDGEC_ASSIGN(Graph graph, parse_graph(text));
  if (graph.opsets.empty()) graph.opsets[""] = 21;
  EDGEC_CHECK(infer_types(graph, all_ops()));
  return graph;
}

Result<std::string> run_passes(const Case &one, const Arguments &arguments) {
  EDGEC_ASSIGN(Graph graph, typed_graph(one.input));
  const bool opsets_given = !parse_graph(one.input)->opsets.empty();
  std::vector<const PassDef *> passes;
  for (const std::string &name : arguments.names) {
    passes.push_back(find_pass(name));
    if (!passes.back()) return usage_error("no pass is named " + name);
  }
  std::string out;
  PassContext context{.ops = all_ops(), .fold_growth_limit = arguments.fold_growth};
  context.note = [&](const PassNote &note) {
    out += fmt::format("# {}: {}: {}{}\n", note.pass, note.node, note.skipped ? "skipped: " : "", note.text);
  };
  EDGEC_CHECK(run_pipeline(graph, passes, context, {.check_honesty = true}));
  if (!opsets_given) graph.opsets.clear();
  return out + to_text(graph, {.only_quantized_types = !arguments.types});
}

Result<std::string> run(const Case &one) {
  if (one.command.empty()) return usage_error("a case needs a line `# run: command`");
  if (one.fact.empty()) return usage_error("a case needs a line `# fact: what it pins`");
  EDGEC_ASSIGN(const Arguments arguments, parse_arguments(one.command));
  if (one.command.front() == "passes") return run_passes(one, arguments);
  if (one.command.front() == "infer") {
    EDGEC_ASSIGN(const Graph graph, typed_graph(one.input));
    return to_text(graph);
  }
  return usage_error("no command is named " + one.command.front());
}

/// Seeded values for a graph's inputs; symbols and unknown dims become 2.
Result<std::vector<Tensor>> make_inputs(const Graph &graph) {
  Random random(1);
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs()) {
    const Type &type = graph.value(id).type;
    if (!type.is_tensor() || !type.shape || bits(type.dtype) == 0)
      return unsupported("inputs that are not tensors of known rank");
    Dims dims;
    for (const Dim &dim : *type.shape) dims.push_back(dim.is_known() ? dim.size : 2);
    std::vector<double> values(static_cast<std::size_t>(element_count(dims).value_or(0)));
    for (double &value : values)
      value = is_float(type.dtype) ? random.uniform(-2, 2)
                                   : static_cast<double>(random.below(type.is_quantized() ? 128 : 2));
    inputs.push_back(from_doubles(type.dtype, std::move(dims), values));
  }
  return inputs;
}

std::string difference(const Tensor &before, const Tensor &after) {
  if (before.dtype != after.dtype || before.dims != after.dims)
    return fmt::format("{} became {}", to_string(Type::of(before)), to_string(Type::of(after)));
  if (before.dtype == DType::string) return identical(before, after) ? "" : "strings differ";
  const auto a = to_doubles(before), b = to_doubles(after);
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return "NaN on one side only";
    if (a[i] == b[i] || std::isnan(a[i])) continue;
    largest = std::max(largest, std::abs(a[i]));
    worst = std::max(worst, std::abs(a[i] - b[i]));
  }
  for (const double value : a)
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  return worst <= 1e-5 * largest ? "" : fmt::format("differs by {} where the largest value is {}", worst, largest);
}

} // namespace

Outcome run_command(const Case &one) {
  const auto text = run(one);
  return text ? Outcome{false, *text} : Outcome{true, text.error().message};
}

std::string compare_runs(const Case &one, const Outcome &outcome, bool &ran) {
  ran = false;
  const auto before = typed_graph(one.input);
  const auto after = typed_graph(outcome.text);
  if (!before || !after) return "the graph that came out cannot be read: " + (before ? after : before).error().message;
  const auto inputs = make_inputs(*before);
  if (!inputs) return "";
  const PlanOptions options{.reference = true};
  const auto a = Runner(*before, all_ops(), options).run_tensors(*inputs);
  const auto b = Runner(*after, all_ops(), options).run_tensors(*inputs);
  if (!a || !b) {
    const Error &error = (a ? b : a).error();
    return error.code == Code::unsupported && !a ? "" : "cannot be run: " + error.message;
  }
  ran = true;
  if (a->size() != b->size()) return "the number of outputs differs";
  for (std::size_t i = 0; i < a->size(); ++i)
    if (std::string text = difference((*a)[i], (*b)[i]); !text.empty())
      return fmt::format("output {} {}", before->outputs()[i].name, text);
  return "";
}

} // namespace edgec::cases
