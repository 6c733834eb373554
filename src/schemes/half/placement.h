// Which nodes compute on float16.
#pragma once

#include <map>
#include <set>
#include <string>

#include "calibrate/statistics.h"
#include "schemes/job.h"

namespace edgec {

struct HalfPlan {
  std::set<NodeId> nodes;                   ///< compute on float16
  std::set<NodeId> exact;                   ///< keep their constants in float32
  std::map<NodeId, std::string> float_ones; ///< nodes on float32 values that do not, and why

  /// A node stays float32 with its constants.
  void leave(NodeId node, std::string why);
  /// Whether operand `use.index` of the reader is to be float16, which it is now float32.
  [[nodiscard]] bool reads_half(const Graph &graph, const Use &use) const;
};

/// A node computes on float16 where ONNX has it so at the graph's opset, and its constants, operands and results are
/// held; `seen` are ranges of values on samples, as far as they are known. What is computed from integers alone (masks,
/// positions, sizes) stays float32, and so does what reads numbers that may be beyond float16, until an operator bounds
/// them; and what stands alone between such.
HalfPlan plan_half(const Graph &graph, const RangeStatistics &seen, const Job &job);

/// Takes nodes without constants out of the plan that stand between such, where float16 would cost conversions and save
/// nothing.
void leave_islands(const Graph &graph, HalfPlan &plan, const Job &job);

bool is_float32(const Graph &graph, ValueId id);

} // namespace edgec
