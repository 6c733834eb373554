// Runs jobs as processes of this program, several at a time: what befalls one of them ends no other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "batch/result_folder.h"

namespace edgec {

struct RunJobs {
  std::string program; ///< the file of the program to run
  int at_once = 1;     ///< jobs
  int threads = 1;     ///< of each job that does not say how many
  /// Called as each job ends, with why it gave no result; null: it did.
  std::function<void(const SweepJob &, const JobFailure *)> ended;
};

/// Runs them in order and puts each one's result into the folder. Errors: resource (no folder, no process);
/// interrupted, where a signal came: the jobs that ran are stopped and leave nothing.
Status run_jobs(const std::vector<SweepJob> &jobs, const ResultFolder &results, const RunJobs &how);

/// "edgec compress" and the words of a job that writes into `folder`.
std::vector<std::string> command_of(const SweepJob &job, const std::filesystem::path &folder);

} // namespace edgec
