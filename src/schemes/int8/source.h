// A float network on its way to codes: where static quantization and its searches start from.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "calibrate/calibrate.h"
#include "measure/fidelity.h"
#include "schemes/int8/coarse_values.h"
#include "schemes/int8/equalize.h"
#include "schemes/rate/fit_rate.h"

namespace edgec {

/// A float network to be quantized, and what calibration knows of it: what the whole and the halves of cross-fitting
/// start from.
struct Int8Source {
  Graph graph;
  Graph original; ///< whose outputs and means are kept: the same, or before other lossy passes; same ids
  NetworkSpec spec;
  Int8Plan plan;
  Calibration ranges;               ///< of graph
  std::optional<Calibration> means; ///< of original, where it differs
  std::vector<EqualizedTensor> tensors;
  Sensitivities sensitivities; ///< of layers, where codes are chosen by a rate
  std::size_t left = 0;        ///< layers that stay float, since codes would take more bytes

  [[nodiscard]] RangeStatistics means_of(std::span<const int> folds) const {
    return (means ? *means : ranges).merged(folds);
  }
};

/// Values that are to stay float, and why.
void leave_float(const std::vector<CoarseValue> &values, NetworkSpec &spec, const Job &job);

/// The plan once more, after its spec has changed.
void plan_again(Int8Source &source, const Job &job);

/// Gathers ranges and means. Where infinities show, the plan changes: the few samples that judged it may have had none.
Status calibrate_source(Int8Source &source, const Job &job);

/// The graph quantized on the samples of `folds`; at a rate, if it is not 0. Weights of what stays float (recurrent
/// networks, tables, bodies) become codes, too. Returns how much has codes.
Result<std::size_t> quantize_source(Graph &graph, const Int8Source &source, std::span<const int> folds, const Job &job,
                                    double rate = 0);

/// How networks do that were quantized on one half of the samples, on the other.
Result<Fidelity> cross_fit(const Int8Source &source, const Job &job);

/// The same for the report: of many samples that no budget rests on, one half alone is judged.
Result<Fidelity> judge_for_report(const Int8Source &source, const Job &job);

} // namespace edgec
