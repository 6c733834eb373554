// edgec calibrate: ranges of a network's values on a part of the samples, for `compress --ranges`.
#include <fmt/format.h>
#include <memory>

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
  std::string shard = "0/1";
  OutputFlags output;
};

Result<Outcome> run(Arguments &arguments) {
  CalibrateFile &file = arguments.file;
  constexpr std::string_view endings[] = {".json"};
  EDGEC_ASSIGN(file.shard, parse_shard(arguments.shard));
  if (file.data.path.empty()) return usage_error("--data is missing: the samples that ranges are found on");
  if (arguments.output.path.empty()) return usage_error("-o is missing: the table to write, as part.json");
  EDGEC_CHECK(check_ending(arguments.output.path, endings).in("-o"));
  const std::string inputs[] = {file.model, file.data.path};
  EDGEC_CHECK(check_output(arguments.output.path, inputs, arguments.output.force));
  ProgressLine line({{"reading", 1}, {"rewriting", 1}, {"calibrating", 8}});
  EDGEC_ASSIGN(const RangeTable table, calibrate_file(file, line));
  const std::string text = range_table_text(table);
  const ByteView bytes = std::as_bytes(std::span(text));
  EDGEC_CHECK(write_file(arguments.output.path, {&bytes, 1}, arguments.output.force));
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
  options.add("--opset", "N", &file.opset, "that of compress, where it is given there").between(1, 1000);
  file.passes.declare(options);
  arguments->output.declare(options, "the table to write, .json");
  file.edits.declare(options);
  file.run.declare(options);
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef calibrate;
const CommandDef calibrate{
    "calibrate", "Find activation ranges on a part of the samples, for compress --ranges",
    "  edgec calibrate model.onnx --data images/ --preprocess imagenet --shard 0/4 -o part0.json\n"
    "  edgec compress model.onnx --int8 --calib some/ --preprocess imagenet --ranges part0.json --ranges part1.json\n",
    declare};

} // namespace edgec::commands
