// What `edgec tune` and `edgec distill` share: training of a network as it is, by the main job (job/compress_file.h).
#pragma once

#include <optional>

#include "cli/command.h"
#include "job/compress_file.h"

namespace edgec {

struct TrainingArguments {
  CompressFile file;
  OutputFlags output;
  std::optional<double> label_share; ///< of the loss
  bool json = false;
};

void declare_training(Options &options, TrainingArguments &arguments);
Result<Outcome> run_training(TrainingArguments &arguments, const Options &options);

} // namespace edgec
