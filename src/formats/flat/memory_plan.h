// The memory plan: where each of the main graph's values of known size lies in one arena, so that a reader without an
// allocator can run the model.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec::flat {

/// A value in the arena from step `first` to step `last`, both included; a step is a node, in the file's order.
struct Placement {
  std::uint32_t value = 0; ///< as the file numbers it
  std::uint32_t first = 0, last = 0;
  std::uint32_t reserved = 0;
  std::uint64_t offset = 0, size = 0; ///< bytes
};

struct MemoryPlan {
  std::uint64_t arena_bytes = 0;
  std::vector<Placement> placements; ///< ascending by value; constants and values of unknown size are not in it
};

/// Greedy by size (Pisarchyk and Lee 2020, arXiv 2001.03288): the largest first, each at the lowest offset where
/// nothing that lives at the same time lies. Graph inputs live from step 0 on, graph outputs until the last one.
MemoryPlan plan_memory(const Graph &graph);

std::vector<std::byte> write_memory_plan(const MemoryPlan &plan);

/// The reverse, checked against the graph it was read with: values, sizes, steps, bounds and overlaps.
Result<MemoryPlan> read_memory_plan(ByteView bytes);
Status check_memory_plan(const MemoryPlan &plan, const Graph &graph);

} // namespace edgec::flat
