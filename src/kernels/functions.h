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

/// tanh as onnxruntime's MLAS takes it, bit for bit: a quotient of polynomials (Eigen's, of degree 13 and 6) on [-9,
/// 9].
EDGEC_INLINE inline float tanh(float value) {
  const float x = value < -9.0F ? -9.0F : value > 9.0F ? 9.0F : value; // NaN stays
  const float z = x * x;
  float p = __builtin_fmaf(z, -2.76076847742355e-16F, 2.00018790482477e-13F);
  p = __builtin_fmaf(p, z, -8.60467152213735e-11F);
  p = __builtin_fmaf(p, z, 5.12229709037114e-08F);
  p = __builtin_fmaf(p, z, 1.48572235717979e-05F);
  p = __builtin_fmaf(p, z, 6.37261928875436e-04F);
  p = __builtin_fmaf(p, z, 4.89352455891786e-03F);
  float q = __builtin_fmaf(z, 1.19825839466702e-06F, 1.18534705686654e-04F);
  q = __builtin_fmaf(q, z, 2.26843463243900e-03F);
  q = __builtin_fmaf(q, z, 4.89352518554385e-03F);
  return p * x / q;
}

} // namespace edgec::fast
