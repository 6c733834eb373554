// Tensors on their way into sections: identical bytes are kept once, small ones share a section with others of their
// type, so that neither table rows nor padding outweigh them.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "formats/flat/container.h"
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

/// The raw content of one section.
struct Block {
  std::size_t width = 1; ///< bytes of an element, for packing
  Storage whole;         ///< one large tensor
  std::vector<std::byte> pool;
  [[nodiscard]] ByteView bytes() const { return pool.empty() ? whole.bytes() : ByteView(pool); }
};

class TensorStore {
public:
  /// The record's index; the same one for an identical tensor.
  std::uint32_t add(const Tensor &tensor);
  [[nodiscard]] const std::vector<TensorRecord> &records() const { return records_; }
  [[nodiscard]] const std::vector<Block> &blocks() const { return blocks_; }

private:
  std::vector<TensorRecord> records_;
  std::vector<Block> blocks_;
  std::map<DType, std::uint32_t> pools_;
  std::unordered_multimap<std::size_t, std::uint32_t> by_hash_; ///< of the bytes

  void place(TensorRecord &record);
};

/// The sections that hold `blocks`, each as small as it gets (options) or plain. `packed` keeps their bytes alive.
Result<std::vector<SectionSource>> pack_blocks(const std::vector<Block> &blocks, bool plain, int level, int threads,
                                               std::vector<Packed> &packed);

} // namespace edgec::flat
