// The sweep's page: per network the front of size and quality, and one table of all jobs.
#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "batch/front.h"
#include "batch/sweep_table.h"
#include "job/version.h"
#include "report/html/figures.h"
#include "report/report_file.h"

namespace edgec {
namespace {

/// What the points of a network are judged by.
struct Scale {
  const char *name, *unit;
  double factor;
};
Scale scale_of(QualityFigure quality) {
  if (quality == &JobFigures::top1) return {"top-1 accuracy", "%", 100};
  if (quality == &JobFigures::agreement) return {"same answers as before", "%", 100};
  return {"signal to noise", "dB", 1};
}

std::string options_text(const SweepJob &job) {
  std::string text;
  for (const auto &[key, value] : job.shown)
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", key, value == "true" ? "" : " " + value);
  return text.empty() ? "no option" : text;
}

Markup front_section(const SweepTable &table, const std::string &network) {
  Markup html;
  const QualityFigure quality = table.quality_of(network);
  const Scale scale = scale_of(quality);
  figures::Plane plane{{}, scale.unit, {}, {}};
  std::vector<FrontPoint> points;
  for (const SweepRow &row : table.rows) {
    if (row.job.network != network || !row.result.figures) continue;
    const JobFigures &found = *row.result.figures;
    if (!found.bytes || !(found.*quality)) continue;
    points.push_back({*found.bytes, *(found.*quality)});
    plane.points.push_back({*found.bytes, scale.factor * *(found.*quality), row.best, options_text(row.job)});
  }
  if (points.empty()) return html;
  plane.front = front_of(points);
  const std::string title = fmt::format("{}: size and {}", file_name(network), scale.name);
  html.open("section").leaf("h2", title).open("figure");
  html.add(figures::drawing_of(plane, title)).open("ul", {{"class", "key"}});
  figures::key_entry(html, "b-poor", "the front: no other is both smaller and better");
  figures::key_entry(html, "b-after", "other results");
  return html.close().close().close();
}

void add_row(Markup &html, const SweepTable &table, const SweepRow &row) {
  const JobFigures found = row.result.figures.value_or(JobFigures());
  const auto share = found.bytes && found.bytes_before && *found.bytes_before > 0
                         ? std::optional(100 * *found.bytes / *found.bytes_before)
                         : std::nullopt;
  html.open("tr").leaf("td", file_name(row.job.network), {{"class", "name"}});
  for (const std::string &name : table.varied) {
    const auto value = std::ranges::find(row.job.shown, name, [](const auto &entry) { return entry.first; });
    html.leaf("td", value == row.job.shown.end() ? "\xE2\x80\x93" : value->second);
  }
  figures::number_cell(html, found.bytes, bytes_text(found.bytes.value_or(0)));
  figures::number_cell(html, share, fmt::format("{:.1f} %", share.value_or(0)));
  figures::number_cell(html, found.top1, fmt::format("{:.2f} %", 100 * found.top1.value_or(0)));
  figures::number_cell(html, found.agreement, fmt::format("{:.2f} %", 100 * found.agreement.value_or(0)));
  figures::number_cell(html, found.sqnr_db, fmt::format("{:.1f} dB", found.sqnr_db.value_or(0)));
  figures::number_cell(html, found.latency_ms, fmt::format("{:.3g} ms", found.latency_ms.value_or(0)));
  const std::string message = row.result.failure ? row.result.failure->message : found.missed;
  html.leaf("td", row.best ? "on the front" : row.state() + std::string(message.empty() ? "" : ": " + message)).close();
}

Markup table_section(const SweepTable &table) {
  Markup html;
  html.open("section").leaf("h2", "All jobs");
  std::vector<figures::Column> columns{{"network"}};
  for (const std::string &name : table.varied) columns.push_back({name});
  for (const char *name : {"size", "of before", "top-1", "same answers", "SQNR", "time"})
    columns.push_back({name, true});
  columns.push_back({"state"});
  figures::begin_table(html, "All jobs of the sweep", columns);
  for (const SweepRow &row : table.rows) add_row(html, table, row);
  figures::end_table(html);
  html.open("p", {{"class", "soft"}}).leaf("a", "The results on the fronts side by side", {{"href", "fronts.html"}});
  html.text(fmt::format("; any other: edgec report {}/KEY/report.json -o page.html, with its key from sweep.csv.",
                        table.results));
  html.close();
  return html.close();
}

} // namespace

std::string table_page(const SweepTable &table) {
  Markup body;
  const std::string title = fmt::format("{} jobs on {} networks", table.rows.size(), table.networks().size());
  body.leaf("h1", title);
  for (const std::string &network : table.networks()) body.add(front_section(table, network));
  body.add(table_section(table));
  return page_of("edgec: " + title, version(), body, table_json(table));
}

std::string fronts_page(const SweepTable &table, const ResultFolder &results) {
  constexpr std::size_t most = 12; // a page that opens at once
  std::vector<nlohmann::ordered_json> reports;
  for (const SweepRow &row : table.rows) {
    if (!row.best || reports.size() == most) continue;
    if (auto report = read_report((results.of(row.job) / "report.json").string()))
      reports.push_back(*std::move(report));
  }
  return reports.empty() ? "" : html_report(reports);
}

} // namespace edgec
