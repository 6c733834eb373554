// The inner product of exact integer convolutions: a tile of rows times a panel of columns, requantized and stored.
//
// Operands come as 32-bit words of several codes along k: four bytes (u8 activations, s8 weights; VNNI), or two 16-bit
// numbers (any codes minus their zero points; vpmaddwd, which cannot overflow on 9-bit numbers). Sums wrap around.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/kernel.h"
#include "kernels/integer.h"
#include "kernels/requantize.h"

namespace edgec::fast {

/// IntegerOutput's part that all columns share.
struct TileOutput {
  enum class Kind : unsigned char { code, real, sum }; ///< 8-bit code; float; the int32 sum itself
  Kind kind = Kind::code;
  std::int32_t zero_point = 0;
  float low = 0, high = 255; ///< range of codes, minus the zero point

  static TileOutput of(const IntegerOutput &output);
  [[nodiscard]] std::int64_t bytes() const { return kind == Kind::code ? 1 : 4; }
};

struct TileJob {
  const std::byte *a = nullptr; ///< rows of `words` words
  std::int64_t a_stride = 0;    ///< bytes between rows
  const std::byte *b = nullptr; ///< [words][width] words
  std::int64_t words = 0, rows = 0;
  int columns = 0, width = 0;         ///< columns that exist, and with those that fill up the last vector
  const std::int32_t *bias = nullptr; ///< [width]
  const float *scales = nullptr;      ///< [width]
  std::byte *y = nullptr;
  std::int64_t y_stride = 0; ///< bytes between rows
  TileOutput output;
};

/// Depthwise: every channel its own sum over taps, for `positions` outputs at once.
struct DepthwiseJob {
  static constexpr int positions = 4;
  static constexpr int width_unit = 16;      ///< `width` is a multiple of it, and taps can be read that far
  const std::byte *const *taps_of = nullptr; ///< [positions][taps], each the codes of all channels
  const std::int32_t *weights = nullptr;     ///< [taps][width]
  std::int64_t taps = 0, channels = 0, width = 0;
  bool is_signed = false;             ///< int8 codes
  const std::int32_t *bias = nullptr; ///< [width]
  const float *scales = nullptr;      ///< [width]
  std::byte *y = nullptr;
  std::int64_t y_stride = 0; ///< bytes between positions
  TileOutput output;
};

struct TileSet {
  int lanes;       ///< columns a vector
  int max_vectors; ///< vectors a panel
  void (*run)(const TileJob &);
  void (*run_depthwise)(const DepthwiseJob &);

  [[nodiscard]] int panel() const { return lanes * max_vectors; }
};

/// The tiles for 16-bit pairs of an instruction set; null: it has none.
const TileSet *pair_tiles(Isa isa);

extern const TileSet tile_pairs_avx2, tile_pairs_avx512, tile_quads_vnni;

} // namespace edgec::fast
