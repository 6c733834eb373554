// What `sweep` and `search` share: where results lie, how jobs run, and the files that tell of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "batch/sweep_job.h"
#include "batch/sweep_table.h"
#include "support/option.h"

namespace edgec {

/// The options of `edgec compress`, nothing given.
std::shared_ptr<Options> compress_options();

struct BatchFlags {
  std::string results;   ///< empty: named after the file that says what to run
  std::int64_t jobs = 0; ///< at once; 0: as many as processors
  bool retry = false;

  void declare(Options &options);
  [[nodiscard]] ResultFolder results_of(const std::string &file) const;
  /// Those that have no result yet; with --retry also those that failed.
  [[nodiscard]] std::vector<SweepJob> to_do(const std::vector<SweepJob> &all, const ResultFolder &folder) const;
  /// Runs jobs on this machine, telling of each that fails and how far they are.
  [[nodiscard]] Status run(const std::vector<SweepJob> &all, const ResultFolder &folder) const;
};

/// sweep.csv, .json and .html in the folder of the results, and fronts.html, the reports of the best.
Status write_tables(const SweepTable &table, const ResultFolder &results);

} // namespace edgec
