// Tensors on their way into sections: identical bytes are kept once, small ones share a section with others of their
// type, so that neither table rows nor padding outweigh them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "formats/flat/container.h"
#include "formats/flat/flat.h"
#include "ir/tensor.h"

namespace edgec::flat {

inline constexpr std::uint32_t none = UINT32_MAX;
inline constexpr std::size_t tensor_alignment = 16; ///< of a tensor within its section

/// Where a tensor's bytes lie. block: none for strings and tensors without elements.
struct TensorRecord {
  Tensor tensor;
  std::uint32_t block = none;
  std::uint64_t offset = 0;
};

/// Bytes that are packed together: a large tensor, or several small ones of a type.
struct Block {
  Content content; ///< for packing
  Storage whole;   ///< one large tensor
  std::vector<std::byte> pool;
  [[nodiscard]] ByteView bytes() const { return pool.empty() ? whole.bytes() : ByteView(pool); }
};

/// A block's first byte: in which section, where in its raw bytes.
struct Location {
  std::uint32_t section = 0;
  std::uint64_t offset = 0;
};

class TensorStore {
public:
  /// The record's index; the same one for an identical tensor. `hashed`: how its elements may be copies of few.
  std::uint32_t add(const Tensor &tensor, std::optional<HashedPlaces> hashed = std::nullopt);
  /// The index of an identical tensor's record.
  [[nodiscard]] std::optional<std::uint32_t> find(const Tensor &tensor) const;
  /// Where blocks went, by block. Until then they are all in section 0.
  void settle(std::vector<Location> locations) { locations_ = std::move(locations); }
  /// Of a record that has a block.
  [[nodiscard]] Location location(const TensorRecord &record) const;
  [[nodiscard]] const std::vector<TensorRecord> &records() const { return records_; }
  [[nodiscard]] const std::vector<Block> &blocks() const { return blocks_; }

private:
  std::vector<TensorRecord> records_;
  std::vector<Block> blocks_;
  std::vector<Location> locations_;
  std::map<DType, std::uint32_t> pools_;
  std::unordered_multimap<std::size_t, std::uint32_t> by_hash_; ///< of the bytes

  void place(TensorRecord &record, std::optional<HashedPlaces> hashed);
};

/// Tensors as sections: `sections` view blocks and `stored`, which must outlive them.
struct PackedBlocks {
  std::vector<SectionSource> sections;
  std::vector<Location> locations; ///< of each block
  std::vector<std::vector<std::byte>> stored;
};

/// Each block as small as it gets: what is best left as it is has a section of its own, to be used where it lies; the
/// others share one as its parts. plain: a section for each block, nothing packed.
Result<PackedBlocks> pack_blocks(const std::vector<Block> &blocks, std::uint32_t first_section,
                                 const FlatWriteOptions &options);

} // namespace edgec::flat
