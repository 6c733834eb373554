// How faithful the file that was written is: measured on what it holds when read again.
#pragma once

#include <string>

#include "cli/compressor.h"
#include "cli/rewrite.h"
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
                      const Dataset &data, FidelityOptions options, Report &report);

/// Fills in report.evaluated: accuracy of both with labels, agreement and SQNR.
Status evaluate_written(const Reference &reference, const Written &written, const DataFlags &flags,
                        FidelityOptions options, std::uint64_t seed, Report &report);

/// Gives each layer that int8 left float its reason; nodes without parameters join the list.
void list_float_nodes(const Compressed &compressed, Report &report);

} // namespace edgec
