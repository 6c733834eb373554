// An array of codes as a compressor's stream: a prefix kept as it is, which byte stands for zero, shapes, coded codes.
#pragma once

#include "codec/context_coder.h"
#include "codec/rans.h"

namespace edgec {

/// Bytes of which those from `prefix` on are codes: tensors of the given shapes, one after another.
struct CodeArray {
  ByteView bytes;
  std::size_t prefix = 0;
  std::uint8_t zero = 0; ///< the byte that is coded as 0; others by their distance modulo 256
  std::vector<CodeShape> shapes;
};

/// The codes as they are coded.
std::vector<std::int8_t> centred(const CodeArray &array);

/// One shape only.
std::vector<std::byte> encode_rans_stream(const CodeArray &array, std::span<const std::int8_t> codes,
                                          const RansPlan &plan);
std::vector<std::byte> encode_context_stream(const CodeArray &array, std::span<const std::int8_t> codes);

/// Exactly `size` bytes come back; the caller limits size. Any stream may be given.
Result<std::vector<std::byte>> decode_rans_stream(ByteView stream, std::size_t size);
Result<std::vector<std::byte>> decode_context_stream(ByteView stream, std::size_t size);

} // namespace edgec
