// edgec distill: a small network is trained towards the answers of a large one.
#include <memory>

#include "cli/training.h"

namespace edgec::commands {
namespace {

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<TrainingArguments>();
  options.argument("TEACHER", &arguments->file.reference, "the network whose answers are learned, .onnx or .edgec");
  options.add("--student", "S", &arguments->file.model,
              "the network that learns: trained weights, or cut from the teacher; random ones need far more data");
  declare_training(options, *arguments);
  return [arguments, &options]() -> Result<Outcome> {
    if (arguments->file.model.empty()) return usage_error("--student: a network that learns is needed");
    return run_training(*arguments, options);
  };
}

} // namespace

extern const CommandDef distill;
const CommandDef distill{"distill", "Train a small network towards the answers of a large one; no labels are needed",
                         "  edgec distill teacher.onnx --student small.onnx --data x.npz --budget 300s\n", declare};

} // namespace edgec::commands
