// Broadcasting of operands to a common shape (ONNX docs/Broadcasting.md).
#pragma once

#include <vector>

#include "ir/opdef.h"

namespace edgec::ops {

/// The common shape, aligned at the last axes. Two different known sizes, neither 1, are an error.
Result<Shape> broadcast(const Shape &a, const Shape &b);
Result<Dims> broadcast(const Dims &a, const Dims &b);

/// Shape of all given operands' broadcast; nothing where a rank is not known.
Result<std::optional<Shape>> broadcast_operands(const InferArgs &args, std::size_t first, std::size_t last);

/// OpDef::infer of operators that broadcast all their operands, which have one element type, the output's.
Result<std::vector<Type>> infer_broadcast(const InferArgs &args);

/// Where operand elements lie for each output element, in row-major order of the output.
class BroadcastIndex {
public:
  BroadcastIndex(const Dims &operand, const Dims &output);
  /// The operand's element for the present output element; the next call is for the next one.
  std::size_t next();

private:
  std::vector<std::int64_t> sizes_, steps_, at_;
  std::int64_t offset_ = 0;
};

} // namespace edgec::ops
