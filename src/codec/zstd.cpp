#include "codec/zstd.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <zstd.h>

#include "support/cancel.h"

namespace edgec {

namespace {

constexpr std::size_t piece = std::size_t{1} << 18; ///< what takes no second at the slowest level

/// Pieces one after another, so that an interrupt is answered between them; the frame's size, or 0.
std::size_t compress_in_pieces(ByteView raw, int level, std::vector<std::byte> &frame) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx *)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context || ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level)) != 0 ||
      ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context.get(), raw.size())) != 0)
    return 0;
  ZSTD_outBuffer out{frame.data(), frame.size(), 0};
  for (std::size_t begin = 0; begin < raw.size(); begin += piece) {
    if (interrupted()) return 0;
    const ByteView part = raw.subspan(begin, std::min(piece, raw.size() - begin));
    ZSTD_inBuffer in{part.data(), part.size(), 0};
    const bool last = begin + part.size() == raw.size();
    const std::size_t left = ZSTD_compressStream2(context.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0 || in.pos != in.size || (last && left != 0)) return 0;
  }
  return out.pos;
}

} // namespace

std::vector<std::byte> zstd_compress(ByteView raw, int level) {
  std::vector<std::byte> frame(ZSTD_compressBound(raw.size()));
  const std::size_t size = raw.size() > piece
                               ? compress_in_pieces(raw, level, frame)
                               : ZSTD_compress(frame.data(), frame.size(), raw.data(), raw.size(), level);
  frame.resize(ZSTD_isError(size) != 0 ? 0 : size);
  return frame;
}

Result<std::vector<std::byte>> zstd_decompress(ByteView frame, std::size_t raw_size) {
  const unsigned long long declared = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR) return bad_input("no zstd frame");
  if (declared == ZSTD_CONTENTSIZE_UNKNOWN) return bad_input("the zstd frame does not say its size");
  if (declared != raw_size)
    return bad_input(fmt::format("the zstd frame holds {} bytes, {} were expected", declared, raw_size));
  const std::size_t whole = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(whole) != 0) return bad_input(fmt::format("damaged zstd frame: {}", ZSTD_getErrorName(whole)));
  if (whole != frame.size()) return bad_input(fmt::format("the zstd frame takes {} bytes of {}", whole, frame.size()));
  std::vector<std::byte> raw(raw_size);
  const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) return bad_input(fmt::format("damaged zstd frame: {}", ZSTD_getErrorName(size)));
  if (size != raw_size) return bad_input(fmt::format("the zstd frame gave {} bytes, {} were expected", size, raw_size));
  return raw;
}

} // namespace edgec
