#include "formats/flat/tensor_store.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "codec/parts.h"
#include "support/cancel.h"
#include "support/parallel.h"

namespace edgec::flat {
namespace {

std::size_t hash(const Tensor &tensor) {
  std::size_t seed = tensor.data.size();
  const auto mix = [&](std::string_view text) { seed = seed * 31 + std::hash<std::string_view>{}(text); };
  mix({reinterpret_cast<const char *>(tensor.data.data()), tensor.data.size()});
  if (tensor.strings)
    for (const std::string &text : *tensor.strings) mix(text);
  return seed;
}

bool same_bytes(const Tensor &a, const Tensor &b) {
  return a.data.size() == b.data.size() && std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

constexpr std::size_t pool_limit = std::size_t{1} << 18; ///< bytes: pools are read by one thread each

/// Small tensors share a block: of a few thousand codes, what one teaches a coder saves bytes in the next.
std::size_t pooled_below(DType dtype) { return bits(dtype) <= 8 ? 8192 : 4096; }

Content content_of(DType dtype) {
  const int width = bits(dtype);
  Content content;
  content.width = width >= 64 ? 8 : width <= 8 ? 1 : static_cast<std::size_t>(width) / 8;
  content.is_float = dtype == DType::float32;
  if (is_integer(dtype) && (width == 2 || width == 4 || width == 8)) {
    content.code_bits = width;
    content.is_signed = is_signed_integer(dtype);
  }
  return content;
}

/// Of what `bytes` hold: rows, columns and taps of a tensor, and the elements that fill its last byte.
void add_shapes(Content &content, DType dtype, std::span<const std::int64_t> dims, std::size_t bytes) {
  const std::size_t held = bytes * 8 / static_cast<std::size_t>(bits(dtype));
  const CodeShape shape = code_shape(dims);
  if (shape.count() > 0) content.shapes.push_back(shape);
  if (held > shape.count()) content.shapes.push_back({held - shape.count(), 1, 1});
}

} // namespace

std::optional<std::uint32_t> TensorStore::find(const Tensor &tensor) const {
  const auto [first, last] = by_hash_.equal_range(hash(tensor));
  for (auto found = first; found != last; ++found)
    if (identical(records_[found->second].tensor, tensor)) return found->second;
  return std::nullopt;
}

std::uint32_t TensorStore::add(const Tensor &tensor, std::optional<HashedPlaces> hashed) {
  const std::size_t key = hash(tensor);
  TensorRecord record{tensor};
  const auto [first, last] = by_hash_.equal_range(key);
  for (auto found = first; found != last; ++found) {
    const TensorRecord &other = records_[found->second];
    if (identical(other.tensor, tensor)) return found->second;
    if (other.block == none || !same_bytes(other.tensor, tensor)) continue;
    record.block = other.block;
    record.offset = other.offset;
  }
  if (record.block == none && tensor.data.size() > 0) place(record, hashed);
  const auto index = static_cast<std::uint32_t>(records_.size());
  records_.push_back(std::move(record));
  by_hash_.emplace(key, index);
  return index;
}

Location TensorStore::location(const TensorRecord &record) const {
  if (record.block >= locations_.size()) return {0, record.offset};
  const Location &block = locations_[record.block];
  return {block.section, block.offset + record.offset};
}

void TensorStore::place(TensorRecord &record, std::optional<HashedPlaces> hashed) {
  const Tensor &tensor = record.tensor;
  record.block = static_cast<std::uint32_t>(blocks_.size());
  if (hashed || tensor.data.size() >= pooled_below(tensor.dtype)) {
    blocks_.push_back({content_of(tensor.dtype), tensor.data, {}});
    blocks_.back().content.hashed = hashed;
    add_shapes(blocks_.back().content, tensor.dtype, tensor.dims, tensor.data.size());
    return;
  }
  auto [pool, fresh] = pools_.try_emplace(tensor.dtype, record.block);
  if (!fresh && blocks_[pool->second].pool.size() >= pool_limit) pool->second = record.block, fresh = true;
  if (fresh) blocks_.push_back({content_of(tensor.dtype), {}, {}});
  record.block = pool->second;
  Block &block = blocks_[record.block];
  const std::size_t end = block.pool.size();
  record.offset = (end + tensor_alignment - 1) / tensor_alignment * tensor_alignment;
  block.pool.resize(record.offset);
  add_shapes(block.content, tensor.dtype, Dims{0}, record.offset - end); // what lies between
  block.pool.insert(block.pool.end(), tensor.data.bytes().begin(), tensor.data.bytes().end());
  add_shapes(block.content, tensor.dtype, tensor.dims, tensor.data.size());
}

namespace {

/// The block with the most raw bytes leaves the parts as long as these would unfold to more than a reader takes.
void keep_within_limit(std::vector<std::size_t> &shared, std::vector<std::size_t> &alone,
                       const std::vector<Packed> &packed) {
  const auto raw_size = [&](std::size_t i) { return packed[i].packing.raw_size; };
  std::uint64_t raw = 0, stored = 0;
  for (const std::size_t i : shared) raw += raw_size(i) + part_alignment, stored += packed[i].bytes.size();
  while (!shared.empty() && raw > expansion_limit(stored)) {
    const auto largest = std::ranges::max_element(shared, {}, raw_size);
    raw -= raw_size(*largest) + part_alignment;
    stored -= packed[*largest].bytes.size();
    alone.push_back(*largest);
    shared.erase(largest);
  }
}

} // namespace

Result<PackedBlocks> pack_blocks(const std::vector<Block> &blocks, std::uint32_t first_section,
                                 const FlatWriteOptions &options) {
  std::vector<Packed> packed(blocks.size());
  EDGEC_CHECK(parallel_for(blocks.size(), options.threads, [&](std::size_t i, int) -> Status {
    const ByteView raw = blocks[i].bytes();
    packed[i] = options.plain ? Packed{{0, 0, raw.size(), raw.size()}, {}}
                              : pack_smallest(raw, blocks[i].content, options.level);
    return check_interrupted(); // what was cut short is not to be written
  }));
  std::vector<std::size_t> shared, alone;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const bool in_place = packed[i].packing.is_plain() && (options.plain || blocks[i].pool.empty());
    (in_place ? alone : shared).push_back(i);
  }
  keep_within_limit(shared, alone, packed);
  std::ranges::sort(alone);

  PackedBlocks result;
  result.locations.resize(blocks.size());
  const auto bytes_of = [&](std::size_t i) {
    return packed[i].packing.is_plain() ? blocks[i].bytes() : ByteView(packed[i].bytes);
  };
  const auto section = [&] { return first_section + static_cast<std::uint32_t>(result.sections.size()); };
  if (!shared.empty()) {
    std::vector<Part> parts;
    for (const std::size_t i : shared) parts.push_back({packed[i].packing, bytes_of(i)});
    const std::vector<std::uint64_t> offsets = part_offsets(parts);
    for (std::size_t i = 0; i < shared.size(); ++i) result.locations[shared[i]] = {section(), offsets[i]};
    result.stored.push_back(join_parts(parts));
    const Packing packing{0, static_cast<std::uint8_t>(Compressor::parts), offsets.back(), offsets.back()};
    result.sections.push_back({SectionKind::tensors, true, packing, result.stored.back()});
  }
  for (const std::size_t i : alone) {
    result.locations[i] = {section(), 0};
    if (!packed[i].packing.is_plain()) result.stored.push_back(std::move(packed[i].bytes));
    result.sections.push_back({SectionKind::tensors, true, packed[i].packing,
                               packed[i].packing.is_plain() ? blocks[i].bytes() : ByteView(result.stored.back())});
  }
  return result;
}

} // namespace edgec::flat
