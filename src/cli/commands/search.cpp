// edgec search: the front of size and accuracy of one network for a part of the grid's runs, and the result that fits.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "batch/search.h"
#include "batch/toml.h"
#include "cli/batch_flags.h"
#include "cli/command.h"
#include "cli/console.h"
#include "data/preprocess_help.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "support/cancel.h"
#include "support/file.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string model, calib, preprocess, eval, labels, effort, format = "flat", space;
  std::int64_t runs = 40;
  std::uint64_t seed = 0;
  std::optional<std::int64_t> max_size;
  std::optional<double> max_drop;
  BatchFlags batch;
  OutputFlags output;
  bool json = false;
};

Result<SearchSpace> space_of(const Arguments &arguments) {
  SearchSpace space = SearchSpace::usual();
  if (!arguments.space.empty()) {
    EDGEC_ASSIGN(const auto text, read_toml(arguments.space));
    EDGEC_ASSIGN(space, parse_space(text).in(arguments.space));
  }
  space.set("calib", arguments.calib);
  space.set("preprocess", arguments.preprocess);
  space.set("eval", arguments.eval);
  space.set("labels", arguments.labels);
  space.set("effort", arguments.effort);
  space.set("format", arguments.format);
  return space;
}

/// Points of quality that a result lost.
double drop_of(const JobFigures &figures) { return 100 * (figures.top1_before.value_or(1) - *figures.quality()); }

/// The result that is asked for, of those on the front: within the size the best, else within the drop the smallest.
const SweepRow *chosen_of(const Arguments &arguments, const SweepTable &table) {
  const SweepRow *chosen = nullptr;
  for (const SweepRow &row : table.rows) {
    if (!row.best) continue;
    const JobFigures &found = *row.result.figures;
    if (arguments.max_size && *found.bytes > static_cast<double>(*arguments.max_size)) continue;
    const bool bounded = arguments.max_drop || !arguments.max_size;
    if (bounded && drop_of(found) > arguments.max_drop.value_or(1)) continue;
    const bool better = chosen == nullptr || (bounded ? *found.bytes < *chosen->result.figures->bytes
                                                      : *found.quality() > *chosen->result.figures->quality());
    if (better) chosen = &row;
  }
  return chosen;
}

Result<Outcome> write_chosen(const Arguments &arguments, const SweepTable &table, const ResultFolder &results) {
  if (arguments.output.path.empty()) return Outcome::done;
  const SweepRow *chosen = chosen_of(arguments, table);
  if (chosen == nullptr) {
    miss(fmt::format("BUDGET MISSED: no result of {} runs meets it; {} is not written", table.rows.size(),
                     arguments.output.path));
    return Outcome::missed;
  }
  EDGEC_ASSIGN(const Storage file, map_file(results.of(chosen->job) / chosen->job.output));
  const ByteView bytes = file.bytes();
  EDGEC_CHECK(write_file(arguments.output.path, {&bytes, 1}, arguments.output.force));
  say(fmt::format("wrote {}: edgec compress {}", arguments.output.path, fmt::join(chosen->job.words, " ")));
  return Outcome::done;
}

Status check(Arguments &arguments) {
  if (!arguments.output.path.empty()) {
    EDGEC_ASSIGN(const FormatDef *format, output_format(arguments.output.path, {}));
    arguments.format = format->name;
    const std::string inputs[] = {arguments.model};
    EDGEC_CHECK(check_output(arguments.output.path, inputs, arguments.output.force));
  }
  if (arguments.space.empty() && arguments.calib.empty())
    return usage_error("--calib is missing: channels are cut by what samples show");
  return {};
}

Result<Outcome> run(Arguments &arguments) {
  EDGEC_CHECK(check(arguments));
  EDGEC_ASSIGN(const SearchSpace space, space_of(arguments));
  const ResultFolder results = arguments.batch.results_of(arguments.model);
  EDGEC_CHECK(results.open());
  JobMaker maker(compress_options, space.varied());
  const RunBatch batch = [&](const std::vector<SweepJob> &jobs) -> Result<std::vector<JobResult>> {
    EDGEC_CHECK(arguments.batch.run(arguments.batch.to_do(jobs, results), results));
    std::vector<JobResult> found;
    for (const SweepJob &job : jobs) found.push_back(results.result(job));
    return found;
  };
  const SearchBudget budget{static_cast<std::size_t>(arguments.runs), arguments.seed};
  EDGEC_ASSIGN(const std::vector<SweepJob> jobs, search(arguments.model, space, budget, maker, batch));
  const SweepTable table = sweep_table(jobs, space.varied(), results);
  EDGEC_CHECK(write_tables(table, results));
  if (arguments.json)
    print(table_json(table).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  else
    print_report(front_text(table, output_width()));
  return write_chosen(arguments, table, results);
}

void declare_data(Options &options, Arguments &a) {
  options.group("Data");
  options.add("--calib", "D", &a.calib, "samples that layers are fitted to, as of compress");
  options.add("--eval", "D", &a.eval, "samples that results are judged on; without labels by agreement");
  options.add("--labels", "L", &a.labels, "their right answers").needs("eval");
  options.add("--preprocess", "P", &a.preprocess, preprocess_flag_help).needs("calib|eval");
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  Arguments &a = *arguments;
  options.argument("MODEL", &a.model, "the network, .onnx or .edgec");
  declare_data(options, a);
  options.group("Searching");
  options.add("--runs", "N", &a.runs, "the budget: networks that are made and measured").between(1, 100'000);
  options.add("--space", "FILE.toml", &a.space,
              "what is tried: [grid] and [options] as of a sweep (default weight-bits, prune, prune-channels, range)");
  options.add("--effort", "E", &a.effort, "of compress").one_of({"fast", "default", "high"});
  options.add("--seed", "S", &a.seed, "of the search where the grid is large");
  a.batch.declare(options);
  a.output.declare(options, "write the smallest result of the front that loses at most --max-drop points (default 1)");
  options.add("--max-size", "SIZE", &a.max_size, "write the best result of at most so many bytes")
      .between(1, 1e15)
      .in(Unit::bytes)
      .needs("output");
  options.add("--max-drop", "P", &a.max_drop, "points of accuracy that what is written may lose")
      .between(0, 100)
      .in(Unit::points)
      .needs("output");
  options.flag("--json", &a.json, "print the table as JSON");
  return [arguments, &options] {
    for (const std::string &sentence : options.idle()) warn(sentence);
    return run(*arguments);
  };
}

} // namespace

extern const CommandDef search;
const CommandDef search{"search",
                        "Find the front of size and accuracy over bits, sparsity, channels and ranges in few runs",
                        "  edgec search model.onnx --calib images/ --eval test/ --preprocess imagenet --runs 40\n"
                        "  edgec search model.onnx --calib x.npz --eval test.npz -o model.edgec --max-drop 0.5\n",
                        declare};

} // namespace edgec::commands
