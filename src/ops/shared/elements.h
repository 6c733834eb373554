// Elements of tensors as C++ numbers, whatever they are stored as: what references compute on.
#pragma once

#include <cstring>
#include <vector>

#include "ir/tensor.h"

namespace edgec::ops {

/// A numeric tensor's elements as T: a view where they are stored as T, converted otherwise.
template <class T>
class Elements {
public:
  explicit Elements(const Tensor &tensor) {
    if (tensor.dtype == dtype_of<T>) {
      view_ = tensor.as<T>();
      return;
    }
    if constexpr (std::is_same_v<T, float>) {
      own_ = to_floats(tensor);
    } else if constexpr (std::is_same_v<T, double>) {
      own_ = to_doubles(tensor);
    } else {
      const auto wide = to_int64s(tensor);
      own_.resize(wide.size());
      for (std::size_t i = 0; i < wide.size(); ++i) own_[i] = static_cast<T>(wide[i]);
    }
    view_ = own_;
  }
  Elements(const Elements &) = delete;
  Elements &operator=(const Elements &) = delete;

  const T &operator[](std::size_t i) const { return view_[i]; }
  [[nodiscard]] std::size_t size() const { return view_.size(); }
  [[nodiscard]] std::span<const T> span() const { return view_; }
  [[nodiscard]] auto begin() const { return view_.begin(); }
  [[nodiscard]] auto end() const { return view_.end(); }

private:
  std::vector<T> own_;
  std::span<const T> view_;
};

/// Numbers as a tensor of `dtype`, which need not be T's: floats round to nearest even, integers wrap.
template <class T>
Tensor make_tensor(DType dtype, Dims dims, std::vector<T> values) {
  if (dtype == dtype_of<T>) return Tensor::of(std::move(dims), std::move(values));
  if constexpr (std::is_floating_point_v<T>) {
    return from_doubles(dtype, std::move(dims), std::vector<double>(values.begin(), values.end()));
  } else {
    return from_int64s(dtype, std::move(dims), std::vector<std::int64_t>(values.begin(), values.end()));
  }
}

/// f(T{}) with the type in which numbers of `dtype` are computed: float for floats of at most 32 bits, double,
/// std::uint64_t, and std::int64_t for all other integers and bool.
template <class F>
auto with_arithmetic(DType dtype, F &&f) {
  if (dtype == DType::float64) return f(double{});
  if (is_float(dtype)) return f(float{});
  if (dtype == DType::uint64) return f(std::uint64_t{});
  return f(std::int64_t{});
}

} // namespace edgec::ops
