// The table of a sweep, made of whatever results are there: for terminals, as CSV, as JSON and as a page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "batch/result_folder.h"

namespace edgec {

struct SweepRow {
  SweepJob job;
  JobResult result;
  bool best = false; ///< on its network's front of size and quality

  /// "done", "missed", "failed", "not run".
  [[nodiscard]] const char *state() const;
};

using QualityFigure = std::optional<double> JobFigures::*;

struct SweepTable {
  std::vector<std::string> varied; ///< names of the options that jobs differ in
  std::vector<SweepRow> rows;
  std::string results; ///< the folder

  [[nodiscard]] std::size_t count(const char *state) const;
  /// The networks, in their order.
  [[nodiscard]] std::vector<std::string> networks() const;
  /// What the results of a network are judged by: accuracy if all have it, else agreement if all have it, else
  /// decibels.
  [[nodiscard]] QualityFigure quality_of(const std::string &network) const;
};

/// Looks for the results of the jobs, and marks those on the fronts.
SweepTable sweep_table(const std::vector<SweepJob> &jobs, std::vector<std::string> varied, const ResultFolder &results);

/// For people: all rows, or of many those on the fronts and those that failed; a last line counts them.
std::string table_text(const SweepTable &table, std::size_t width);
/// The fronts alone, and how many jobs they were chosen from.
std::string front_text(const SweepTable &table, std::size_t width);
/// A heading and a line for each job (RFC 4180): network, the options that differ, state, figures, front, sha256, key,
/// message.
std::string table_csv(const SweepTable &table);
/// {"schema": "edgec-sweep/1", "version", "jobs": [...]}: the same, with null for what is not there.
nlohmann::ordered_json table_json(const SweepTable &table);
/// A page that stands for itself: the front of each network, and the table.
std::string table_page(const SweepTable &table);
/// The reports of the first results on the fronts side by side; empty: there are none.
std::string fronts_page(const SweepTable &table, const ResultFolder &results);

} // namespace edgec
