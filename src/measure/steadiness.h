// How far a network's answers move when its inputs hardly do: where its own roundings make much of nothing, no other
// network can be expected to come near to it.
#pragma once

#include "measure/fidelity.h"

namespace edgec {

inline constexpr double input_nudge = 1e-4; ///< of each number of each input of reals

/// The network beside itself on inputs that are larger by `input_nudge` of themselves. Errors: those of
/// measure_fidelity(). A network without inputs of reals is equal to itself.
Result<Fidelity> measure_steadiness(const Graph &graph, const OpRegistry &ops, const SampleSet &samples,
                                    const FidelityOptions &options);

} // namespace edgec
