// The folder that results lie in, each in a folder of its own named by its job's key: it appears whole or not at all.
//
//   results/KEY/model.onnx, report.json     what became of a job; the report is written last
//   results/KEY/failure.json                why there is no result
//   results/work-XXXXXX/                    of a process that is running
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "batch/sweep_job.h"

namespace edgec {

/// Why a job gave no result.
struct JobFailure {
  int status = 0; ///< exit status; below 0: ended by this signal
  std::string message;
  /// The same job may go well another time: memory or a disk was full, or the program ended by a signal.
  [[nodiscard]] bool may_pass() const;
};

/// The figures of a job's report that tables show.
struct JobFigures {
  std::optional<double> bytes, bytes_before, top1, top1_before, agreement, sqnr_db, latency_ms;
  std::string sha256; ///< of the file written
  std::string missed; ///< the first budget that was missed
  /// What candidates are judged by: accuracy where there are labels, else agreement, else decibels.
  [[nodiscard]] std::optional<double> quality() const { return top1 ? top1 : agreement ? agreement : sqnr_db; }
};

struct JobResult {
  std::optional<JobFigures> figures;
  std::optional<JobFailure> failure;
  [[nodiscard]] bool there() const { return figures || failure; }
};

class ResultFolder {
public:
  explicit ResultFolder(std::filesystem::path path) : path_(std::move(path)) {}

  /// Makes it, and clears away what processes that are gone have left.
  Status open() const;
  [[nodiscard]] const std::filesystem::path &path() const { return path_; }
  [[nodiscard]] std::filesystem::path of(const SweepJob &job) const { return path_ / job.key; }
  /// Nothing in it: the job is not done. What is half there, or no report, is not there.
  [[nodiscard]] JobResult result(const SweepJob &job) const;
  /// Puts a folder in the job's place; one that another process has put there meanwhile stays.
  Status take(const std::filesystem::path &folder, const SweepJob &job) const;

private:
  std::filesystem::path path_;
};

/// A folder in the results for jobs that are running; another process knows by a lock that its owner lives.
class WorkFolder {
public:
  static Result<WorkFolder> make(const std::filesystem::path &results);
  WorkFolder(WorkFolder &&other) noexcept;
  WorkFolder &operator=(WorkFolder &&) = delete;
  ~WorkFolder();
  [[nodiscard]] const std::filesystem::path &path() const { return path_; }

private:
  WorkFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

/// A report in `folder` says that the file it is about lies at `output`: where it will be.
void name_output(const std::filesystem::path &folder, const std::filesystem::path &output);
Status write_failure(const std::filesystem::path &folder, const JobFailure &failure);

} // namespace edgec
