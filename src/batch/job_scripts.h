// The jobs of a sweep for engines that run jobs elsewhere. Their results lie where `edgec sweep` looks for them.
#pragma once

#include <string>
#include <vector>

#include "batch/result_folder.h"

namespace edgec {

/// A shell's line for each job: makes its folder and compresses. For GNU parallel, xargs or a shell.
std::string job_lines(const std::vector<SweepJob> &jobs, const ResultFolder &results);

/// A Slurm array of so many tasks, each a shard of the sweep; `again` is this command line.
std::string slurm_script(std::size_t tasks, const std::vector<std::string> &again);

/// A Snakefile with a rule for the jobs and one that makes the table.
std::string snakefile(const std::vector<SweepJob> &jobs, const ResultFolder &results,
                      const std::vector<std::string> &again);

/// Words as a shell takes them, those that need none without quotes.
std::string shell_line(const std::vector<std::string> &words);

} // namespace edgec
