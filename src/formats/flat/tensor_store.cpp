#include "formats/flat/tensor_store.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "support/parallel.h"

namespace edgec::flat {
namespace {

constexpr std::size_t pooled_below = 4096; // bytes

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

std::size_t element_width(DType dtype) {
  const int width = bits(dtype);
  return width >= 64 ? 8 : width <= 8 ? 1 : static_cast<std::size_t>(width) / 8;
}

} // namespace

std::uint32_t TensorStore::add(const Tensor &tensor) {
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
  if (record.block == none && tensor.data.size() > 0) place(record);
  const auto index = static_cast<std::uint32_t>(records_.size());
  records_.push_back(std::move(record));
  by_hash_.emplace(key, index);
  return index;
}

void TensorStore::place(TensorRecord &record) {
  const Storage &data = record.tensor.data;
  const std::size_t width = element_width(record.tensor.dtype);
  record.block = static_cast<std::uint32_t>(blocks_.size());
  if (data.size() >= pooled_below) {
    blocks_.push_back({width, data, {}});
    return;
  }
  const auto [pool, fresh] = pools_.try_emplace(record.tensor.dtype, record.block);
  if (fresh) blocks_.push_back({width, {}, {}});
  record.block = pool->second;
  std::vector<std::byte> &bytes = blocks_[record.block].pool;
  bytes.resize((bytes.size() + tensor_alignment - 1) / tensor_alignment * tensor_alignment);
  record.offset = bytes.size();
  bytes.insert(bytes.end(), data.bytes().begin(), data.bytes().end());
}

Result<std::vector<SectionSource>> pack_blocks(const std::vector<Block> &blocks, bool plain, int level, int threads,
                                               std::vector<Packed> &packed) {
  packed.assign(blocks.size(), {});
  EDGEC_CHECK(parallel_for(blocks.size(), threads, [&](std::size_t i, int) -> Status {
    const ByteView raw = blocks[i].bytes();
    packed[i] = plain ? Packed{{0, 0, raw.size(), raw.size()}, {}} : pack_smallest(raw, blocks[i].width, level);
    return {};
  }));
  std::vector<SectionSource> sections;
  for (std::size_t i = 0; i < blocks.size(); ++i)
    sections.push_back({SectionKind::tensors, true, packed[i].packing,
                        packed[i].packing.is_plain() ? blocks[i].bytes() : ByteView(packed[i].bytes)});
  return sections;
}

} // namespace edgec::flat
