#include "ops/shared/broadcast.h"

#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

std::string text(const Shape &shape) { return to_string(Type::tensor(DType::undefined, shape)); }

} // namespace

Result<Shape> broadcast(const Shape &a, const Shape &b) {
  Shape result(std::max(a.size(), b.size()), Dim::known(1));
  for (std::size_t i = 1; i <= result.size(); ++i) {
    const Dim one = Dim::known(1);
    const Dim &x = i <= a.size() ? a[a.size() - i] : one;
    const Dim &y = i <= b.size() ? b[b.size() - i] : one;
    Dim &out = result[result.size() - i];
    if (x == one)
      out = y;
    else if (y == one || (x == y && (x.is_known() || !x.symbol.empty())))
      out = x;
    else if (x.is_known() && y.is_known())
      return bad_input(fmt::format("operands of shapes {} and {} do not broadcast", text(a), text(b)));
    else if (x.is_known())
      out = x; // the other one is 1 or the same
    else if (y.is_known())
      out = y;
    else
      out = Dim::unknown();
  }
  return result;
}

Result<Dims> broadcast(const Dims &a, const Dims &b) {
  EDGEC_ASSIGN(const Shape shape,
               broadcast(*Type::tensor(DType::undefined, a).shape, *Type::tensor(DType::undefined, b).shape));
  Dims dims;
  for (const Dim &dim : shape) dims.push_back(dim.size);
  return dims;
}

Result<std::optional<Shape>> broadcast_operands(const InferArgs &args, std::size_t first, std::size_t last) {
  std::optional<Shape> shape = Shape{};
  for (std::size_t i = first; i < last; ++i) {
    const Type *type = args.input(i);
    if (!type) return bad_input(fmt::format("operand {} is missing", i));
    if (!type->shape) return std::optional<Shape>{};
    EDGEC_ASSIGN(shape, broadcast(*shape, *type->shape));
  }
  return shape;
}

Result<std::vector<Type>> infer_broadcast(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  DType dtype = DType::undefined;
  for (const Type *type : args.inputs) {
    if (!type || type->dtype == DType::undefined) continue;
    if (dtype != DType::undefined && type->dtype != dtype)
      return bad_input(fmt::format("operands have different element types, {} and {}", name(dtype), name(type->dtype)));
    dtype = type->dtype;
  }
  EDGEC_ASSIGN(auto shape, broadcast_operands(args, 0, args.inputs.size()));
  return std::vector<Type>{Type::tensor(dtype, std::move(shape))};
}

BroadcastIndex::BroadcastIndex(const Dims &operand, const Dims &output)
    : sizes_(output), steps_(output.size()), at_(output.size()) {
  std::int64_t stride = 1;
  const std::size_t shift = output.size() - operand.size();
  for (std::size_t i = operand.size(); i-- > 0;) {
    steps_[i + shift] = operand[i] == 1 ? 0 : stride;
    stride *= operand[i];
  }
}

std::size_t BroadcastIndex::next() {
  const auto found = static_cast<std::size_t>(offset_);
  for (std::size_t i = sizes_.size(); i-- > 0;) {
    offset_ += steps_[i];
    if (++at_[i] < sizes_[i]) break;
    offset_ -= steps_[i] * sizes_[i];
    at_[i] = 0;
  }
  return found;
}

} // namespace edgec::ops
