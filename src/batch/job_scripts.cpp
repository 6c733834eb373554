#include "batch/job_scripts.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "batch/run_jobs.h"
#include "support/process.h"

namespace edgec {
namespace {

/// What is half there is replaced: such a job may have been killed.
std::string job_line(const SweepJob &job, const ResultFolder &results) {
  std::vector<std::string> words = command_of(job, results.of(job));
  words.push_back("--force");
  return shell_line(words);
}

/// A text as Python writes it; JSON's strings are Python's.
std::string python_text(const std::string &text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

} // namespace

std::string shell_line(const std::vector<std::string> &words) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-=:,+%@";
  std::string line;
  for (const std::string &word : words) {
    const bool safe = !word.empty() && word.find_first_not_of(plain) == std::string::npos;
    line += (line.empty() ? "" : " ") + (safe ? word : shell_word(word));
  }
  return line;
}

std::string job_lines(const std::vector<SweepJob> &jobs, const ResultFolder &results) {
  std::string text;
  for (const SweepJob &job : jobs)
    text += fmt::format("{} && {}\n", shell_line({"mkdir", "-p", results.of(job).string()}), job_line(job, results));
  return text;
}

std::string slurm_script(std::size_t tasks, const std::vector<std::string> &again) {
  return fmt::format("#!/bin/sh\n"
                     "#SBATCH --job-name=edgec-sweep\n"
                     "#SBATCH --array=0-{}\n"
                     "# Each task runs its share of the jobs; one that is run again goes on where it was.\n"
                     "exec {} --shard \"$SLURM_ARRAY_TASK_ID/{}\" --jobs \"${{SLURM_CPUS_PER_TASK:-1}}\"\n",
                     tasks - 1, shell_line(again), tasks);
}

std::string snakefile(const std::vector<SweepJob> &jobs, const ResultFolder &results,
                      const std::vector<std::string> &again) {
  const std::string folder = results.path().string();
  std::string text = "# snakemake --cores all --keep-going\nJOBS = {\n";
  for (const SweepJob &job : jobs)
    text += fmt::format("    {}: {},\n", python_text(job.key), python_text(job_line(job, results)));
  text += "}\n\n";
  text += fmt::format("rule table:\n    input: expand({}, key=JOBS)\n    output: {}\n    shell: {}\n\n",
                      python_text(folder + "/{key}/report.json"), python_text(folder + "/sweep.csv"),
                      python_text(shell_line(again) + " --collect"));
  // Status 1 is a missed budget: the result is there all the same.
  text += fmt::format("rule job:\n    output: {}\n    params: command=lambda wildcards: JOBS[wildcards.key]\n"
                      "    threads: 1\n    shell: \"{{params.command}} || [ $? = 1 ]\"\n",
                      python_text(folder + "/{key}/report.json"));
  return text;
}

} // namespace edgec
