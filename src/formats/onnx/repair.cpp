#include <fmt/format.h>
#include <unordered_map>

#include "formats/onnx/prepare.h"

namespace edgec::proto {

void repair(onnx::GraphProto &graph, std::vector<std::string> &notes) {
  std::unordered_map<std::string, int> last;
  std::vector<char> superseded(static_cast<std::size_t>(graph.node_size()), 0);
  int count = 0;
  for (int i = 0; i < graph.node_size(); ++i) {
    const auto &node = graph.node(i);
    if (node.op_type() != "Constant" || !domain_name(node.domain()).empty() || node.output_size() != 1) continue;
    const auto [entry, fresh] = last.emplace(node.output(0), i);
    if (fresh) continue;
    superseded[static_cast<std::size_t>(entry->second)] = 1;
    entry->second = i;
    ++count;
  }
  if (count == 0) return;
  onnx::GraphProto kept;
  for (int i = 0; i < graph.node_size(); ++i)
    if (superseded[static_cast<std::size_t>(i)] == 0) kept.add_node()->Swap(graph.mutable_node(i));
  graph.mutable_node()->Swap(kept.mutable_node());
  notes.push_back(fmt::format(
      "{} Constant nodes give a value that a later Constant gives again: the later one holds, as in onnxruntime",
      count));
}

Status load_small_external(onnx::GraphProto &graph, ExternalData &external) {
  for (auto &tensor : *graph.mutable_initializer()) {
    const auto count = element_count(std::vector<std::int64_t>(tensor.dims().begin(), tensor.dims().end()));
    const bool known = tensor.data_type() > 0 && tensor.data_type() < dtype_count;
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL || !known || tensor.has_raw_data() ||
        count.value_or(1024) >= 1024)
      continue;
    EDGEC_ASSIGN(const Storage bytes,
                 external.bytes(tensor, byte_size(static_cast<DType>(tensor.data_type()), *count)));
    tensor.set_raw_data(bytes.data(), bytes.size());
    tensor.clear_data_location();
    tensor.clear_external_data();
  }
  return {};
}

} // namespace edgec::proto
