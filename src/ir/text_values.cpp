#include "ir/text_values.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "ir/text.h"
#include "ir/text_elements.h"

namespace edgec {
namespace {

constexpr std::string_view compound_types[] = {"seq", "map", "optional", "sparse_tensor", "undefined"};

std::optional<DType> element_type(std::string_view word) {
  return word == "undefined" ? DType::undefined : parse_dtype(word);
}

Result<std::optional<Shape>> read_shape(Scanner &scanner) {
  Shape shape;
  if (!scanner.accept("[")) return std::optional(shape);
  if (scanner.accept("]")) return std::optional<Shape>();
  do {
    const char next = scanner.peek();
    if (scanner.accept("?")) {
      shape.push_back(Dim::unknown());
    } else if (next == '-' || (next >= '0' && next <= '9')) {
      EDGEC_ASSIGN(const std::int64_t size, scanner.integer());
      if (size < 0) return scanner.error(fmt::format("a dimension of {}", size));
      shape.push_back(Dim::known(size));
    } else {
      EDGEC_ASSIGN(std::string symbol, scanner.name("a dimension"));
      if (symbol.empty()) return scanner.error("a dimension's name is empty");
      shape.push_back(Dim::named(std::move(symbol)));
    }
  } while (scanner.accept(","));
  EDGEC_CHECK(scanner.expect("]"));
  return std::optional(shape);
}

Status read_scale(Scanner &scanner, Quant &quant) {
  EDGEC_ASSIGN(const float scale, scanner.real32());
  EDGEC_CHECK(scanner.expect(","));
  EDGEC_ASSIGN(const std::int64_t zero_point, scanner.integer());
  if (zero_point < INT32_MIN || zero_point > INT32_MAX)
    return scanner.error(fmt::format("a zero point of {}", zero_point));
  quant.scales.push_back(scale);
  quant.zero_points.push_back(static_cast<std::int32_t>(zero_point));
  return {};
}

/// Behind `{`: "0.02,12}" or "axis=0,block=32; 0.1,0; 0.2,0}".
Result<Quant> read_quant(Scanner &scanner) {
  Quant quant;
  if (scanner.peek_identifier() != "axis") {
    EDGEC_CHECK(read_scale(scanner, quant));
  } else {
    scanner.identifier();
    EDGEC_CHECK(scanner.expect("="));
    EDGEC_ASSIGN(const std::int64_t axis, scanner.integer());
    if (axis < 0 || axis > INT32_MAX) return scanner.error(fmt::format("a quantization axis of {}", axis));
    quant.axis = static_cast<int>(axis);
    if (scanner.accept(",")) {
      EDGEC_CHECK(scanner.expect("block"));
      EDGEC_CHECK(scanner.expect("="));
      EDGEC_ASSIGN(quant.block, scanner.integer());
      if (quant.block < 1) return scanner.error(fmt::format("a quantization block of {}", quant.block));
    }
    while (scanner.accept(";")) EDGEC_CHECK(read_scale(scanner, quant));
    if (quant.scales.empty()) return scanner.expected("`;` and a scale");
  }
  EDGEC_CHECK(scanner.expect("}"));
  return quant;
}

Result<Type> read_compound(Scanner &scanner, std::string_view word, int depth) {
  Type type;
  type.kind = word == "seq" ? Type::Kind::sequence : word == "map" ? Type::Kind::map : Type::Kind::optional;
  EDGEC_CHECK(scanner.expect("("));
  if (type.kind == Type::Kind::map) {
    const auto key = element_type(scanner.identifier());
    if (!key) return scanner.expected("a map's key type");
    type.dtype = *key;
    EDGEC_CHECK(scanner.expect(","));
  }
  EDGEC_ASSIGN(Type element, read_type(scanner, false, depth + 1));
  EDGEC_CHECK(scanner.expect(")"));
  type.element = std::make_shared<const Type>(std::move(element));
  return type;
}

/// Calls read() for each element of `{...}` and checks that there are `count`.
template <class Read>
Status read_elements(Scanner &scanner, std::int64_t count, Read &&read) {
  EDGEC_CHECK(scanner.expect("{"));
  std::int64_t found = 0;
  if (scanner.peek() != '}') {
    do {
      EDGEC_CHECK(read());
      ++found;
    } while (scanner.accept(","));
  }
  EDGEC_CHECK(scanner.expect("}"));
  if (found != count) return scanner.error(fmt::format("expected {} elements, found {}", count, found));
  return {};
}

template <class T>
Result<Tensor> read_reals(Scanner &scanner, DType dtype, const Dims &dims, std::int64_t count) {
  std::vector<T> values;
  EDGEC_CHECK(read_elements(scanner, count, [&]() -> Status {
    EDGEC_ASSIGN(const T value, [&] {
      if constexpr (std::is_same_v<T, float>)
        return scanner.real32();
      else
        return scanner.real();
    }());
    values.push_back(value);
    return {};
  }));
  return Tensor{dtype, dims, Storage::take(std::move(values)), nullptr};
}

Result<Tensor> read_uint64s(Scanner &scanner, const Dims &dims, std::int64_t count) {
  std::vector<std::uint64_t> values;
  EDGEC_CHECK(read_elements(scanner, count, [&]() -> Status {
    EDGEC_ASSIGN(const std::string_view digits, scanner.number());
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (code != std::errc() || end != digits.data() + digits.size())
      return scanner.error(fmt::format("`{}` is not a uint64", digits));
    values.push_back(value);
    return {};
  }));
  return Tensor::of(dims, std::move(values));
}

Result<Tensor> read_integers(Scanner &scanner, DType dtype, const Dims &dims, std::int64_t count) {
  const DType written = written_as(dtype);
  const IntegerRange range = dtype == DType::boolean ? IntegerRange{0, 1} : integer_range(written);
  std::vector<std::int64_t> values;
  EDGEC_CHECK(read_elements(scanner, count, [&]() -> Status {
    EDGEC_ASSIGN(const std::int64_t value, scanner.integer());
    if (value < range.low || value > range.high)
      return scanner.error(fmt::format("{} does not fit {}", value, name(dtype)));
    values.push_back(value);
    return {};
  }));
  Tensor tensor = from_int64s(written, dims, values);
  tensor.dtype = dtype;
  return tensor;
}

} // namespace

bool at_type(Scanner &scanner) {
  const std::string_view word = scanner.peek_identifier();
  return parse_dtype(word) || scanner.peek() == '?' ||
         std::ranges::find(compound_types, word) != std::end(compound_types);
}

Result<Type> read_type(Scanner &scanner, bool quantized, int depth) {
  if (depth > max_text_depth) return scanner.error(fmt::format("types nest deeper than {}", max_text_depth));
  if (scanner.accept("?")) return Type{.kind = Type::Kind::unknown};
  if (!at_type(scanner)) return scanner.expected("a type");
  const std::string_view word = scanner.identifier();
  if (word == "sparse_tensor") {
    EDGEC_CHECK(scanner.expect("("));
    EDGEC_ASSIGN(Type type, read_type(scanner, false, depth + 1));
    if (!type.is_tensor()) return scanner.error("a sparse tensor of something that is not a tensor");
    type.kind = Type::Kind::sparse_tensor;
    EDGEC_CHECK(scanner.expect(")"));
    return type;
  }
  const auto dtype = element_type(word);
  if (!dtype) return read_compound(scanner, word, depth);
  EDGEC_ASSIGN(std::optional<Shape> shape, read_shape(scanner));
  Type type = Type::tensor(*dtype, std::move(shape));
  if (quantized && scanner.accept("{")) {
    EDGEC_ASSIGN(Quant quant, read_quant(scanner));
    type.quant = std::move(quant);
  }
  return type;
}

Result<Tensor> read_tensor_data(Scanner &scanner, const Type &type) {
  const auto dims = type.concrete();
  const auto count = dims ? element_count(*dims) : std::nullopt;
  if (!count) return scanner.error("a tensor's dimensions must all be numbers: " + to_string(type));
  switch (type.dtype) {
  case DType::float32: return read_reals<float>(scanner, type.dtype, *dims, *count);
  case DType::float64: return read_reals<double>(scanner, type.dtype, *dims, *count);
  case DType::complex64: return read_reals<float>(scanner, type.dtype, *dims, *count * 2);
  case DType::complex128: return read_reals<double>(scanner, type.dtype, *dims, *count * 2);
  case DType::uint64: return read_uint64s(scanner, *dims, *count);
  case DType::undefined: return scanner.error("a tensor's element type is undefined");
  case DType::string: {
    std::vector<std::string> values;
    EDGEC_CHECK(read_elements(scanner, *count, [&]() -> Status {
      EDGEC_ASSIGN(std::string value, scanner.quoted());
      values.push_back(std::move(value));
      return {};
    }));
    return Tensor::of_strings(*dims, std::move(values));
  }
  default: return read_integers(scanner, type.dtype, *dims, *count);
  }
}

} // namespace edgec
