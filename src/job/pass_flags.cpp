#include "job/pass_flags.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "job/dataset.h"
#include "measure/fidelity.h"
#include "ops/registry.h"
#include "support/log.h"
#include "support/nearest.h"
#include "support/table.h"

namespace edgec {
namespace {

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const PassDef *pass : all_passes()) names.emplace_back(pass->name);
  for (const SchemeDef *scheme : all_schemes()) names.emplace_back(scheme->name);
  return names;
}

Status check_pass(std::string_view flag, const std::string &name) {
  if (find_pass(name) != nullptr || find_scheme(name) != nullptr) return {};
  return usage_error(
      fmt::format("{}: there is no pass '{}'; see 'edgec passes'{}", flag, name, did_you_mean(name, pass_names())));
}

bool holds(std::span<const std::string_view> passes, std::string_view name) {
  return std::ranges::find(passes, name) != passes.end();
}

std::vector<std::string> those_in(std::span<const std::string_view> passes, const std::vector<std::string> &names) {
  std::vector<std::string> found;
  for (const std::string &name : names) {
    if (holds(passes, name)) found.push_back(name);
  }
  return found;
}

/// Names that users can speak of.
std::vector<std::string> node_names(const Graph &graph) {
  std::vector<std::string> names;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    names.push_back(node.label());
    names.insert(names.end(), node.origins.begin(), node.origins.end());
  }
  return names;
}

Result<std::vector<Pattern>> expressions(std::string_view flag, const std::vector<std::string> &texts,
                                         const std::vector<std::string> &names) {
  std::vector<Pattern> found;
  for (const std::string &text : texts) {
    auto pattern = Pattern::parse(text);
    if (!pattern) return std::move(pattern).error().in(std::string(flag));
    if (std::ranges::none_of(names, [&](const std::string &name) { return pattern->matches(name); }))
      return usage_error(fmt::format("{}: '{}' fits no node's whole name{}", flag, text, did_you_mean(text, names)));
    found.push_back(*std::move(pattern));
  }
  return found;
}

} // namespace

void PassFlags::declare(Options &options) {
  options.group("Passes");
  options
      .add("--channel-multiple", "N", &channel_multiple,
           "where channels are cut, layers keep a multiple of N, or all (default 8, which runtimes compute faster; 1 "
           "for .edgec)")
      .between(1, 1024)
      .records();
  options.add("--skip-pass", "NAME", &skip, "leave this pass out; may be given again").split(',').records();
  options.add("--stop-after", "NAME", &stop_after, "run no pass after this one").records();
  options.add("--print-after", "NAME", &print_after, "print the graph to stderr after this pass").split(',');
  options.flag("--check-each", &check_each,
               "run the network after each exact pass; leave out one that moves an output");
  options.flag("--time-passes", &time_passes, "print the time of each pass to stderr");
}

Status PassFlags::check() const {
  for (const std::string &name : skip) EDGEC_CHECK(check_pass("--skip-pass", name));
  for (const std::string &name : print_after) EDGEC_CHECK(check_pass("--print-after", name));
  if (!stop_after.empty()) EDGEC_CHECK(check_pass("--stop-after", stop_after));
  return {};
}

int PassFlags::multiple_for(const FormatDef &format) const {
  if (channel_multiple > 0) return static_cast<int>(channel_multiple);
  return format.channel_multiple;
}

bool PassFlags::stops_in(std::span<const std::string_view> passes) const { return holds(passes, stop_after); }

PipelineOptions PassFlags::pipeline_options(std::span<const std::string_view> passes) const {
  PipelineOptions options;
  if (stops_in(passes)) options.stop_after = stop_after;
  options.skip = those_in(passes, skip);
  options.print_after = those_in(passes, print_after);
  options.print = [](std::string_view pass, const std::string &text) {
    say_raw(fmt::format("after {}:\n{}\n", pass, text));
  };
  return options;
}

void ScopeFlags::declare(Options &options) {
  options.group("What may lose");
  options.add("--include", "RE", &include, "only nodes whose whole name in the input file fits; may be given again")
      .needs("lossy")
      .records();
  options.add("--exclude", "RE", &exclude, "not nodes whose whole name fits; may be given again")
      .needs("lossy")
      .records();
  options.add("--op-types", "A,B", &op_types, "only nodes of these operators")
      .split(',')
      .needs("lossy")
      .records([this] { return fmt::format("{}", fmt::join(op_types, ",")); });
}

Result<Scope> ScopeFlags::scope(const Graph &input) const {
  const auto names = node_names(input);
  Scope scope;
  EDGEC_ASSIGN(scope.include, expressions("--include", include, names));
  EDGEC_ASSIGN(scope.exclude, expressions("--exclude", exclude, names));
  std::vector<std::string> types;
  for (const NodeId id : input.nodes()) types.push_back(input.node(id).op);
  std::ranges::sort(types);
  types.erase(std::unique(types.begin(), types.end()), types.end());
  const auto is_there = [&](const std::string &type) { return std::ranges::find(types, type) != types.end(); };
  const bool none = std::ranges::none_of(op_types, is_there); // some: one recipe may serve several networks
  for (const std::string &type : op_types) {
    if (is_there(type)) continue;
    const std::string absent = fmt::format("--op-types: the network has no {}{}", type, did_you_mean(type, types));
    if (none) return usage_error(absent);
    warn(absent);
  }
  scope.op_types = op_types;
  const auto is_included = [&](const std::string &name) {
    return std::ranges::any_of(scope.include, [&](const Pattern &rule) { return rule.matches(name); });
  };
  std::ranges::copy_if(names, std::back_inserter(scope.named), is_included);
  return scope;
}

std::vector<std::string_view> names_of(std::span<const PassDef *const> passes) {
  std::vector<std::string_view> names;
  for (const PassDef *pass : passes) names.push_back(pass->name);
  return names;
}

std::vector<std::string_view> names_of(std::span<const SchemeDef *const> schemes) {
  std::vector<std::string_view> names;
  for (const SchemeDef *scheme : schemes) names.push_back(scheme->name);
  return names;
}

std::string plan_text(std::span<const std::string> passes, bool verbose) {
  constexpr std::size_t width = 80;
  std::string text;
  std::size_t step = 0;
  bool listed = false;
  for (std::size_t i = 0; i < passes.size();) {
    if (const SchemeDef *scheme = find_scheme(passes[i])) {
      text += fmt::format("  {}. {}: {}\n", ++step, scheme->name, scheme->summary);
      ++i;
      continue;
    }
    const std::size_t first = i;
    while (i < passes.size() && find_scheme(passes[i]) == nullptr) ++i;
    text += fmt::format("  {}. {} exact passes, which keep what the network computes{}\n", ++step, i - first,
                        verbose || listed ? "" : " (-v lists them)");
    std::string line;
    for (std::size_t at = first; verbose && !listed && at < i; ++at) {
      if (!line.empty() && 5 + line.size() + 2 + passes[at].size() > width) {
        text += "     " + line + ",\n";
        line.clear();
      }
      line += (line.empty() ? "" : ", ") + passes[at];
    }
    if (!line.empty()) text += "     " + line + "\n";
    listed = true;
  }
  return text;
}

std::vector<PassFigures> pass_figures(const PipelineReport &report) {
  std::vector<PassFigures> figures;
  for (const PassRecord &record : report.passes) {
    if (record.runs == 0) continue;
    PassFigures pass{record.name, record.changed, record.seconds, {}};
    for (const PassNote &note : record.notes) pass.notes.push_back({note.node, note.text, note.skipped});
    figures.push_back(std::move(pass));
  }
  return figures;
}

std::string pass_times(const std::vector<PassFigures> &passes, std::size_t width) {
  Table table({"pass", "seconds", "changed"});
  for (const PassFigures &pass : passes)
    table.add({pass.name, fmt::format("{:.3f}", pass.seconds), pass.changed ? "yes" : "no"});
  return table.text(width);
}

} // namespace edgec
