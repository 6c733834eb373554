#include "ir/dtype.h"

#include <array>
#include <limits>

namespace edgec {
namespace {

struct Row {
  std::string_view name;
  int bits;
  char kind; // f float, s signed, u unsigned, - neither
};

constexpr std::array<Row, dtype_count> rows{{
    {"undefined", 0, '-'},      {"float", 32, 'f'},       {"uint8", 8, 'u'},          {"int8", 8, 's'},
    {"uint16", 16, 'u'},        {"int16", 16, 's'},       {"int32", 32, 's'},         {"int64", 64, 's'},
    {"string", 0, '-'},         {"bool", 8, '-'},         {"float16", 16, 'f'},       {"double", 64, 'f'},
    {"uint32", 32, 'u'},        {"uint64", 64, 'u'},      {"complex64", 64, '-'},     {"complex128", 128, '-'},
    {"bfloat16", 16, 'f'},      {"float8e4m3fn", 8, 'f'}, {"float8e4m3fnuz", 8, 'f'}, {"float8e5m2", 8, 'f'},
    {"float8e5m2fnuz", 8, 'f'}, {"uint4", 4, 'u'},        {"int4", 4, 's'},           {"float4e2m1", 4, 'f'},
    {"float8e8m0", 8, 'f'},     {"uint2", 2, 'u'},        {"int2", 2, 's'},
}};

const Row &row(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return rows[index < rows.size() ? index : 0];
}

} // namespace

int bits(DType dtype) { return row(dtype).bits; }
std::string_view name(DType dtype) { return row(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

bool is_float(DType dtype) { return row(dtype).kind == 'f'; }
bool is_integer(DType dtype) { return row(dtype).kind == 's' || row(dtype).kind == 'u'; }
bool is_signed_integer(DType dtype) { return row(dtype).kind == 's'; }

IntegerRange integer_range(DType dtype) {
  const int width = bits(dtype);
  if (width >= 64) return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  if (is_signed_integer(dtype)) return {-(std::int64_t{1} << (width - 1)), (std::int64_t{1} << (width - 1)) - 1};
  return {0, (std::int64_t{1} << width) - 1};
}

} // namespace edgec
