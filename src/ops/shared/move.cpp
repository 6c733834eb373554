#include "ops/shared/move.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/rows.h"
#include "ops/shared/shape.h"

namespace edgec::ops {

Cells::Cells(std::span<const Tensor *const> operands) : dtype_(operands[0]->dtype) {
  const int element_bits = bits(dtype_);
  width_ = dtype_ == DType::string ? 4 : element_bits < 8 ? 1 : static_cast<std::size_t>(element_bits) / 8;
  own_.resize(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Tensor &tensor = *operands[i];
    const auto count = static_cast<std::size_t>(tensor.size());
    if (dtype_ == DType::string) {
      std::vector<std::uint32_t> numbers(count);
      for (std::size_t k = 0; k < count; ++k) {
        numbers[k] = static_cast<std::uint32_t>(strings_.size());
        strings_.push_back(tensor.strings && k < tensor.strings->size() ? (*tensor.strings)[k] : std::string());
      }
      own_[i].resize(count * 4);
      if (count > 0) std::memcpy(own_[i].data(), numbers.data(), count * 4);
    } else if (element_bits < 8) {
      const auto codes = is_float(dtype_) ? to_doubles(tensor) : std::vector<double>();
      const auto whole = is_float(dtype_) ? std::vector<std::int64_t>() : to_int64s(tensor);
      own_[i].resize(count);
      for (std::size_t k = 0; k < count; ++k) // 4-bit floats are multiples of a half, at most 6
        own_[i][k] = static_cast<std::byte>(
            static_cast<std::int8_t>(is_float(dtype_) ? static_cast<int>(codes[k] * 2) : static_cast<int>(whole[k])));
    }
    data_.push_back(dtype_ == DType::string || element_bits < 8 ? own_[i].data() : tensor.data.data());
  }
}

std::vector<std::byte> Cells::space(const Dims &dims) const {
  return std::vector<std::byte>(static_cast<std::size_t>(element_count(dims).value_or(0)) * width_);
}

Tensor Cells::finish(Dims dims, std::vector<std::byte> cells) const {
  const std::size_t count = cells.size() / width_;
  if (dtype_ == DType::string) {
    std::vector<std::string> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t number = 0;
      std::memcpy(&number, &cells[i * 4], 4);
      if (number < strings_.size()) values[i] = strings_[number];
    }
    return Tensor::of_strings(std::move(dims), std::move(values));
  }
  if (bits(dtype_) >= 8) return Tensor::of_bytes(dtype_, std::move(dims), std::move(cells));
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<double>(static_cast<std::int8_t>(cells[i])) * (is_float(dtype_) ? 0.5 : 1.0);
  return from_doubles(dtype_, std::move(dims), values);
}

Tensor take_elements(const Tensor &in, const Dims &dims, std::span<const std::int64_t> sources, const Tensor *fill) {
  const Tensor *operands[] = {&in, fill};
  const Cells cells(std::span(operands, fill ? 2 : 1));
  auto out = cells.space(dims);
  const std::size_t width = cells.width();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i] >= 0)
      std::memcpy(&out[i * width], cells.data() + static_cast<std::size_t>(sources[i]) * width, width);
    else if (fill)
      std::memcpy(&out[i * width], cells.data(1), width);
  }
  return cells.finish(dims, std::move(out));
}

namespace {

template <class Cell>
void copy_row(const std::byte *in, std::byte *out, std::int64_t count, std::int64_t stride) {
  const auto *from = reinterpret_cast<const Cell *>(in);
  auto *to = reinterpret_cast<Cell *>(out);
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
}

void copy_row(const std::byte *in, std::byte *out, std::int64_t count, std::int64_t stride, std::size_t width) {
  if (stride == 1)
    std::memcpy(out, in, static_cast<std::size_t>(count) * width);
  else if (width == 1)
    copy_row<std::uint8_t>(in, out, count, stride);
  else if (width == 2)
    copy_row<std::uint16_t>(in, out, count, stride);
  else if (width == 4)
    copy_row<std::uint32_t>(in, out, count, stride);
  else if (width == 8)
    copy_row<std::uint64_t>(in, out, count, stride);
  else
    for (std::int64_t i = 0; i < count; ++i)
      std::memcpy(out + static_cast<std::size_t>(i) * width, in + i * stride * static_cast<std::int64_t>(width), width);
}

} // namespace

void copy_strided(const std::byte *in, const Dims &dims, std::span<const std::int64_t> from, std::byte *out,
                  std::size_t width, int threads) {
  if (element_count(dims).value_or(0) == 0) return;
  const Rows<2> rows(dims, {std::vector<std::int64_t>(from.begin(), from.end()), strides(dims)});
  const auto cell = static_cast<std::int64_t>(width);
  const std::int64_t stride = rows.steps()[0];
  rows.each(threads, 16384, [&](const Rows<2>::Steps &at, std::int64_t first, std::int64_t last) {
    copy_row(in + (at[0] + first * stride) * cell, out + (at[1] + first) * cell, last - first, stride, width);
  });
}

namespace {

bool is_identity(const std::vector<std::int64_t> &table, std::int64_t size) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i] != static_cast<std::int64_t>(i)) return false;
  return static_cast<std::int64_t>(table.size()) == size;
}

/// A stretch of neighbours that come from neighbours, or are all fill (source < 0).
struct Stretch {
  std::int64_t target, source, count;
};

std::vector<Stretch> stretches(const std::vector<std::int64_t> &table) {
  std::vector<Stretch> found;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const bool fills = table[i] < 0;
    if (!found.empty()) {
      Stretch &last = found.back();
      if (fills ? last.source < 0 : last.source >= 0 && last.source + last.count == table[i]) {
        ++last.count;
        continue;
      }
    }
    found.push_back({static_cast<std::int64_t>(i), fills ? -1 : table[i], 1});
  }
  return found;
}

} // namespace

void copy_by_tables(const std::byte *in, const Dims &in_dims, std::span<const std::vector<std::int64_t>> tables,
                    const std::byte *fill, std::byte *out, std::size_t width, int threads) {
  std::size_t axes = tables.size();
  std::size_t block = width; // bytes that move together: a cell and the inner axes that stay whole
  while (axes > 0 && is_identity(tables[axes - 1], in_dims[axes - 1]))
    block *= static_cast<std::size_t>(in_dims[--axes]);
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < axes; ++i) rows *= static_cast<std::int64_t>(tables[i].size());
  const std::vector<Stretch> inner = axes > 0 ? stretches(tables[axes - 1]) : std::vector<Stretch>{{0, 0, 1}};
  const std::int64_t in_row = axes > 0 ? in_dims[axes - 1] : 1,
                     out_row = axes > 0 ? static_cast<std::int64_t>(tables[axes - 1].size()) : 1;
  const auto size = static_cast<std::int64_t>(block);
  const auto put_fill = [&](std::byte *to, std::int64_t bytes) {
    const auto cell = static_cast<std::int64_t>(width);
    for (std::int64_t i = 0; i < bytes; i += cell) std::memcpy(to + i, fill, width);
  };
  const bool parallel = threads > 1 && rows * out_row * size > 65536;
#pragma omp parallel for num_threads(threads) schedule(static) if (parallel)
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t source = 0, stride = 1, rest = row;
    bool fills = false;
    for (std::size_t i = axes > 0 ? axes - 1 : 0; i-- > 0;) {
      const auto count = static_cast<std::int64_t>(tables[i].size());
      const std::int64_t at = tables[i][static_cast<std::size_t>(rest % count)];
      rest /= count;
      fills = fills || at < 0;
      source += at * stride;
      stride *= in_dims[i];
    }
    std::byte *to = out + row * out_row * size;
    if (fills) {
      put_fill(to, out_row * size);
      continue;
    }
    const std::byte *from = in + source * in_row * size;
    for (const Stretch &s : inner) {
      if (s.source < 0)
        put_fill(to + s.target * size, s.count * size);
      else if (s.count * size == 4)
        std::memcpy(to + s.target * size, from + s.source * size, 4);
      else if (s.count * size == 1)
        to[s.target] = from[s.source];
      else
        std::memcpy(to + s.target * size, from + s.source * size, static_cast<std::size_t>(s.count * size));
    }
  }
}

void scatter_strided(const std::byte *in, const Dims &dims, std::span<const std::int64_t> to, std::byte *out,
                     std::size_t width) {
  if (element_count(dims).value_or(0) == 0) return;
  const Rows<2> rows(dims, {strides(dims), std::vector<std::int64_t>(to.begin(), to.end())});
  const auto cell = static_cast<std::int64_t>(width);
  const std::int64_t stride = rows.steps()[1];
  rows.each(1, 1, [&](const Rows<2>::Steps &at, std::int64_t first, std::int64_t last) {
    const std::byte *from = in + (at[0] + first) * cell;
    std::byte *target = out + (at[1] + first * stride) * cell;
    if (stride == 1)
      std::memcpy(target, from, static_cast<std::size_t>((last - first) * cell));
    else
      for (std::int64_t i = 0; i < last - first; ++i) std::memcpy(target + i * stride * cell, from + i * cell, width);
  });
}

} // namespace edgec::ops
