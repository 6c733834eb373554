// How faithful the file that was written is: measured on what it holds when read again.
#pragma once

#include <string>

#include "job/compressor.h"
#include "job/rewrite.h"
#include "measure/fidelity.h"

namespace edgec {

/// What the result is compared with.
struct Reference {
  const Model &model;
  std::string name;
  bool other = false; ///< not the input itself
};

/// Fills in report.verified. With int8 the figures are honest ones: of samples beyond the limit where there are some
/// (200 at most), else of two networks each quantized on half of the samples and run on the other half; the written
/// file is then run on a few samples beside the network in memory. Without int8 the file is run on the samples.
/// Networks that cannot be run leave a warning.
Status verify_written(const Reference &reference, const Compressed &compressed, const Written &written,
                      const Dataset &data, FidelityOptions options, ProgressSink &line, Report &report);

/// Fills in report.evaluated: accuracy of both with labels, agreement and SQNR; by `metric`, unless it is null.
Status evaluate_written(const Reference &reference, const Written &written, const Dataset &data, const Metric *metric,
                        FidelityOptions options, ProgressSink &line, Report &report);

/// Fills in the error of each layer on the first sample. Keeps all values of both networks in memory.
Status measure_layers(const Model &source, const Written &written, const Dataset &data, Isa isa, Report &report);

/// Fills in report.latency_before and latency_after, on the first sample and one thread, the networks in turns.
Status measure_latencies(const Model &source, const Written &written, const Dataset &data,
                         const FidelityOptions &options, Report &report);

/// A sentence for each scheme that was asked for and changed nothing, with the reasons that it gave.
std::vector<std::string> idle_passes(const Compressed &compressed);

/// Gives each layer that int8 (half precision) left float (float32) its reason, and so each that has float weights of
/// which int8 has no form;
/// nodes without parameters join the list.
void list_float_nodes(const Compressed &compressed, Report &report);

} // namespace edgec
