// TensorProto and SparseTensorProto to and from tensors.
#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <limits>

#include "formats/onnx/proto.h"

namespace edgec::proto {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data is little endian");

std::string what(const onnx::TensorProto &tensor) {
  return tensor.name().empty() ? std::string("a tensor") : fmt::format("tensor \"{}\"", tensor.name());
}

/// Typed fields widen every element; each must fit the dtype, signed or unsigned.
template <class Stored, class Field>
Result<Storage> narrow(const Field &field, const onnx::TensorProto &tensor) {
  std::vector<Stored> values;
  values.reserve(static_cast<std::size_t>(field.size()));
  constexpr auto width = static_cast<int>(sizeof(Stored) * 8);
  for (const auto value : field) {
    if constexpr (sizeof(Stored) < sizeof(value)) {
      const auto wide = static_cast<std::int64_t>(value);
      if (wide < -(std::int64_t{1} << (width - 1)) || wide >= std::int64_t{1} << width)
        return bad_input(fmt::format("{} has the element {}, which does not fit {} bits", what(tensor), wide, width));
    }
    values.push_back(static_cast<Stored>(value));
  }
  return Storage::take(std::move(values));
}

template <class Field>
Storage copied(const Field &field) {
  using Element = typename Field::value_type;
  return Storage::take(std::vector<Element>(field.begin(), field.end()));
}

/// The bytes of whichever typed field belongs to the dtype; empty where the tensor has none.
Result<Storage> typed_data(const onnx::TensorProto &tensor, DType dtype) {
  switch (dtype) {
  case DType::float32:
  case DType::complex64: return copied(tensor.float_data());
  case DType::float64:
  case DType::complex128: return copied(tensor.double_data());
  case DType::int64: return copied(tensor.int64_data());
  case DType::uint64: return copied(tensor.uint64_data());
  case DType::uint32: return narrow<std::uint32_t>(tensor.uint64_data(), tensor);
  case DType::int32: return copied(tensor.int32_data());
  case DType::int16:
  case DType::uint16:
  case DType::float16:
  case DType::bfloat16: return narrow<std::uint16_t>(tensor.int32_data(), tensor);
  default: return narrow<std::uint8_t>(tensor.int32_data(), tensor); // 8 bits, and packed sub-byte types
  }
}

bool has_typed_data(const onnx::TensorProto &tensor) {
  return tensor.float_data_size() + tensor.int32_data_size() + tensor.int64_data_size() + tensor.double_data_size() +
             tensor.uint64_data_size() + tensor.string_data_size() >
         0;
}

/// Raw data changes hands without a copy, unless it lies badly.
Storage take_raw(onnx::TensorProto &tensor, DType dtype) {
  std::shared_ptr<const std::string> owner(tensor.release_raw_data());
  if (!owner) return {};
  const ByteView bytes = std::as_bytes(std::span(*owner));
  const auto width = static_cast<std::size_t>(std::max(8, std::min(64, bits(dtype)))) / 8;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % width != 0) return Storage::copy(bytes);
  return {std::move(owner), bytes};
}

Result<Tensor> take_strings(onnx::TensorProto &tensor, Dims dims, std::int64_t count) {
  if (tensor.has_raw_data()) return bad_input(fmt::format("{} holds strings as raw data", what(tensor)));
  if (tensor.string_data_size() != count)
    return bad_input(fmt::format("{} needs {} strings and has {}", what(tensor), count, tensor.string_data_size()));
  std::vector<std::string> strings;
  for (std::string &text : *tensor.mutable_string_data()) strings.push_back(std::move(text));
  return Tensor::of_strings(std::move(dims), std::move(strings));
}

Result<DType> read_dtype(const onnx::TensorProto &tensor) {
  const auto number = tensor.data_type();
  if (number > 0 && number < dtype_count) return static_cast<DType>(number);
  if (onnx::TensorProto::DataType_IsValid(number) && number != 0)
    return unsupported(fmt::format("{} has the element type {}, which edgec does not know", what(tensor),
                                   onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(number))));
  return bad_input(fmt::format("{} has no valid element type ({})", what(tensor), number));
}

/// A bool is 0 or 1 in memory, whatever the file says.
Storage normalized_bools(Storage data) {
  const ByteView bytes = data.bytes();
  if (std::ranges::all_of(bytes, [](std::byte b) { return std::to_integer<int>(b) <= 1; })) return data;
  std::vector<std::byte> clean(bytes.begin(), bytes.end());
  for (std::byte &b : clean) b = std::byte{b != std::byte{0}};
  return Storage::take(std::move(clean));
}

} // namespace

Result<Tensor> take_tensor(onnx::TensorProto &tensor, ExternalData *external) {
  EDGEC_ASSIGN(const DType dtype, read_dtype(tensor));
  Dims dims(tensor.dims().begin(), tensor.dims().end());
  const auto count = element_count(dims);
  if (!count) return bad_input(fmt::format("{} has impossible dims [{}]", what(tensor), fmt::join(dims, ",")));
  if (tensor.has_segment()) return unsupported(fmt::format("{} is stored in segments", what(tensor)));
  const bool outside = tensor.data_location() == onnx::TensorProto::EXTERNAL;
  const bool typed = has_typed_data(tensor);
  if ((outside ? 1 : 0) + (typed ? 1 : 0) + (tensor.has_raw_data() && !tensor.raw_data().empty() ? 1 : 0) > 1)
    return bad_input(fmt::format("{} holds its data twice (raw, typed or external)", what(tensor)));
  if (dtype == DType::string && !outside) return take_strings(tensor, std::move(dims), *count);
  const std::size_t size = byte_size(dtype, *count);
  Storage data;
  if (outside) {
    if (dtype == DType::string || !external)
      return bad_input(fmt::format("{} has its data in another file, which is not allowed here", what(tensor)));
    EDGEC_ASSIGN(data, external->bytes(tensor, size));
  } else if (typed) {
    EDGEC_ASSIGN(data, typed_data(tensor, dtype));
  } else {
    data = take_raw(tensor, dtype);
  }
  if (data.size() != size)
    return bad_input(fmt::format("{} of {}[{}] needs {} bytes of data and has {}", what(tensor), name(dtype),
                                 fmt::join(dims, ","), size, data.size()));
  if (dtype == DType::boolean) data = normalized_bools(std::move(data));
  return Tensor{dtype, std::move(dims), std::move(data), nullptr};
}

Result<Tensor> take_sparse_tensor(onnx::SparseTensorProto &sparse, ExternalData *external) {
  const std::string label = what(sparse.values());
  EDGEC_ASSIGN(const Tensor values, take_tensor(*sparse.mutable_values(), external));
  EDGEC_ASSIGN(const Tensor indices, take_tensor(*sparse.mutable_indices(), external));
  Dims dims(sparse.dims().begin(), sparse.dims().end());
  const auto count = element_count(dims);
  const auto bytes = static_cast<std::size_t>(bits(values.dtype)) / 8;
  constexpr std::int64_t limit = std::int64_t{1} << 31;
  if (!count || *count > limit)
    return bad_input(fmt::format("sparse {} has impossible dims [{}]", label, fmt::join(dims, ",")));
  if (bytes == 0) return unsupported(fmt::format("sparse {} of {}", label, name(values.dtype)));
  const bool linear = indices.rank() == 1;
  const auto rank = static_cast<std::int64_t>(dims.size());
  if (indices.dtype != DType::int64 || values.rank() != 1 || indices.rank() < 1 || indices.rank() > 2 ||
      indices.dims[0] != values.dims[0] || (!linear && indices.dims[1] != rank))
    return bad_input(fmt::format("sparse {} has indices that do not fit its values", label));
  std::vector<std::byte> dense(byte_size(values.dtype, *count));
  const auto index = indices.as<std::int64_t>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(values.dims[0]); ++i) {
    std::int64_t place = linear ? index[i] : 0;
    for (std::size_t axis = 0; !linear && axis < dims.size(); ++axis) {
      const std::int64_t at = index[i * dims.size() + axis];
      if (at < 0 || at >= dims[axis])
        return bad_input(fmt::format("sparse {} has the index {} outside its dims", label, at));
      place = place * dims[axis] + at;
    }
    if (place < 0 || place >= *count)
      return bad_input(fmt::format("sparse {} has the index {} outside its dims", label, place));
    std::memcpy(dense.data() + static_cast<std::size_t>(place) * bytes, values.data.data() + i * bytes, bytes);
  }
  return Tensor::of_bytes(values.dtype, std::move(dims), std::move(dense));
}

void put_tensor(const Tensor &tensor, onnx::TensorProto &proto) {
  proto.set_data_type(static_cast<int>(tensor.dtype));
  for (const auto dim : tensor.dims) proto.add_dims(dim);
  if (tensor.dtype == DType::string) {
    for (const std::string &text : *tensor.strings) proto.add_string_data(text);
    return;
  }
  proto.set_raw_data(tensor.data.data(), tensor.data.size());
}

} // namespace edgec::proto
