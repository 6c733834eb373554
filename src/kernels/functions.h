// exp, logistic and tanh as polynomials that vectorize; the same bits on every instruction set.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/fast/dispatch.h"

namespace edgec::fast {

/// e^x to 2 units in the last place (Cephes expf: range reduction by ln 2, polynomial of degree 5). Below -87.3: 0 or
/// nearly; above 88.7: infinity. NaN stays.
EDGEC_INLINE inline float exp(float x) {
  const float limited = x < -87.336544F ? -87.336544F : x > 88.72F ? 88.72F : x;
  const float n = __builtin_nearbyintf(limited * 1.44269504088896341F);
  const float r = (limited - n * 0.693359375F) + n * 2.12194440e-4F; // n * ln 2 in two parts, the first exact
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  // 2^n in two factors, since n may be 128.
  const auto whole = static_cast<std::int32_t>(n), half = whole / 2;
  const float result = p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((whole - half + 127) << 23);
  return x > 88.72F ? __builtin_inff() : x < -87.336544F ? 0.0F : x != x ? x : result;
}

EDGEC_INLINE inline float logistic(float x) { return 1.0F / (1.0F + exp(-x)); }

/// tanh (Cephes tanhf): an odd polynomial near 0, where the quotient of exponentials cancels.
EDGEC_INLINE inline float tanh(float x) {
  const float z = x * x;
  float p = -5.70498872745e-3F;
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const float near = x + x * z * p;
  const float a = x < 0 ? -x : x;
  const float far = 1.0F - 2.0F / (exp(2.0F * a) + 1.0F);
  const float signed_far = x < 0 ? -far : far;
  return a < 0.625F ? near : signed_far;
}

} // namespace edgec::fast
