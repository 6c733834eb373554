#include "kernels/fast/tile.h"

#if defined(__x86_64__)
#define TARGET [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]]
#define DOT(sum, row, column) _mm512_add_epi32(sum, _mm512_madd_epi16(row, column))
#define SET tile_pairs_avx512
#include "kernels/fast/tile_512.inc"
#else
namespace edgec::fast {
const TileSet tile_pairs_avx512{16, 4, nullptr, nullptr};
}
#endif
