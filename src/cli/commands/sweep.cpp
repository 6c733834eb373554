// edgec sweep: many networks under many settings, each once, and a table of what became of them.
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "batch/job_scripts.h"
#include "batch/toml.h"
#include "cli/batch_flags.h"
#include "cli/command.h"
#include "cli/console.h"
#include "job/calibrate_file.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string file;
  BatchFlags batch;
  std::string shard = "0/1";
  std::int64_t slurm = 0;
  bool collect = false, print_jobs = false, snakemake = false, json = false;
};

std::vector<SweepJob> share_of(const std::vector<SweepJob> &jobs, Shard shard) {
  std::vector<SweepJob> mine;
  for (std::size_t i = shard.index; i < jobs.size(); i += shard.count) mine.push_back(jobs[i]);
  return mine;
}

/// This command line again, as scripts of other engines say it.
std::vector<std::string> again(const Arguments &arguments, const ResultFolder &results) {
  return {"edgec", "sweep", arguments.file, "--results", results.path().string()};
}

/// What prints the jobs instead of running them; empty: nothing was asked for.
std::string script_of(const Arguments &arguments, const std::vector<SweepJob> &jobs, const ResultFolder &results) {
  if (arguments.slurm > 0) return slurm_script(static_cast<std::size_t>(arguments.slurm), again(arguments, results));
  if (arguments.snakemake) return snakefile(jobs, results, again(arguments, results));
  return job_lines(arguments.batch.to_do(jobs, results), results);
}

Result<Outcome> tell(const Arguments &arguments, const SweepTable &table, const ResultFolder &results) {
  EDGEC_CHECK(write_tables(table, results));
  if (arguments.json)
    print(table_json(table).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  else
    print_report(table_text(table, output_width()));
  return table.count("failed") + table.count("missed") > 0 ? Outcome::missed : Outcome::done;
}

Result<Outcome> run(const Arguments &arguments) {
  EDGEC_ASSIGN(const Shard shard, parse_shard(arguments.shard));
  EDGEC_ASSIGN(const auto text, read_toml(arguments.file));
  auto sweep = parse_sweep(text).in(arguments.file);
  if (!sweep) return std::move(sweep).error();
  EDGEC_ASSIGN(const std::vector<SweepJob> jobs, jobs_of(*sweep, compress_options).in(arguments.file));
  const ResultFolder results = arguments.batch.results_of(arguments.file);
  const std::vector<SweepJob> mine = share_of(jobs, shard);
  if (arguments.print_jobs || arguments.snakemake || arguments.slurm > 0) {
    print(script_of(arguments, mine, results));
    return Outcome::done;
  }
  EDGEC_CHECK(results.open());
  Status ran;
  if (!arguments.collect) {
    const std::vector<SweepJob> to_do = arguments.batch.to_do(mine, results);
    say(fmt::format("{} jobs: {} were done before, {} to run", mine.size(), mine.size() - to_do.size(), to_do.size()));
    ran = arguments.batch.run(to_do, results);
  }
  const Result<Outcome> told = tell(arguments, sweep_table(jobs, sweep->varied(), results), results);
  if (!ran) return std::move(ran).error();
  return told;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("SWEEP.toml", &arguments->file, "the networks and the settings");
  arguments->batch.declare(options);
  options.add("--shard", "I/N", &arguments->shard, "run every Nth job from number I on: 0/4 to 3/4 are all of them");
  options.flag("--collect", &arguments->collect, "run nothing: make the table of the results that are there");
  options.flag("--json", &arguments->json, "print the table as JSON");
  options.group("Jobs for other engines");
  options.flag("--print-jobs", &arguments->print_jobs,
               "print a command line for each job that is not done, as for GNU parallel");
  options.add("--slurm", "TASKS", &arguments->slurm, "print a Slurm array script of so many tasks").between(1, 100'000);
  options.flag("--snakemake", &arguments->snakemake, "print a Snakefile");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef sweep;
const CommandDef sweep{"sweep", "Run many networks under many settings, each once, and make a table of the results",
                       "  edgec sweep sweep.toml --jobs 4\n"
                       "  edgec sweep sweep.toml --print-jobs | parallel; edgec sweep sweep.toml --collect\n"
                       "  edgec sweep sweep.toml --slurm 20 > job.sh; sbatch job.sh\n"
                       "  # sweep.toml: options of compress, those of [grid] value by value\n"
                       "  networks = [\"models/*.onnx\"]\n"
                       "  [options]\n"
                       "  calib = \"x.npz\"\n"
                       "  [grid]\n"
                       "  int8 = [true]\n"
                       "  prune = [false, 0.3, 0.5]\n",
                       declare};

} // namespace edgec::commands
