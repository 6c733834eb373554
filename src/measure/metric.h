// Numbers that say how good a network is: larger is better.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/tensor.h"
#include "support/result.h"

namespace edgec {

/// One output of one call; nothing where it is not a tensor of numbers.
struct OutputNumbers {
  Dims dims;
  std::vector<double> values; ///< codes of quantized types are what they stand for
  bool integers = false;      ///< they stand for themselves
};

/// What a network said to one call of the samples.
struct CallOutputs {
  std::string label;                  ///< of the samples
  std::size_t rows = 1;               ///< samples; filling rows of a fixed batch are left out
  std::vector<OutputNumbers> outputs; ///< in the order of the network's
};

/// The same to all samples.
struct NetworkOutputs {
  std::vector<std::string> names; ///< of the outputs
  std::vector<CallOutputs> calls;
};

struct Metric {
  std::string name; ///< as a user says it: "top1"
  /// Of all outputs; null: top1, top5, agreement or sqnr, which Fidelity tells.
  std::function<Result<double>(const NetworkOutputs &)> of;
};

/// A shell command that prints one JSON number. "{outputs}" in it is replaced by a folder that holds, for each output,
/// NAME.npy: float32 (int64 where the output is integers), the rows of all samples along the first axis. Where that
/// axis does not count the rows of a call, or the other axes differ between samples, it is one file a call,
/// NAME.000000.npy and so on. outputs.json says {"samples": [label, ...], "outputs": [{"name", "files": [...]}]}: names
/// keep letters, digits, '.', '-' and '_' in files, other characters become '_'. Outputs that are not tensors of
/// numbers are left out. Errors (bad_input): the command fails, or prints something else.
Metric command_metric(std::string command);

} // namespace edgec
