// How quantized types are said in ONNX: integer tensors, with QuantizeLinear and DequantizeLinear around float
// operators (QDQ), or with operators of their own (QOperator). Internal to this room.
#pragma once

#include <map>
#include <tuple>

#include "formats/onnx/onnx.h"
#include "ir/opdef.h"

namespace edgec::proto {

/// The lowest opset whose QuantizeLinear and DequantizeLinear can say the graph's quantized types; 0 without any.
std::int64_t opset_for_quantization(const Graph &graph);

/// Replaces quantized types by integer ones and the nodes that say so. Errors name what cannot be said.
Status spell(Graph &graph, const OnnxWriteOptions &options);

/// What spells one graph; scales, zero points and DequantizeLinear nodes are shared.
class Speller {
public:
  Speller(Graph &graph, const OnnxWriteOptions &options);
  Status run();

  Graph &graph;
  [[nodiscard]] const Quant *quant(ValueId id) const;
  /// The scale as a constant: rank 0 for a whole tensor, else as DequantizeLinear wants it.
  ValueId scale(ValueId of);
  ValueId zero_point(ValueId of);
  ValueId zero(DType dtype); ///< rank 0
  /// Replaces a node by one of another type and operands, with the same outputs.
  void replace(NodeId id, Node made);

private:
  const OnnxWriteOptions &options_;
  std::map<std::tuple<DType, Dims, std::vector<std::byte>>, ValueId> parameters_;
  std::map<ValueId, ValueId> reals_; // of quantized values

  ValueId parameter(Tensor data);
  void remember_parameters();
  [[nodiscard]] bool dequantizes_exactly(const Node &node) const;
  [[nodiscard]] Dims parameter_dims(ValueId of) const;
  [[nodiscard]] bool runs_on_codes(const Node &node) const;
  Node border(std::string_view op, ValueId quantized, ValueId input, bool keep_zero_point);
  ValueId dequantized(ValueId id, const Node &reader);
  void quantize_output(NodeId id, std::size_t index);
};

/// Writes a quantized node as its QOperator form; false where it has none.
bool spell_qoperator(Speller &speller, NodeId id);

} // namespace edgec::proto
