#include "job/traces.h"

#include <fmt/format.h>

#include "ops/registry.h"
#include "passes/bodies.h"
#include "support/log.h"
#include "support/table.h"

namespace edgec {
namespace {

bool is_trace(std::string_view key) {
  return key == "namespace" || key.starts_with("pkg.torch.") || key.starts_with("pkg.onnxscript.");
}

/// The bytes of the traces among them, which go.
std::size_t drop(Metadata &metadata) {
  std::size_t bytes = 0;
  std::erase_if(metadata, [&](const auto &entry) {
    if (!is_trace(entry.first)) return false;
    bytes += entry.first.size() + entry.second.size();
    return true;
  });
  return bytes;
}

} // namespace

std::size_t drop_traces(Graph &graph) {
  std::size_t bytes = drop(graph.metadata);
  for (const NodeId id : graph.nodes()) {
    Node noted = graph.node(id);
    if (noted.metadata.empty()) continue;
    bytes += drop(noted.metadata);
    graph.set_history(id, noted);
  }
  for (const ValueId id : graph.values()) {
    Metadata metadata = graph.value(id).metadata;
    if (metadata.empty()) continue;
    bytes += drop(metadata);
    graph.set_metadata(id, std::move(metadata), graph.value(id).doc);
  }
  const auto inside = [&](Graph &body) -> Result<bool> {
    const std::size_t found = drop_traces(body);
    bytes += found;
    return found > 0;
  };
  static_cast<void>(edit_bodies(graph, all_ops(), 0, inside)); // `inside` gives no error
  return bytes;
}

void leave_out_traces(Graph &graph) {
  if (const std::size_t bytes = drop_traces(graph); bytes > 0)
    say(fmt::format("stack traces and scopes that PyTorch's exporter noted are left out: {}", bytes_text(bytes)));
}

} // namespace edgec
