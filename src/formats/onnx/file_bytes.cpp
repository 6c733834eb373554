#include "formats/onnx/file_bytes.h"

#include <set>
#include <string>

#include "formats/onnx/proto.h"
#include "support/file.h"

namespace edgec {

Result<OnnxBytes> count_onnx_bytes(const std::filesystem::path &path) {
  EDGEC_ASSIGN(const Storage file, map_file(path));
  onnx::ModelProto model;
  EDGEC_CHECK(proto::parse_message(file.bytes(), model).in(path.string()));
  OnnxBytes found{.total = file.size()};
  for (const auto &entry : model.metadata_props()) found.metadata += entry.ByteSizeLong();
  std::set<std::string> parameters;
  for (const auto &node : model.graph().node()) {
    if (node.op_type() == "Constant") found.weights += node.ByteSizeLong();
    if (node.op_type() != "QuantizeLinear" && node.op_type() != "DequantizeLinear") continue;
    found.quantization += node.ByteSizeLong();
    for (int i = 1; i < node.input_size(); ++i) parameters.insert(node.input(i));
  }
  for (const auto &tensor : model.graph().initializer())
    (parameters.contains(tensor.name()) ? found.quantization : found.weights) += tensor.ByteSizeLong();
  return found;
}

std::filesystem::path weights_beside(const std::filesystem::path &path) {
  return path.parent_path() / (path.filename().string() + ".data");
}

} // namespace edgec
