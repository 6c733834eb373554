#include "ir/type.h"

#include <fmt/format.h>

#include "ir/text.h"

namespace edgec {

Type Type::tensor(DType dtype, const Dims &dims) {
  Shape shape;
  for (const auto dim : dims) shape.push_back(Dim::known(dim));
  return {Kind::tensor, dtype, std::move(shape), std::nullopt, nullptr};
}

std::optional<Dims> Type::concrete() const {
  if (!is_tensor() || !shape) return std::nullopt;
  Dims dims;
  for (const Dim &dim : *shape) {
    if (!dim.is_known()) return std::nullopt;
    dims.push_back(dim.size);
  }
  return dims;
}

std::optional<int> Type::rank() const {
  if (!shape) return std::nullopt;
  return static_cast<int>(shape->size());
}

bool operator==(const Type &a, const Type &b) {
  if (a.kind != b.kind || a.dtype != b.dtype || a.shape != b.shape || a.quant != b.quant) return false;
  if (!a.element || !b.element) return a.element == b.element;
  return *a.element == *b.element;
}

namespace {

std::string shape_text(const std::optional<Shape> &shape) {
  if (!shape) return "[]"; // ONNX syntax: unknown rank
  if (shape->empty()) return "";
  std::string text = "[";
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const Dim &dim = (*shape)[i];
    if (i > 0) text += ",";
    text += dim.is_known() ? fmt::format("{}", dim.size) : dim.symbol.empty() ? "?" : name_text(dim.symbol);
  }
  return text + "]";
}

std::string quant_text(const Quant &quant) {
  std::string text = "{";
  if (quant.is_per_tensor()) return text + fmt::format("{},{}}}", quant.scale(), quant.zero_point());
  text += fmt::format("axis={}", quant.axis);
  if (quant.block > 0) text += fmt::format(",block={}", quant.block);
  for (std::size_t i = 0; i < quant.scales.size(); ++i)
    text += fmt::format("; {},{}", quant.scales[i], quant.zero_points[i]);
  return text + "}";
}

} // namespace

std::string to_string(const Type &type) {
  const auto inner = [&] { return type.element ? to_string(*type.element) : std::string("?"); };
  switch (type.kind) {
  case Type::Kind::tensor:
    return std::string(name(type.dtype)) + shape_text(type.shape) + (type.quant ? quant_text(*type.quant) : "");
  case Type::Kind::sparse_tensor: return fmt::format("sparse_tensor({}{})", name(type.dtype), shape_text(type.shape));
  case Type::Kind::sequence: return fmt::format("seq({})", inner());
  case Type::Kind::optional: return fmt::format("optional({})", inner());
  case Type::Kind::map: return fmt::format("map({},{})", name(type.dtype), inner());
  case Type::Kind::unknown: break;
  }
  return "?";
}

} // namespace edgec
