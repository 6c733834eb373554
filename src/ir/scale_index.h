// How the scales of codes lie over a tensor: one, one per index of an axis, or one for each block along it.
#pragma once

#include <algorithm>

#include "ir/type.h"

namespace edgec {

/// Which scale (and zero point) an element takes. Scales of blocks have the tensor's dims, the axis divided by the
/// block and rounded up (ONNX opset 21).
class ScaleIndex {
public:
  /// One scale for all.
  ScaleIndex() = default;
  /// One per index of `axis`, 0 <= axis < rank; block > 0: one for each block of so many along it.
  ScaleIndex(const Dims &dims, int axis, std::int64_t block) : one_(false), block_(block) {
    const auto at = static_cast<std::size_t>(axis);
    size_ = dims[at];
    for (std::size_t i = at + 1; i < dims.size(); ++i) inner_ *= dims[i];
    if (block_ > 0) blocks_ = (size_ + block_ - 1) / block_;
  }
  ScaleIndex(const Quant &quant, const Dims &dims)
      : ScaleIndex(quant.scales.size() <= 1 || quant.axis < 0 || quant.axis >= static_cast<int>(dims.size())
                       ? ScaleIndex()
                       : ScaleIndex(dims, quant.axis, quant.block)) {}

  std::size_t operator()(std::size_t element) const {
    if (one_) return 0;
    const auto at = static_cast<std::int64_t>(element);
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
  bool one_ = true;
  std::int64_t size_ = 1, inner_ = 1, block_ = 0, blocks_ = 1;
};

} // namespace edgec
