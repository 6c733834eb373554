// Pooling whose last windows hang over the end, said by padding. Internal to this room.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec::proto {

/// Padding up to the end of a pool's last windows, which floor division counts then; nothing where sizes are not known
/// or padding depends on them.
std::optional<std::vector<std::int64_t>> pads_of_windows(const Graph &graph, const Node &node);

/// Pooling with ceil_mode where ONNX's shape inference counts a last window that begins in the padding, and runtimes
/// leave it out: floor division counts those that there are. onnxruntime stops where a branch of If gives other dims
/// than were inferred. In sub-graphs, too.
Status count_windows_by_floor(Graph &graph);

} // namespace edgec::proto
