// edgec calibrate: ranges of a network's values on a part of the samples, for `compress --ranges` or for other tools.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>

#include "calibrate/foreign_ranges.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "job/calibrate_file.h"
#include "job/model_file.h"
#include "support/file.h"
#include "support/log.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

struct Arguments {
  CalibrateFile file;
  std::string shard = "0/1", format = "edgec", range = "percentile";
  double percentile = RangeChoice().percentile;
  std::vector<std::string> parts;
  OutputFlags output;
};

const std::map<std::string, RangeMethod> methods{{"minmax", RangeMethod::minmax},
                                                 {"percentile", RangeMethod::percentile},
                                                 {"entropy", RangeMethod::entropy},
                                                 {"mse", RangeMethod::mse}};

/// Null: our own.
const ForeignTable *foreign_format(const std::string &name) {
  const auto tables = foreign_tables();
  const auto found = std::ranges::find(tables, name, &ForeignTable::name);
  return found == tables.end() ? nullptr : &*found;
}

Result<std::string> text_of(const RangeTable &table, const Arguments &arguments) {
  const ForeignTable *format = foreign_format(arguments.format);
  if (format == nullptr) return range_table_text(table);
  return foreign_ranges_text(table, *format, {methods.at(arguments.range), arguments.percentile});
}

Status check(const Arguments &arguments) {
  const CalibrateFile &file = arguments.file;
  if (file.data.path.empty() == arguments.parts.empty())
    return usage_error(arguments.parts.empty()
                           ? "--data is missing: the samples that ranges are found on"
                           : "--ranges: the parts have been found already, leave one of --data and --ranges out");
  if (arguments.output.path.empty()) return usage_error("-o is missing: the table to write, as part.json");
  const ForeignTable *format = foreign_format(arguments.format);
  const std::string_view endings[] = {format == nullptr ? ".json" : format->ending};
  if (!endings[0].empty()) EDGEC_CHECK(check_ending(arguments.output.path, endings).in("-o"));
  std::vector<std::string> inputs = arguments.parts;
  inputs.push_back(file.model);
  if (!file.data.path.empty()) inputs.push_back(file.data.path);
  return check_output(arguments.output.path, inputs, arguments.output.force);
}

Result<RangeTable> table_of(const Arguments &arguments) {
  if (!arguments.parts.empty()) {
    EDGEC_ASSIGN(const Model model, read_model(arguments.file.model));
    return read_range_tables(arguments.parts, model.source_sha256);
  }
  ProgressLine line({{"reading", 1}, {"rewriting", 1}, {"calibrating", 8}});
  return calibrate_file(arguments.file, line);
}

Result<Outcome> run(Arguments &arguments) {
  EDGEC_ASSIGN(arguments.file.shard, parse_shard(arguments.shard));
  EDGEC_CHECK(check(arguments));
  EDGEC_ASSIGN(const RangeTable table, table_of(arguments));
  EDGEC_ASSIGN(const std::string text, text_of(table, arguments));
  EDGEC_CHECK(write_file(arguments.output.path, text, arguments.output.force));
  say(fmt::format("wrote {}, ranges of {} values on {} samples", arguments.output.path, table.values.size(),
                  table.samples));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  CalibrateFile &file = arguments->file;
  options.argument("MODEL", &file.model, "the network, .onnx or .edgec");
  file.data.declare(options, false);
  options.add("--shard", "I/N", &arguments->shard, "every Nth sample from number I on: 0/4 to 3/4 are all of them");
  options.add("--ranges", "PART.json", &arguments->parts,
              "tables of parts to be put together, instead of --data; may be given again");
  std::vector<std::string> formats{"edgec"};
  std::string help = "edgec: for compress --ranges; or the ranges of 8 bits for other tools:";
  for (const ForeignTable &table : foreign_tables()) {
    formats.emplace_back(table.name);
    help += fmt::format(" {} ({})", table.name, table.summary);
  }
  const auto exported = [arguments = arguments.get()] { return arguments->format != "edgec"; };
  options.add("--format", "FORMAT", &arguments->format, help).one_of(formats);
  options.add("--range", "METHOD", &arguments->range, "how such ranges are chosen")
      .one_of({"minmax", "percentile", "entropy", "mse"})
      .needs("without a --format of another tool", exported);
  options.add("--percentile", "P", &arguments->percentile, "of --range percentile")
      .between(50, 100)
      .needs("without a --format of another tool", exported);
  options.add("--opset", "N", &file.opset, "that of compress, where it is given there").between(1, 1000);
  file.passes.declare(options);
  arguments->output.declare(options, "the table to write, .json; any name for tensorrt");
  file.edits.declare(options);
  file.run.declare(options);
  return [arguments, &options] {
    for (const std::string &sentence : options.idle()) warn(sentence);
    return run(*arguments);
  };
}

} // namespace

extern const CommandDef calibrate;
const CommandDef calibrate{
    "calibrate", "Find activation ranges on a part of the samples, for compress --ranges",
    "  edgec calibrate model.onnx --data images/ --preprocess imagenet --shard 0/4 -o part0.json\n"
    "  edgec compress model.onnx --int8 --calib some/ --preprocess imagenet --ranges part0.json --ranges part1.json\n"
    "  edgec calibrate model.onnx --ranges part0.json --ranges part1.json --format qnn -o encodings.json\n",
    declare};

} // namespace edgec::commands
