#include "codec/zstd.h"

#include <fmt/format.h>
#include <memory>
#include <zstd.h>

namespace edgec {

std::vector<std::byte> zstd_compress(ByteView raw, int level) {
  std::vector<std::byte> frame(ZSTD_compressBound(raw.size()));
  const std::size_t size = ZSTD_compress(frame.data(), frame.size(), raw.data(), raw.size(), level);
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
