// edgec compress: the main job (job/compress_file.h) and its flags.
#include <fmt/format.h>
#include <memory>

#include "cli/command.h"
#include "cli/main_job.h"
#include "data/preprocess_help.h"
#include "report/report_file.h"
#include "schemes/rate/options.h"

namespace edgec::commands {
namespace {

struct Arguments {
  CompressFile file;
  OutputFlags output;
  bool json = false;
};

void declare_data(Options &options, CompressFile &a) {
  options.group("Data");
  options
      .add("--calib", "D", &a.calib.path,
           "samples: a folder of images or of class folders, a CSV, .npy, .npz, a folder of ONNX test data, or "
           "'synthetic'")
      .is_common();
  options.add("--calib-limit", "N", &a.calib.limit, "at most N samples").between(1, 1e9).records([&a] {
    return !wanted_schemes(a.settings).empty() ? fmt::to_string(a.calib.limit) : std::string();
  });
  options
      .add("--ranges", "PART.json", &a.ranges,
           "activation ranges that 'edgec calibrate' found on more samples than --calib; may be given again; or the "
           "encodings of AIMET or QNN, or TensorRT's calibration cache")
      .needs("int8")
      .records([&a] { return std::string(a.ranges.empty() ? "" : "given"); }); // however many parts: the same bytes
  options.add("--preprocess", "P", &a.calib.preprocess, preprocess_flag_help).is_common().needs("calib|eval");
  options.add("--eval", "D", &a.eval, "samples to measure accuracy on, before and after").is_common();
  options
      .add("--labels", "L", &a.calib.labels,
           "their right answers: a CSV of file,label or .npy (default y of an .npz, column of a CSV)")
      .is_common()
      .needs("eval");
  a.metric.declare(options, "eval");
  options.add("--reference", "R", &a.reference, "compare with this network instead of the input");
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  CompressFile &a = arguments->file;
  options.argument("MODEL", &a.model, "the network, .onnx or .edgec");
  declare_schemes(options, a.settings);
  declare_data(options, a);
  options.add("--pareto", "FILE", &a.pareto, "write the sizes and losses that the search saw: .json, .csv or .svg")
      .needs("without a search: give --max-size or --max-drop", [&a] { return rounds_weights(a.settings); });
  options
      .add("--max-memory", "SIZE", &a.max_memory,
           "hold no more of the samples' values in memory than fits with the rest; others go to a temporary file")
      .between(0, 1e15)
      .in(Unit::bytes)
      .needs("lossy");
  options.flag("--latency", &a.latency, "also measure one-thread latency before and after");
  options.group("Output");
  options.flag("--overridable", &a.overridable, "keep weights that are also graph inputs as inputs").records();
  a.scope.declare(options);
  a.passes.declare(options);
  arguments->output.declare(options, "the file to write (default STEM.edgec.onnx in the current folder)");
  options.add("--format", "FORMAT", &a.format_name, "how to write it (default qdq; flat for a name in .edgec)")
      .one_of(format_names())
      .needs("as qoperator without --int8",
             [&] { return a.format == nullptr || !a.format->integer_operators || a.asks("quantize-int8"); })
      .records();
  options
      .add("--opset", "N", &a.opset,
           "write this version of ONNX's operators (default the input's, raised as far as needed)")
      .between(1, 1000)
      .records();
  options.add("--report", "FILE", &a.report_path, report_flag_help).is_common();
  options.flag("--json", &arguments->json, "print the report as JSON");
  options.flag("--dry-run", &a.dry_run, "read everything, say what would be done and stop; -v lists every pass");
  a.edits.declare(options);
  a.run.declare(options);
  a.record_with = [&options](std::span<const TypedFlag> flags) -> Result<EffectiveOptions> {
    for (const auto &[key, value] : flags) EDGEC_CHECK(options.find(key)->assign({value}));
    return options.effective();
  };
  return [arguments, &options] { return run_main_job(arguments->file, arguments->output, arguments->json, options); };
}

} // namespace

extern const CommandDef compress;
const CommandDef compress{
    "compress", "Make a network small: optimize, prune, share weights, quantize; verify the file written",
    "  edgec compress model.onnx --int8 --calib images/ --preprocess imagenet\n"
    "  edgec compress model.onnx -o model.edgec --int8 --prune 0.5 --calib x.npz --eval test.npz\n"
    "  edgec compress model.onnx --share 4 --max-drop 1 --eval test.npz --report report.json\n",
    declare};

} // namespace edgec::commands
