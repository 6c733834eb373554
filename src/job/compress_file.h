// The main job on files: read a network, compress it as the settings say, write it, read it back and measure what it is
// worth. Nothing here prints: messages go to support/log.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "job/compressor.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/latency_search.h"
#include "job/metric_flags.h"
#include "job/progress.h"
#include "job/rewrite.h"
#include "measure/report.h"
#include "support/settings.h"

namespace edgec {

/// What is asked for.
struct CompressFile {
  std::string model;
  std::string path;        ///< of the file to write
  std::string format_name; ///< as FormatDef says it; empty: by the path
  std::string reference;   ///< network to compare with; empty: the model
  std::string eval, report_path, pareto;
  std::vector<std::string> ranges; ///< tables of `calibrate`
  std::int64_t opset = 0;          ///< 0: the input's, raised as far as needed
  std::int64_t max_memory = 300'000'000;
  bool overridable = false, force = false, dry_run = false, latency = false;
  bool each_layer = false; ///< measure the error of each layer
  bool verbose = false;    ///< a dry run lists every pass
  MetricFlags metric;
  DataFlags calib{.path = {}, .preprocess = {}, .labels = {}, .limit = 200};
  std::string command = "compress", sample_labels; ///< who asks; labels of `calib`, whose own are those of `eval`
  Settings settings;                               ///< of the schemes
  ScopeFlags scope;
  PassFlags passes;
  EditFlags edits;
  RunFlags run;
  const FormatDef *format = nullptr; ///< name_output() finds it
  EffectiveOptions recorded;         ///< in the file and in the report: how it was made
  /// What is recorded where flags are added to those that were given; null: they join `recorded`.
  std::function<Result<EffectiveOptions>(std::span<const TypedFlag>)> record_with;

  /// Fills in path and format where they follow from the other or the model's name.
  [[nodiscard]] Status name_output();
  [[nodiscard]] bool asks(std::string_view scheme) const;
  /// What takes its time, in order.
  [[nodiscard]] std::vector<ProgressStep> steps() const;
};

/// What became of it. A missed budget is not an error: the file is written all the same.
struct CompressedFile {
  Report report;
  std::string plan; ///< of a dry run, which did nothing else
  bool met = true;  ///< all budgets, and every scheme found something to do
  bool interrupted = false;
  std::size_t smallest = 0; ///< bytes of the smallest file that a search saw; 0: there was none
};

Result<CompressedFile> compress_file(const CompressFile &file, ProgressSink &progress);

} // namespace edgec
