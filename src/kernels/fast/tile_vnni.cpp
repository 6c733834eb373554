#include "kernels/fast/tile.h"

#if defined(__x86_64__)
#define TARGET [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")]]
#define DOT(sum, row, column) _mm512_dpbusd_epi32(sum, row, column)
#define SET tile_quads_vnni
#include "kernels/fast/tile_512.inc"
#else
namespace edgec::fast {
const TileSet tile_quads_vnni{16, 4, nullptr, nullptr};
}
#endif
