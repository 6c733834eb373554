#include "batch/sweep_table.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "batch/front.h"
#include "data/csv.h"
#include "job/version.h"
#include "report/findings.h"
#include "support/table.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

void mark_front(const std::string &network, QualityFigure quality, std::vector<SweepRow> &rows) {
  std::vector<FrontPoint> points;
  std::vector<SweepRow *> of_points;
  for (SweepRow &row : rows) {
    if (row.job.network != network || !row.result.figures) continue;
    const JobFigures &figures = *row.result.figures;
    if (!figures.bytes || !(figures.*quality)) continue;
    points.push_back({*figures.bytes, *(figures.*quality)});
    of_points.push_back(&row);
  }
  for (const std::size_t i : front_of(points)) of_points[i]->best = true;
}

std::string shown_value(const SweepJob &job, const std::string &name) {
  const auto found = std::ranges::find(job.shown, name, [](const auto &entry) { return entry.first; });
  return found == job.shown.end() ? std::string() : found->second;
}

std::string or_dash(const std::string &text) { return text.empty() ? "-" : text; }
std::string share_text(const std::optional<double> &share) {
  return share ? fmt::format("{:.2f} %", 100 * *share) : "-";
}

/// Why a row is not what was asked for.
std::string message_of(const SweepRow &row) {
  if (row.result.failure) return row.result.failure->message;
  return row.result.figures ? row.result.figures->missed : std::string();
}

std::vector<std::string> cells_of(const SweepTable &table, const SweepRow &row) {
  std::vector<std::string> cells{file_name(row.job.network)};
  for (const std::string &name : table.varied) cells.push_back(or_dash(shown_value(row.job, name)));
  const JobFigures figures = row.result.figures.value_or(JobFigures());
  cells.push_back(figures.bytes ? bytes_text(static_cast<std::uint64_t>(*figures.bytes)) : "-");
  cells.push_back(figures.bytes && figures.bytes_before ? percent(*figures.bytes, *figures.bytes_before) : "-");
  cells.push_back(share_text(figures.top1));
  cells.push_back(share_text(figures.agreement));
  cells.push_back(figures.sqnr_db ? fmt::format("{:.1f} dB", *figures.sqnr_db) : "-");
  cells.push_back(row.best ? "front" : std::string_view(row.state()) == "done" ? "" : row.state());
  return cells;
}

std::string number_text(const std::optional<double> &number) { return number ? fmt::format("{}", *number) : ""; }
Json or_null(const std::optional<double> &number) { return number ? Json(*number) : Json(); }
Json whole(const std::optional<double> &number) { return number ? Json(static_cast<std::uint64_t>(*number)) : Json(); }
Json or_null(const std::string &text) { return text.empty() ? Json() : Json(text); }

Json row_json(const SweepTable &table, const SweepRow &row) {
  Json options = Json::object();
  for (const std::string &name : table.varied) options[name] = or_null(shown_value(row.job, name));
  const JobFigures figures = row.result.figures.value_or(JobFigures());
  return {{"key", row.job.key},
          {"network", row.job.network},
          {"options", std::move(options)},
          {"state", row.state()},
          {"bytes", whole(figures.bytes)},
          {"bytes_before", whole(figures.bytes_before)},
          {"top1", or_null(figures.top1)},
          {"top1_before", or_null(figures.top1_before)},
          {"agreement", or_null(figures.agreement)},
          {"sqnr_db", or_null(figures.sqnr_db)},
          {"latency_ms", or_null(figures.latency_ms)},
          {"front", row.best},
          {"sha256", or_null(figures.sha256)},
          {"status", row.result.failure ? Json(row.result.failure->status) : Json()},
          {"message", or_null(message_of(row))}};
}

} // namespace

const char *SweepRow::state() const {
  if (result.failure) return "failed";
  if (!result.figures) return "not run";
  return result.figures->missed.empty() ? "done" : "missed";
}

std::size_t SweepTable::count(const char *state) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(rows, [&](const SweepRow &row) { return std::string_view(row.state()) == state; }));
}

std::vector<std::string> SweepTable::networks() const {
  std::vector<std::string> found;
  for (const SweepRow &row : rows)
    if (std::ranges::find(found, row.job.network) == found.end()) found.push_back(row.job.network);
  return found;
}

QualityFigure SweepTable::quality_of(const std::string &network) const {
  for (const QualityFigure figure : {&JobFigures::top1, &JobFigures::agreement}) {
    const auto has = [&](const SweepRow &row) {
      return row.job.network != network || !row.result.figures || (*row.result.figures.*figure).has_value();
    };
    if (std::ranges::all_of(rows, has)) return figure;
  }
  return &JobFigures::sqnr_db;
}

SweepTable sweep_table(const std::vector<SweepJob> &jobs, std::vector<std::string> varied,
                       const ResultFolder &results) {
  SweepTable table{std::move(varied), {}, results.path().string()};
  for (const SweepJob &job : jobs) table.rows.push_back({job, results.result(job), false});
  for (const std::string &network : table.networks()) mark_front(network, table.quality_of(network), table.rows);
  return table;
}

namespace {

std::string rows_text(const SweepTable &table, std::size_t width, bool all) {
  std::vector<std::string> heading{"network"};
  heading.insert(heading.end(), table.varied.begin(), table.varied.end());
  for (const char *name : {"size", "of before", "top-1", "agreement", "SQNR", ""}) heading.emplace_back(name);
  Table text(std::move(heading));
  for (const SweepRow &row : table.rows)
    if (all || row.best) text.add(cells_of(table, row));
  return text.empty() ? "" : text.text(width);
}

std::string failures_text(const SweepTable &table) {
  constexpr std::size_t most = 10;
  std::string text;
  std::size_t told = 0;
  for (const SweepRow &row : table.rows)
    if (row.result.failure && told++ < most)
      text += fmt::format("failed: edgec compress {}: {}\n", fmt::join(row.job.words, " "), message_of(row));
  return told > most ? text + fmt::format("and {} more failed\n", told - most) : text;
}

std::string counts_text(const SweepTable &table) {
  std::string text = fmt::format("{} jobs", table.rows.size());
  for (const char *state : {"done", "missed", "failed", "not run"})
    if (const std::size_t count = table.count(state); count > 0) text += fmt::format(", {} {}", count, state);
  return text + fmt::format("; all of them in {}/sweep.csv, .json, .html\n", table.results);
}

} // namespace

std::string table_text(const SweepTable &table, std::size_t width) {
  constexpr std::size_t few = 40;
  return rows_text(table, width, table.rows.size() <= few) + failures_text(table) + counts_text(table);
}

std::string front_text(const SweepTable &table, std::size_t width) {
  SweepTable front = table;
  std::erase_if(front.rows, [](const SweepRow &row) { return !row.best; });
  std::ranges::stable_sort(front.rows, {}, [](const SweepRow &row) { return *row.result.figures->bytes; });
  return rows_text(front, width, true) + failures_text(table) + counts_text(table);
}

std::string table_csv(const SweepTable &table) {
  std::string text = "network";
  for (const std::string &name : table.varied) text += "," + csv_cell(name);
  text += ",state,bytes,bytes_before,top1,top1_before,agreement,sqnr_db,latency_ms,front,sha256,key,message\n";
  for (const SweepRow &row : table.rows) {
    const JobFigures figures = row.result.figures.value_or(JobFigures());
    text += csv_cell(row.job.network);
    for (const std::string &name : table.varied) text += "," + csv_cell(shown_value(row.job, name));
    text += fmt::format(",{}", row.state());
    for (const auto &number : {figures.bytes, figures.bytes_before, figures.top1, figures.top1_before,
                               figures.agreement, figures.sqnr_db, figures.latency_ms})
      text += "," + number_text(number);
    text +=
        fmt::format(",{},{},{},{}\n", row.best ? "yes" : "", figures.sha256, row.job.key, csv_cell(message_of(row)));
  }
  return text;
}

Json table_json(const SweepTable &table) {
  Json jobs = Json::array();
  for (const SweepRow &row : table.rows) jobs.push_back(row_json(table, row));
  return {{"schema", "edgec-sweep/1"}, {"version", version()}, {"jobs", std::move(jobs)}};
}

} // namespace edgec
