// edgec tune: a network is trained further, with labels or a teacher.
#include <memory>

#include "cli/training.h"

namespace edgec::commands {
namespace {

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<TrainingArguments>();
  options.argument("MODEL", &arguments->file.model, "the network, .onnx or .edgec; also one whose weights are codes");
  declare_training(options, *arguments);
  options.group("Training");
  options.add("--teacher", "T", &arguments->file.reference, "a network whose answers are learned, too").records();
  return [arguments, &options] { return run_training(*arguments, options); };
}

} // namespace

extern const CommandDef tune;
const CommandDef tune{"tune", "Train a network further on samples with labels, or towards another network's answers",
                      "  edgec tune model.onnx --data train/ --preprocess imagenet --eval test/\n"
                      "  edgec tune model.int8.onnx --teacher model.onnx --data x.npz --budget 60s\n",
                      declare};

} // namespace edgec::commands
