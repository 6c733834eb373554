#include "kernels/fast/tile.h"

namespace edgec::fast {

TileOutput TileOutput::of(const IntegerOutput &output) {
  TileOutput tile{.kind = output.dtype == DType::float32 ? Kind::real : Kind::code, .zero_point = output.zero_point};
  if (tile.kind == Kind::real) return tile;
  const CodeRange range = CodeRange::of(output.dtype);
  tile.low = static_cast<float>(range.low - output.zero_point);
  tile.high = static_cast<float>(range.high - output.zero_point);
  return tile;
}

const TileSet *pair_tiles(Isa isa) {
  return isa >= Isa::avx512 ? &tile_pairs_avx512 : isa >= Isa::avx2 ? &tile_pairs_avx2 : nullptr;
}

} // namespace edgec::fast
