// A summary for CI: GitHub's flavour of Markdown, as a job summary or a comment shows it.
#include <fmt/format.h>

#include "report/findings.h"
#include "report/html/markup.h"
#include "report/report_file.h"

namespace edgec {
namespace {

/// Text that no mark of Markdown or HTML and no cell border is in.
std::string plain(std::string_view text) {
  std::string safe;
  for (const char c : escaped(text)) {
    if (std::string_view("|*_`[]\\~").find(c) != std::string_view::npos) safe += '\\';
    safe += c == '\n' ? ' ' : c;
  }
  return safe;
}

std::string row(const char *what, const std::string &before, const std::string &after) {
  return fmt::format("| {} | {} | {} |\n", what, before, after);
}

std::string share_text(std::optional<double> share) { return share ? fmt::format("{:.2f} %", 100 * *share) : "-"; }
std::string time_text(const View &latency) {
  const auto median = latency.number("median_ms");
  return median ? fmt::format("{:.3g} ms", *median) : "-";
}

std::string summary(const View &run) {
  const View provenance = run.at("provenance"), evaluated = run.at("evaluated"), verified = run.at("verified");
  std::string text = fmt::format("### {}\n\n**{}**\n\n| | before | after |\n| --- | ---: | ---: |\n",
                                 plain(file_name(provenance.text("input"))), plain(verdict_text(run)));
  text += row("size", bytes_text(run.at("before").number_or("bytes", 0)),
              bytes_text(run.at("after").number_or("bytes", 0)));
  if (evaluated.number("top1"))
    text += row("top-1", share_text(evaluated.number("reference_top1")), share_text(evaluated.number("top1")));
  if (run.has("latency_after"))
    text += row("latency", time_text(run.at("latency_before")), time_text(run.at("latency_after")));
  if (verified.number("agreement")) text += row("same answers", "", share_text(verified.number("agreement")));
  if (const auto sqnr = verified.number("sqnr_db")) text += row("SQNR", "", fmt::format("{:.1f} dB", *sqnr));
  text += '\n';
  for (const View &budget : run.list("budgets"))
    text += fmt::format("- {} {} {:.6g}: {}\n", budget.flag("met") ? "met" : "**missed**", plain(budget.text("name")),
                        budget.number_or("limit", 0),
                        budget.number("found") ? fmt::format("{:.6g}", *budget.number("found")) : "not measured");
  for (const std::string &warning : run.texts("warnings")) text += fmt::format("- warning: {}\n", plain(warning));
  for (const std::string &advice : what_to_try(run)) text += fmt::format("- try: {}\n", plain(advice));
  return text;
}

} // namespace

std::string markdown_report(const std::vector<nlohmann::ordered_json> &reports) {
  std::string text = "## edgec\n";
  for (const auto &report : reports) text += "\n" + summary(View(report));
  return text;
}

} // namespace edgec
