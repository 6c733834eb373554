#include "cli/training.h"

#include "cli/main_job.h"
#include "data/preprocess_help.h"
#include "report/report_file.h"
#include "schemes/tune/options.h"

namespace edgec {
namespace {

constexpr std::size_t default_steps = 600;

TuneOptions &options_of(TrainingArguments &arguments) { return arguments.file.settings.edit<TuneOptions>(); }

/// Labels alone, or half and half with a teacher's answers.
Status choose_loss(TrainingArguments &arguments) {
  CompressFile &file = arguments.file;
  TuneOptions &tune = options_of(arguments);
  const double otherwise = file.reference.empty() ? 1 : file.sample_labels.empty() ? 0 : 0.5;
  tune.labels = arguments.label_share.value_or(otherwise);
  if (tune.labels < 1 && file.reference.empty())
    return usage_error("--label-share below 1: the rest is learned from a teacher, give one with --teacher");
  return {};
}

} // namespace

Result<Outcome> run_training(TrainingArguments &arguments, const Options &options) {
  CompressFile &file = arguments.file;
  if (file.calib.path.empty()) return usage_error("--data: a network is trained on samples, give some");
  TuneOptions &tune = options_of(arguments);
  tune.alone = true;
  if (tune.budget.empty()) tune.steps = default_steps;
  EDGEC_CHECK(choose_loss(arguments));
  return run_main_job(file, arguments.output, arguments.json, options);
}

void declare_training(Options &options, TrainingArguments &arguments) {
  CompressFile &a = arguments.file;
  TuneOptions &tune = options_of(arguments);
  options.group("Data");
  options
      .add("--data", "D", &a.calib.path,
           "samples to train on: a folder of images or of class folders, a CSV, .npy, .npz, a folder of ONNX test "
           "data; a fifth of them judges")
      .loses();
  options.add("--labels", "L", &a.sample_labels,
              "their right answers: a CSV of file,label or .npy (default y of an .npz, class folders)");
  options.add("--preprocess", "P", &a.calib.preprocess, preprocess_flag_help);
  options.add("--eval", "D", &a.eval, "samples to measure accuracy on, before and after");
  options.add("--eval-labels", "L", &a.calib.labels, "their right answers").needs("eval");
  options.group("Training");
  tune.declare_budget(options, "--budget", "so many steps (default 600), or CPU seconds (60s)");
  tune.declare(options, "", "");
  options
      .add("--label-share", "SHARE", &arguments.label_share,
           "of the loss that counts right answers; the rest counts the teacher's (default 1 without a teacher; with "
           "one 0.5 where --labels is given, else 0)")
      .between(0, 1)
      .records();
  a.scope.declare(options);
  options.group("Output");
  arguments.output.declare(options, "the file to write (default STEM.edgec.onnx in the current folder)");
  options.add("--report", "FILE", &a.report_path, report_flag_help);
  options.flag("--json", &arguments.json, "print the report as JSON");
  a.edits.declare(options);
  a.run.declare(options);
}

} // namespace edgec
