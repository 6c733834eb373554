// Functions of one number, as ONNX's operators define them; made from the node whose attributes they take.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "ir/graph.h"
#include "kernels/functions.h"

namespace edgec::ops {

template <class T>
inline constexpr bool is_real = std::is_floating_point_v<T>;

template <class T>
EDGEC_INLINE inline T clamped(T x, T low, T high) {
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}
EDGEC_INLINE inline float exp_of(float x) { return fast::exp(x); }
inline double exp_of(double x) { return std::exp(x); }
EDGEC_INLINE inline float tanh_of(float x) { return fast::tanh(x); }
inline double tanh_of(double x) { return std::tanh(x); }

/// A function without attributes, of reals; integers go through double.
#define EDGEC_REAL_FUNCTION(Name, expression)                                                                          \
  struct Name {                                                                                                        \
    explicit Name(const Node &) {}                                                                                     \
    template <class T>                                                                                                 \
    EDGEC_INLINE T operator()(T value) const {                                                                         \
      using R = std::conditional_t<is_real<T>, T, double>;                                                             \
      const R x = static_cast<R>(value);                                                                               \
      return static_cast<T>(expression);                                                                               \
    }                                                                                                                  \
  };

EDGEC_REAL_FUNCTION(Acos, std::acos(x))
EDGEC_REAL_FUNCTION(Acosh, std::acosh(x))
EDGEC_REAL_FUNCTION(Asin, std::asin(x))
EDGEC_REAL_FUNCTION(Asinh, std::asinh(x))
EDGEC_REAL_FUNCTION(Atan, std::atan(x))
EDGEC_REAL_FUNCTION(Atanh, std::atanh(x))
EDGEC_REAL_FUNCTION(Ceil, std::ceil(x))
EDGEC_REAL_FUNCTION(Cos, std::cos(x))
EDGEC_REAL_FUNCTION(Cosh, std::cosh(x))
EDGEC_REAL_FUNCTION(Erf, std::erf(x))
EDGEC_REAL_FUNCTION(Exp, exp_of(x))
EDGEC_REAL_FUNCTION(Floor, std::floor(x))
EDGEC_REAL_FUNCTION(HardSwish, x *clamped(x / R{6} + R{0.5}, R{0}, R{1}))
EDGEC_REAL_FUNCTION(Log, std::log(x))
EDGEC_REAL_FUNCTION(Mish, x *std::tanh(std::max(x, R{0}) + std::log1p(std::exp(-std::abs(x)))))
EDGEC_REAL_FUNCTION(Reciprocal, R{1} / x)
EDGEC_REAL_FUNCTION(Round, std::nearbyint(x)) // halves to even
EDGEC_REAL_FUNCTION(Sigmoid, R{1} / (R{1} + exp_of(-x)))
EDGEC_REAL_FUNCTION(Sin, std::sin(x))
EDGEC_REAL_FUNCTION(Sinh, std::sinh(x))
EDGEC_REAL_FUNCTION(Softplus, std::max(x, R{0}) + std::log1p(std::exp(-std::abs(x))))
EDGEC_REAL_FUNCTION(Softsign, x / (R{1} + std::abs(x)))
EDGEC_REAL_FUNCTION(Sqrt, std::sqrt(x))
EDGEC_REAL_FUNCTION(Tan, std::tan(x))
EDGEC_REAL_FUNCTION(Tanh, tanh_of(x))
#undef EDGEC_REAL_FUNCTION

struct Abs {
  explicit Abs(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    if constexpr (is_real<T>)
      return std::abs(x);
    else
      return x < T{0} ? static_cast<T>(0 - static_cast<std::uint64_t>(x)) : x;
  }
};
struct Neg {
  explicit Neg(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    if constexpr (is_real<T>)
      return -x;
    else
      return static_cast<T>(0 - static_cast<std::uint64_t>(x));
  }
};
struct Sign {
  explicit Sign(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    return x > T{0} ? T{1} : x < T{0} ? static_cast<T>(-1) : x;
  }
};
struct BitwiseNot {
  explicit BitwiseNot(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    if constexpr (is_real<T>)
      return x;
    else
      return static_cast<T>(~x);
  }
};
struct Relu {
  explicit Relu(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    return x < T{0} ? T{0} : x; // NaN stays
  }
};

/// Base of functions with the attributes alpha, beta (or others) as floats.
struct LeakyRelu {
  float alpha;
  explicit LeakyRelu(const Node &node) : alpha(node.get_float("alpha", 0.01F)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    return x < T{0} ? static_cast<T>(static_cast<T>(alpha) * x) : x;
  }
};
struct Elu {
  float alpha;
  explicit Elu(const Node &node) : alpha(node.get_float("alpha", 1)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    return x < T{0} ? static_cast<T>(static_cast<T>(alpha) * static_cast<T>(std::expm1(x))) : x;
  }
};
struct Celu {
  float alpha;
  explicit Celu(const Node &node) : alpha(node.get_float("alpha", 1)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    const double a = alpha, value = static_cast<double>(x);
    return static_cast<T>(std::max(0.0, value) + std::min(0.0, a * std::expm1(value / a)));
  }
};
struct Selu {
  float alpha, gamma;
  explicit Selu(const Node &node)
      : alpha(node.get_float("alpha", 1.67326319217681884765625F)),
        gamma(node.get_float("gamma", 1.05070102214813232421875F)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    const double value = static_cast<double>(x);
    return static_cast<T>(value > 0 ? gamma * value : gamma * (alpha * std::expm1(value)));
  }
};
struct Gelu { // Hendrycks and Gimpel 2016
  bool tanh;
  explicit Gelu(const Node &node) : tanh(node.get_string("approximate", "none") == "tanh") {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    const double v = static_cast<double>(x);
    if (tanh) return static_cast<T>(0.5 * v * (1 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v))));
    return static_cast<T>(0.5 * v * (1 + std::erf(v * 0.7071067811865476)));
  }
};
struct HardSigmoid {
  float alpha, beta;
  explicit HardSigmoid(const Node &node) : alpha(node.get_float("alpha", 0.2F)), beta(node.get_float("beta", 0.5F)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    return clamped(static_cast<T>(static_cast<T>(alpha) * x + static_cast<T>(beta)), T{0}, T{1});
  }
};
struct Shrink {
  float bias, lambd;
  explicit Shrink(const Node &node) : bias(node.get_float("bias", 0)), lambd(node.get_float("lambd", 0.5F)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    const double v = static_cast<double>(x);
    return static_cast<T>(v < -lambd ? v + bias : v > lambd ? v - bias : 0.0);
  }
};
struct Swish {
  float alpha;
  explicit Swish(const Node &node) : alpha(node.get_float("alpha", 1)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    using R = std::conditional_t<is_real<T>, T, double>;
    const R v = static_cast<R>(x);
    return static_cast<T>(v / (R{1} + exp_of(-static_cast<R>(alpha) * v)));
  }
};
struct ThresholdedRelu {
  float alpha;
  explicit ThresholdedRelu(const Node &node) : alpha(node.get_float("alpha", 1)) {}
  template <class T>
  EDGEC_INLINE T operator()(T x) const {
    return x > static_cast<T>(alpha) ? x : T{0};
  }
};

} // namespace edgec::ops
