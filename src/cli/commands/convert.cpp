// edgec convert: the same function in another file format, spelling or opset.
#include <fmt/format.h>
#include <memory>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/edit_flags.h"
#include "cli/flags.h"
#include "cli/model_file.h"
#include "support/cancel.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::string from, to, format;
  std::int64_t opset = 0;
  bool overridable = false, strip_names = false;
  OutputFlags output;
  EditFlags edits;
};

Result<Outcome> run(const Arguments &arguments) {
  EDGEC_ASSIGN(const ModelFormat format, output_format(arguments.to, arguments.format));
  if (arguments.strip_names && format != ModelFormat::flat)
    return usage_error(fmt::format("--strip-names: {} is ONNX, which needs its names; write an .edgec", arguments.to));
  const std::vector<std::string> inputs{arguments.from};
  EDGEC_CHECK(check_output(arguments.to, inputs, arguments.output.force));
  ReadOptions options;
  options.exact_opset = arguments.opset;
  options.onnx.overridable = arguments.overridable;
  EDGEC_ASSIGN(const Model model, read_model(arguments.from, options, &arguments.edits));
  EDGEC_CHECK(check_interrupted());
  EDGEC_CHECK(write_model(model, arguments.to, format, arguments.output.force, !arguments.strip_names));
  log_info(fmt::format("{}: written, {}", arguments.to, bytes_text(file_bytes(arguments.to))));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("FROM", &arguments->from, "the network to read, .onnx or .edgec; - is standard input");
  options.argument("TO", &arguments->to,
                   "the file to write; its ending says which format; - is standard output (ONNX)");
  options.group("Output");
  options.add("--format", "FORMAT", &arguments->format, "how to write it (default qdq; flat for a name in .edgec)")
      .one_of({"qdq", "qoperator", "flat"});
  options.add("--opset", "N", &arguments->opset, "write this version of ONNX's operators (default that of the input)")
      .between(1, 1000);
  options.flag("--overridable", &arguments->overridable, "keep weights that are also graph inputs as inputs");
  options.flag("--strip-names", &arguments->strip_names, "leave out the names of inner values and nodes (.edgec)");
  arguments->output.declare_force(options);
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
