#include "cli/batch_flags.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "batch/run_jobs.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "support/file.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// A command's options and what they are bound to.
struct Declared {
  Options options;
  CommandRun run;
  explicit Declared(const CommandDef &def) : options(std::string(def.name), std::string(def.summary), "") {
    run = def.declare(options);
  }
};

Status write_text(const std::filesystem::path &path, const std::string &text) { return write_file(path, text, true); }

} // namespace

std::shared_ptr<Options> compress_options() {
  const auto def =
      std::ranges::find(all_commands(), "compress", [](const CommandDef *command) { return command->name; });
  const auto declared = std::make_shared<Declared>(**def);
  return {declared, &declared->options};
}

void BatchFlags::declare(Options &options) {
  options.group("Running");
  options.add("--results", "DIR", &results, "the folder of the results (default the file's name with .results)");
  options.add("--jobs", "N", &jobs, "jobs at once (default all processors, each job on one thread)").between(1, 4096);
  options.flag("--retry", &retry, "run jobs that failed once more; those that ended for want of memory always are");
}

ResultFolder BatchFlags::results_of(const std::string &file) const {
  if (!results.empty()) return ResultFolder(results);
  return ResultFolder(std::filesystem::path(file).filename().replace_extension(".results"));
}

std::vector<SweepJob> BatchFlags::to_do(const std::vector<SweepJob> &all, const ResultFolder &folder) const {
  std::vector<SweepJob> wanted;
  for (const SweepJob &job : all) {
    const JobResult result = folder.result(job);
    if (!result.there() || (result.failure && (retry || result.failure->may_pass()))) wanted.push_back(job);
  }
  return wanted;
}

Status BatchFlags::run(const std::vector<SweepJob> &all, const ResultFolder &folder) const {
  ProgressLine line({{"jobs", 1}});
  std::size_t done = 0;
  RunJobs how;
  how.program = "/proc/self/exe";
  how.at_once = static_cast<int>(jobs > 0 ? jobs : hardware_threads());
  how.threads = std::max(1, hardware_threads() / how.at_once);
  how.ended = [&](const SweepJob &job, const JobFailure *failure) {
    line.show("jobs", ++done, all.size());
    if (failure != nullptr) warn(fmt::format("edgec compress {}: {}", fmt::join(job.words, " "), failure->message));
  };
  line.show("jobs", 0, all.size());
  return run_jobs(all, folder, how);
}

Status write_tables(const SweepTable &table, const ResultFolder &results) {
  EDGEC_CHECK(write_text(results.path() / "sweep.csv", table_csv(table)));
  EDGEC_CHECK(
      write_text(results.path() / "sweep.json",
                 table_json(table).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"));
  if (const std::string page = fronts_page(table, results); !page.empty())
    EDGEC_CHECK(write_text(results.path() / "fronts.html", page));
  return write_text(results.path() / "sweep.html", table_page(table));
}

} // namespace edgec
