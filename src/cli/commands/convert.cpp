// edgec convert: the same function in another file format, spelling or opset.
#include <fmt/format.h>
#include <memory>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "support/cancel.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string from, to_argument, format;
  std::int64_t opset = 0;
  bool overridable = false, strip_names = false;
  OutputFlags output;
  EditFlags edits;

  [[nodiscard]] const std::string &to() const { return to_argument.empty() ? output.path : to_argument; }
};

Result<Outcome> run(const Arguments &arguments) {
  const std::string &to = arguments.to();
  if (to.empty()) return usage_error("TO is missing: name the file to write; see 'edgec convert --help'");
  if (!arguments.to_argument.empty() && !arguments.output.path.empty())
    return usage_error(fmt::format("{} and -o {} both name the file to write", to, arguments.output.path));
  EDGEC_ASSIGN(const FormatDef *format, output_format(to, arguments.format));
  if (arguments.strip_names && !format->coded)
    return usage_error(fmt::format("--strip-names: {} is ONNX, which needs its names; write an .edgec", to));
  const std::vector<std::string> inputs{arguments.from};
  EDGEC_CHECK(check_output(to, inputs, arguments.output.force));
  ReadOptions options;
  options.exact_opset = arguments.opset;
  options.onnx.overridable = arguments.overridable;
  ProgressLine line({{"reading", 1}, {"writing", format->coded ? 10.0 : 1.0}});
  line.begin("reading");
  EDGEC_ASSIGN(const Model model, read_model(arguments.from, options, &arguments.edits));
  EDGEC_CHECK(check_interrupted());
  line.begin("writing");
  EDGEC_CHECK(
      write_model(model, to, *format, {.force = arguments.output.force, .inner_names = !arguments.strip_names}));
  if (to != "-") say(fmt::format("wrote {}, {}", to, bytes_text(file_bytes(to))));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("FROM", &arguments->from, "the network to read, .onnx or .edgec; - is standard input");
  options.argument("TO", &arguments->to_argument,
                   "the file to write, .onnx or .edgec: its ending says which format; - is standard output (ONNX)",
                   false);
  arguments->output.declare(options, "another way to name TO");
  options.add("--format", "FORMAT", &arguments->format, "how to write it (default qdq; flat for a name in .edgec)")
      .one_of(format_names());
  options.add("--opset", "N", &arguments->opset, "write this version of ONNX's operators (default that of the input)")
      .between(1, 1000);
  options.flag("--overridable", &arguments->overridable, "keep weights that are also graph inputs as inputs");
  options.flag("--strip-names", &arguments->strip_names, "leave out the names of inner values and nodes (.edgec)");
  arguments->edits.declare(options);
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef convert;
const CommandDef convert{"convert", "Write a network in another format, spelling or opset; its function stays the same",
                         "  edgec convert model.onnx model.edgec\n"
                         "  edgec convert model.int8.onnx model.qoperator.onnx --format qoperator\n",
                         declare};

} // namespace edgec::commands
