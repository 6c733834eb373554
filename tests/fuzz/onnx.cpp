// Any bytes are an ONNX model, or refused; what is read can be written, if ONNX's checker lets it, and read again.
#include <cstdlib>

#include "formats/onnx/onnx.h"
#include "ir/verify.h"
#include "ops/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto bytes = edgec::Storage::copy(std::as_bytes(std::span(data, size)));
  const auto model = edgec::parse_onnx(bytes, "/nonexistent");
  if (!model) return 0;
  if (!edgec::verify(model->graph)) std::abort();
  for (const std::int64_t opset : {7, 21}) {
    if (data[size - 1] % 16 != 3) break; // not each time
    edgec::Model other = *model;
    if (!edgec::infer_types(other.graph, edgec::all_ops())) break;
    if (edgec::convert_opset(other, opset, &edgec::all_ops()) && !edgec::verify(other.graph)) std::abort();
  }
  std::vector<std::string> warnings;
  const auto written = edgec::serialize_onnx(*model, {}, &warnings);
  if (!written) return 0;
  const auto again = edgec::parse_onnx(edgec::Storage::copy(std::as_bytes(std::span(*written))), "/nonexistent");
  if (!again || again->graph.node_count() < model->graph.node_count()) std::abort();
  return 0;
}
