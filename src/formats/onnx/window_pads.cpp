#include "formats/onnx/window_pads.h"

#include <algorithm>

#include "formats/onnx/bodies.h"

namespace edgec::proto {
namespace {

std::vector<std::int64_t> ints(const Node &node, std::string_view name, std::size_t count, std::int64_t rest) {
  auto given = node.get_ints(name);
  given.resize(count, rest);
  return given;
}

/// Whether ONNX's inference finds another number of windows on some axis: it rounds up, wherever the last one begins.
bool is_disputed(const Graph &graph, const Node &node) {
  const auto kernel = node.get_ints("kernel_shape");
  const std::size_t axes = kernel.size();
  const auto in = graph.value(node.inputs[0]).type.concrete(), out = graph.value(node.outputs[0]).type.concrete();
  if (node.get_int("ceil_mode", 0) == 0 || !in || !out || in->size() != axes + 2 || out->size() != axes + 2)
    return false;
  const auto strides = ints(node, "strides", axes, 1), pads = ints(node, "pads", 2 * axes, 0),
             dilations = ints(node, "dilations", axes, 1);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t room = (*in)[i + 2] + pads[i] + pads[i + axes] - dilations[i] * (kernel[i] - 1) - 1;
    if ((room + strides[i] - 1) / strides[i] + 1 != (*out)[i + 2]) return true;
  }
  return false;
}

void count_by_floor(Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  auto pads = pads_of_windows(graph, node);
  if (!pads || (node.get_int("count_include_pad", 0) != 0 && *pads != ints(node, "pads", pads->size(), 0))) return;
  graph.set_attribute(id, "pads", *std::move(pads));
  graph.remove_attribute(id, "auto_pad");
  graph.remove_attribute(id, "ceil_mode");
}

} // namespace

std::optional<std::vector<std::int64_t>> pads_of_windows(const Graph &graph, const Node &node) {
  const auto kernel = node.get_ints("kernel_shape");
  const auto in = graph.value(node.inputs[0]).type.concrete(), out = graph.value(node.outputs[0]).type.concrete();
  const std::string automatic = node.get_string("auto_pad", "NOTSET");
  const auto dilations = ints(node, "dilations", kernel.size(), 1);
  if (!in || !out || in->size() != kernel.size() + 2 || out->size() != in->size() ||
      std::ranges::any_of(dilations, [](std::int64_t d) { return d != 1; }) ||
      (automatic != "NOTSET" && automatic != "VALID"))
    return std::nullopt;
  const auto strides = ints(node, "strides", kernel.size(), 1);
  auto pads = automatic == "VALID" ? std::vector<std::int64_t>() : node.get_ints("pads");
  pads.resize(2 * kernel.size(), 0);
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    std::int64_t &end = pads[i + kernel.size()];
    end = std::max(end, ((*out)[i + 2] - 1) * strides[i] + kernel[i] - (*in)[i + 2] - pads[i]);
    if (end >= kernel[i] || ((*in)[i + 2] + pads[i] + end - kernel[i]) / strides[i] + 1 != (*out)[i + 2])
      return std::nullopt;
  }
  return pads;
}

Status count_windows_by_floor(Graph &graph) {
  for (const NodeId id : graph.nodes()) {
    EDGEC_CHECK(change_bodies(graph, id, count_windows_by_floor));
    const Node &node = graph.node(id);
    if ((node.is("MaxPool") || node.is("AveragePool") || node.is("LpPool")) && is_disputed(graph, node))
      count_by_floor(graph, id);
  }
  return {};
}

} // namespace edgec::proto
