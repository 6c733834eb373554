#include "formats/onnx/bodies.h"

#include <memory>
#include <vector>

namespace edgec::proto {

Status change_bodies(Graph &graph, NodeId id, const std::function<Status(Graph &)> &change) {
  const auto changed = [&](const SubGraph &body) -> Result<SubGraph> {
    auto copy = std::make_shared<Graph>(*body);
    EDGEC_CHECK(change(*copy));
    return SubGraph(std::move(copy));
  };
  for (const Attribute &attribute : std::vector(graph.node(id).attributes)) {
    if (const auto *one = std::get_if<SubGraph>(&attribute.value)) {
      EDGEC_ASSIGN(SubGraph body, changed(*one));
      graph.set_attribute(id, attribute.name, std::move(body));
    }
    if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) {
      std::vector<SubGraph> bodies;
      for (const SubGraph &one : *many) {
        EDGEC_ASSIGN(SubGraph body, changed(one));
        bodies.push_back(std::move(body));
      }
      graph.set_attribute(id, attribute.name, std::move(bodies));
    }
  }
  return {};
}

} // namespace edgec::proto
