#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>

#include "data/npy.h"

namespace edgec {
namespace {

constexpr std::size_t max_header = 65536;
constexpr std::size_t max_rank = 64; // numpy 2's own limit

/// Reads the Python dictionary literal of the header from left to right.
class Literal {
public:
  explicit Literal(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    skip_space();
    if (text_.empty() || text_.front() != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    skip_space();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  /// 'text' or "text", without escapes.
  std::optional<std::string> take_string() {
    skip_space();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) return std::nullopt;
    const auto end = text_.find(text_.front(), 1);
    if (end == text_.npos) return std::nullopt;
    std::string found(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return found;
  }
  /// A number of at most 18 digits; Python 2's trailing L is passed over.
  std::optional<std::int64_t> take_integer() {
    skip_space();
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9'; ++digits) {
      if (digits == 18) return std::nullopt;
      value = value * 10 + (text_[digits] - '0');
    }
    if (digits == 0) return std::nullopt;
    text_.remove_prefix(digits);
    take('L');
    return value;
  }
  bool at_end() {
    skip_space();
    return text_.empty();
  }

private:
  std::string_view text_;
  void skip_space() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n' || text_.front() == '\t'))
      text_.remove_prefix(1);
  }
};

Error damaged(std::string_view what) { return bad_input(fmt::format("damaged .npy: {}", what)); }

/// "<f4", "|u1", ">i8", "<U12": sets dtype, item_size, big_endian.
Status parse_type(std::string_view text, NpyHeader &header) {
  const auto refused = [&] {
    return bad_input(fmt::format("numpy's type '{}' is not a number, truth value or string", text));
  };
  if (text.size() < 3 || text.size() > 12 || std::string_view("<>|=").find(text.front()) == std::string_view::npos)
    return refused();
  std::size_t count = 0;
  for (const char digit : text.substr(2)) {
    if (digit < '0' || digit > '9') return refused();
    count = count * 10 + static_cast<std::size_t>(digit - '0');
  }
  const char kind = text[1];
  header.big_endian = text.front() == '>';
  header.utf32 = kind == 'U';
  header.item_size = header.utf32 ? count * 4 : count;
  if (count == 0) return refused();
  const auto dtype = [&]() -> std::optional<DType> {
    if (kind == 'U' || kind == 'S') return DType::string;
    if (kind == 'V') return DType::undefined;
    if (count > 16) return std::nullopt;
    switch (kind * 100 + static_cast<int>(count)) {
    case 'f' * 100 + 2: return DType::float16;
    case 'f' * 100 + 4: return DType::float32;
    case 'f' * 100 + 8: return DType::float64;
    case 'i' * 100 + 1: return DType::int8;
    case 'i' * 100 + 2: return DType::int16;
    case 'i' * 100 + 4: return DType::int32;
    case 'i' * 100 + 8: return DType::int64;
    case 'u' * 100 + 1: return DType::uint8;
    case 'u' * 100 + 2: return DType::uint16;
    case 'u' * 100 + 4: return DType::uint32;
    case 'u' * 100 + 8: return DType::uint64;
    case 'b' * 100 + 1: return DType::boolean;
    case 'c' * 100 + 8: return DType::complex64;
    case 'c' * 100 + 16: return DType::complex128;
    default: return std::nullopt;
    }
  }();
  if (!dtype) return refused();
  header.dtype = *dtype;
  return {};
}

Status parse_shape(Literal &literal, Dims &dims) {
  if (!literal.take('(')) return damaged("the shape is not a tuple");
  while (!literal.take(')')) {
    const auto dim = literal.take_integer();
    if (!dim) return damaged("a dimension is not a number");
    dims.push_back(*dim);
    if (dims.size() > max_rank) return damaged(fmt::format("more than {} dimensions", max_rank));
    if (!literal.take(',')) {
      if (!literal.take(')')) return damaged("the shape is not closed");
      return {};
    }
  }
  return {};
}

Status parse_dictionary(std::string_view text, NpyHeader &header) {
  Literal literal(text);
  bool type = false, order = false, shape = false;
  if (!literal.take('{')) return damaged("the header is not a dictionary");
  bool open = !literal.take('}');
  while (open) {
    const auto key = literal.take_string();
    if (!key || !literal.take(':')) return damaged("a key was expected in the header");
    if (*key == "descr" && !type) {
      type = true;
      const auto descr = literal.take_string();
      if (!descr) return bad_input("the array is of a structured type; numbers, truth values and strings are read");
      EDGEC_CHECK(parse_type(*descr, header));
    } else if (*key == "fortran_order" && !order) {
      order = true;
      header.fortran_order = literal.take_word("True");
      if (!header.fortran_order && !literal.take_word("False"))
        return damaged("fortran_order is neither True nor False");
    } else if (*key == "shape" && !shape) {
      shape = true;
      EDGEC_CHECK(parse_shape(literal, header.dims));
    } else {
      return damaged(fmt::format("unexpected key '{}' in the header", key->substr(0, 40)));
    }
    if (literal.take(','))
      open = !literal.take('}');
    else if (literal.take('}'))
      open = false;
    else
      return damaged("the header is not closed");
  }
  if (!type || !order || !shape || !literal.at_end()) return damaged("the header lacks descr, fortran_order or shape");
  return {};
}

} // namespace

Result<NpyHeader> parse_npy_header(ByteView file) {
  if (file.size() < 10 || std::memcmp(file.data(), "\x93NUMPY", 6) != 0)
    return bad_input(file.empty() ? "the file is empty, a .npy was expected"
                                  : "is not a .npy (its first bytes differ)");
  const int version = std::to_integer<int>(file[6]);
  if (version < 1 || version > 3) return bad_input(fmt::format("version {} of .npy is not known; 1 to 3 are", version));
  const std::size_t prefix = version == 1 ? 10 : 12;
  if (file.size() < prefix) return damaged("it ends inside the header");
  std::size_t length = 0;
  for (std::size_t i = prefix; i > 8; --i) length = length << 8 | std::to_integer<std::size_t>(file[i - 1]);
  if (length > max_header) return damaged(fmt::format("a header of {} bytes; up to {} are read", length, max_header));
  if (file.size() - prefix < length) return damaged("it ends inside the header");
  NpyHeader header;
  const std::string_view text(reinterpret_cast<const char *>(file.data()) + prefix, length);
  EDGEC_CHECK(parse_dictionary(text, header));
  header.data_offset = prefix + length;
  const auto count = element_count(header.dims);
  std::size_t bytes = 0;
  if (!count || __builtin_mul_overflow(static_cast<std::size_t>(*count), header.item_size, &bytes))
    return damaged("its shape has more elements than any file");
  header.data_size = bytes;
  return header;
}

} // namespace edgec
