// How the scales of quantizing operators lie over a tensor: one, one along an axis, or one for each block of it.
#pragma once

#include <algorithm>

#include <fmt/format.h>

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

/// Which scale element `i` of the tensor takes.
class ScaleIndex {
public:
  ScaleIndex(const Node &node, const Dims &dims, std::int64_t scales) : one_(scales == 1) {
    if (one_) return;
    const auto axis = static_cast<std::size_t>(*normalize_axis(node.get_int("axis", 1), static_cast<int>(dims.size())));
    size_ = dims[axis];
    inner_ = product(dims, axis + 1, dims.size());
    block_ = node.get_int("block_size", 0);
    if (block_ > 0) blocks_ = (size_ + block_ - 1) / block_;
  }
  std::size_t operator()(std::size_t i) const {
    if (one_) return 0;
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t along = at / inner_ % size_;
    if (block_ == 0) return static_cast<std::size_t>(along);
    return static_cast<std::size_t>((at / (inner_ * size_) * blocks_ + along / block_) * inner_ + at % inner_);
  }

  /// The tensor as runs of elements: visit(first, count, scale of the first, whether each has one of its own).
  template <class Visit>
  void for_each_run(std::int64_t elements, Visit visit) const {
    const auto run = [&](std::int64_t first, std::int64_t count, bool each) {
      const auto at = static_cast<std::size_t>(first);
      if (count > 0) visit(at, static_cast<std::size_t>(count), (*this)(at), each);
    };
    if (one_) return run(0, elements, false);
    if (block_ == 0 || inner_ > 1) {
      for (std::int64_t first = 0; first < elements; first += inner_) run(first, inner_, block_ > 0);
      return;
    }
    for (std::int64_t line = 0; line < elements; line += size_)
      for (std::int64_t k = 0; k < size_; k += block_) run(line + k, std::min(block_, size_ - k), false);
  }

private:
  bool one_;
  std::int64_t size_ = 1, inner_ = 1, block_ = 0, blocks_ = 1;
};

} // namespace edgec::ops
