// JUnit's XML, as Jenkins and GitLab read it: a failed case is a budget that was missed.
#include <fmt/format.h>

#include "report/findings.h"
#include "report/html/markup.h"
#include "report/report_file.h"

namespace edgec {
namespace {

void add_case(Markup &xml, const std::string &suite, const std::string &name, const std::string &failure) {
  xml.open("testcase", {{"classname", suite}, {"name", name}});
  if (!failure.empty()) xml.leaf("failure", failure, {{"message", failure}});
  xml.close();
}

void add_suite(Markup &xml, const View &run) {
  const std::string suite = file_name(run.at("provenance").text("input"));
  const auto budgets = run.list("budgets");
  const bool poor = verdict_of(run) == Verdict::poor;
  std::size_t failures = 0;
  for (const View &budget : budgets) failures += budget.flag("met") ? 0 : 1;
  const bool judged_poor = poor && failures == 0;
  xml.open("testsuite", {{"name", suite},
                         {"tests", fmt::to_string(budgets.size() + 1)},
                         {"failures", fmt::to_string(failures + (judged_poor ? 1 : 0))},
                         {"time", fmt::format("{:.3f}", run.number_or("seconds", 0))}});
  for (const View &budget : budgets)
    add_case(xml, suite, fmt::format("{} {:.6g}", budget.text("name"), budget.number_or("limit", 0)),
             budget.flag("met") ? "" : fmt::format("missed: found {}", budget.at("found").json().dump()));
  add_case(xml, suite, "faithful", judged_poor ? verdict_text(run) : "");
  xml.close();
}

} // namespace

std::string junit_report(const std::vector<nlohmann::ordered_json> &reports) {
  Markup xml;
  xml.open("testsuites", {{"name", "edgec"}});
  for (const auto &report : reports) add_suite(xml, View(report));
  xml.close();
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + xml.str() + "\n";
}

} // namespace edgec
