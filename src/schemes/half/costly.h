// Layers whose digits the answers need.
#pragma once

#include <functional>

#include "schemes/half/placement.h"

namespace edgec {

/// The network as a plan says, in topological order.
using Narrowing = std::function<Result<Graph>(const HalfPlan &)>;

/// Runs what the plan makes of the network on a few samples. Where the outputs have less than 58 dB left, each layer is
/// rounded alone, its constants and its result, and those that cost most for their bytes stay float32 until 58 dB are
/// left or a twentieth of all bytes is float32. Without samples, or where the network cannot be run, nothing changes.
Status leave_costly(const Graph &graph, HalfPlan &plan, const Narrowing &narrowed, const Job &job);

} // namespace edgec
