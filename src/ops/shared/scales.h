// The scales of quantizing operators: whether they fit the tensor, and which is whose.
#pragma once

#include <fmt/format.h>

#include "ir/scale_index.h"
#include "ops/shared/shape.h"

namespace edgec::ops {

/// An error where the scale fits neither the whole tensor, an axis, nor blocks of one.
inline Status check_scale(const InferArgs &args) {
  const Type &x = *args.input(0), &scale = *args.input(1);
  const auto dims = x.concrete(), scales = scale.concrete();
  if (!dims || !scales || element_count(*scales) == 1) return {};
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 1), static_cast<int>(dims->size())));
  const std::int64_t block = args.node.get_int("block_size", 0), size = (*dims)[static_cast<std::size_t>(axis)];
  Dims wanted = *dims;
  if (block < 0) return bad_input(fmt::format("a block_size of {}", block));
  if (block == 0)
    wanted = {size};
  else
    wanted[static_cast<std::size_t>(axis)] = size / block + (size % block != 0);
  if (*scales != wanted)
    return bad_input(
        fmt::format("the scale is {}, expected {}", to_string(scale), to_string(Type::tensor(scale.dtype, wanted))));
  if (args.input(2) && args.input(2)->concrete() && *args.input(2)->concrete() != wanted)
    return bad_input(fmt::format("the zero point is {}, the scale {}", to_string(*args.input(2)), to_string(scale)));
  return {};
}

/// Which scale an element of the tensor takes that a node with so many scales reads, once check_scale() has passed.
inline ScaleIndex scale_index(const Node &node, const Dims &dims, std::int64_t scales) {
  if (scales == 1) return {};
  return {dims, *normalize_axis(node.get_int("axis", 1), static_cast<int>(dims.size())), node.get_int("block_size", 0)};
}

} // namespace edgec::ops
