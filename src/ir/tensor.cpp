#include "ir/tensor.h"

#include <cmath>
#include <cstring>

#include "ir/float8.h"
#include "support/half.h"

namespace edgec {

std::optional<std::int64_t> element_count(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  bool zero = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) zero = true;
  }
  if (zero) return 0;
  for (const std::int64_t dim : dims) {
    if (count > (std::int64_t{1} << 62) / dim) return std::nullopt;
    count *= dim;
  }
  return count;
}

std::size_t byte_size(DType dtype, std::int64_t count) {
  return (static_cast<std::size_t>(count) * static_cast<std::size_t>(bits(dtype)) + 7) / 8;
}

Tensor Tensor::of_bytes(DType dtype, Dims dims, std::vector<std::byte> bytes) {
  Tensor tensor{dtype, std::move(dims), Storage::take(std::move(bytes)), nullptr};
  assert(tensor.data.size() == byte_size(dtype, tensor.size()));
  return tensor;
}

Tensor Tensor::of_strings(Dims dims, std::vector<std::string> values) {
  return {DType::string, std::move(dims), {}, std::make_shared<const std::vector<std::string>>(std::move(values))};
}

bool identical(const Tensor &a, const Tensor &b) {
  if (a.dtype != b.dtype || a.dims != b.dims) return false;
  if (a.dtype == DType::string) return a.strings && b.strings && *a.strings == *b.strings;
  return a.data.size() == b.data.size() &&
         (a.data.size() == 0 || std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0);
}

namespace {

/// Calls f(T{}) with the C++ type that stores a byte-wide or wider plain number.
template <class F>
bool with_plain_type(DType dtype, F &&f) {
  switch (dtype) {
  case DType::float32: f(float{}); return true;
  case DType::float64: f(double{}); return true;
  case DType::uint8:
  case DType::boolean: f(std::uint8_t{}); return true;
  case DType::int8: f(std::int8_t{}); return true;
  case DType::uint16: f(std::uint16_t{}); return true;
  case DType::int16: f(std::int16_t{}); return true;
  case DType::uint32: f(std::uint32_t{}); return true;
  case DType::int32: f(std::int32_t{}); return true;
  case DType::uint64: f(std::uint64_t{}); return true;
  case DType::int64: f(std::int64_t{}); return true;
  default: return false;
  }
}

/// Element `i` of a packed 2- or 4-bit tensor, sign extended for signed types.
int packed_code(const Tensor &tensor, std::size_t i) {
  const int width = bits(tensor.dtype);
  const std::size_t per_byte = 8 / static_cast<std::size_t>(width);
  const int byte = std::to_integer<int>(tensor.data.bytes()[i / per_byte]);
  const int code = (byte >> (static_cast<int>(i % per_byte) * width)) & ((1 << width) - 1);
  return is_signed_integer(tensor.dtype) && code >= (1 << (width - 1)) ? code - (1 << width) : code;
}

double small_element(const Tensor &tensor, std::size_t i) {
  switch (tensor.dtype) {
  case DType::float16: return half_to_float(tensor.as<std::uint16_t>()[i]);
  case DType::bfloat16: return bfloat16_to_float(tensor.as<std::uint16_t>()[i]);
  case DType::float4e2m1: return float8_to_float(DType::float4e2m1, static_cast<std::uint8_t>(packed_code(tensor, i)));
  case DType::uint4:
  case DType::int4:
  case DType::uint2:
  case DType::int2: return packed_code(tensor, i);
  default: return float8_to_float(tensor.dtype, std::to_integer<std::uint8_t>(tensor.data.bytes()[i]));
  }
}

template <class Out>
std::vector<Out> convert(const Tensor &tensor) {
  std::vector<Out> out(static_cast<std::size_t>(tensor.size()));
  if (out.empty()) return out;
  const bool plain = with_plain_type(tensor.dtype, [&](auto zero) {
    const auto values = tensor.as<decltype(zero)>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Out>(values[i]);
  });
  if (!plain && bits(tensor.dtype) > 0 && bits(tensor.dtype) <= 16)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Out>(small_element(tensor, i));
  return out;
}

template <class T, class In>
T narrow(In value) {
  if constexpr (std::is_floating_point_v<T> || std::is_integral_v<In>) {
    return static_cast<T>(value);
  } else {
    if (!(std::abs(value) < 0x1p63)) // beyond int64: saturate; NaN gives 0
      return static_cast<T>(std::isnan(value) ? 0
                            : value > 0       ? (value < 0x1p64 && std::is_same_v<T, std::uint64_t>
                                                     ? static_cast<std::uint64_t>(value)
                                                     : ~std::uint64_t{0} >> std::is_signed_v<T>)
                                              : std::uint64_t{1} << 63);
    return static_cast<T>(static_cast<std::int64_t>(value));
  }
}

template <class In>
Tensor pack(DType dtype, Dims dims, std::span<const In> values) {
  std::vector<std::byte> bytes(byte_size(dtype, static_cast<std::int64_t>(values.size())));
  const std::size_t n = values.size();
  const bool plain = dtype != DType::boolean && with_plain_type(dtype, [&](auto zero) {
                       using T = decltype(zero);
                       for (std::size_t i = 0; i < n; ++i) {
                         const T narrowed = narrow<T>(values[i]);
                         std::memcpy(&bytes[i * sizeof(T)], &narrowed, sizeof(T));
                       }
                     });
  if (!plain) {
    const int width = bits(dtype);
    for (std::size_t i = 0; i < n; ++i) {
      const auto real = static_cast<float>(values[i]);
      std::uint16_t code = 0;
      if (dtype == DType::boolean)
        code = values[i] != In{0};
      else if (dtype == DType::float16)
        code = float_to_half(real);
      else if (dtype == DType::bfloat16)
        code = float_to_bfloat16(real);
      else if (is_float(dtype))
        code = float_to_float8(dtype, real);
      else
        code =
            static_cast<std::uint16_t>(narrow<std::int64_t>(values[i])) & static_cast<std::uint16_t>((1 << width) - 1);
      if (width == 16)
        std::memcpy(&bytes[i * 2], &code, 2);
      else if (width == 8)
        bytes[i] = static_cast<std::byte>(code);
      else {
        const std::size_t per_byte = 8 / static_cast<std::size_t>(width);
        bytes[i / per_byte] |=
            static_cast<std::byte>((code & ((1 << width) - 1)) << (static_cast<int>(i % per_byte) * width));
      }
    }
  }
  return Tensor::of_bytes(dtype, std::move(dims), std::move(bytes));
}

} // namespace

std::vector<double> to_doubles(const Tensor &tensor) { return convert<double>(tensor); }
std::vector<float> to_floats(const Tensor &tensor) { return convert<float>(tensor); }

std::vector<std::int64_t> to_int64s(const Tensor &tensor) {
  if (!is_float(tensor.dtype)) return convert<std::int64_t>(tensor);
  const auto reals = convert<double>(tensor);
  std::vector<std::int64_t> out(reals.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = narrow<std::int64_t>(reals[i]);
  return out;
}

Tensor from_doubles(DType dtype, Dims dims, std::span<const double> values) {
  return pack(dtype, std::move(dims), values);
}
Tensor from_int64s(DType dtype, Dims dims, std::span<const std::int64_t> values) {
  return pack(dtype, std::move(dims), values);
}

} // namespace edgec
