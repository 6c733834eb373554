// The smallest lossless form of a buffer: at most one transform, then at most one compressor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/code_shape.h"
#include "codec/hashed.h"
#include "codec/transform.h"
#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Numbers stored in files: never reuse one.
enum class Compressor : std::uint8_t {
  none = 0,
  zstd = 1,
  rans = 2,     ///< codes of one weight, tables for classes of density (rans.h)
  contexts = 3, ///< codes of weights, adaptive (context_coder.h)
  floats = 4,   ///< float_coder.h
  bytes = 5,    ///< byte_coder.h
  parts = 6,    ///< several buffers, each packed in its own way (parts.h)
};
std::string_view name(Compressor compressor);

/// How a buffer was packed, and the sizes at each stage in bytes: raw -> transform -> coded -> compressor -> stored.
struct Packing {
  std::uint8_t transform = 0;  ///< a Transform; a newer file's may be unknown
  std::uint8_t compressor = 0; ///< a Compressor; likewise
  std::uint64_t raw_size = 0;
  std::uint64_t coded_size = 0;

  [[nodiscard]] bool is_plain() const { return transform == 0 && compressor == 0; }
};
/// "plain", "zstd", "sparse", "palette+zstd"; numbers for what is unknown.
std::string to_string(const Packing &packing);

struct Packed {
  Packing packing;
  std::vector<std::byte> bytes; ///< empty when plain: the raw bytes themselves
};

/// What a buffer holds, as far as that helps to pack it.
struct Content {
  std::size_t width = 0;              ///< bytes of an element: 1, 2, 4 or 8; 0: records without a fixed width
  bool is_float = false;              ///< binary32
  int code_bits = 0;                  ///< integer codes of that many bits (2, 4 or 8; several a byte below 8)
  bool is_signed = false;             ///< of codes: two's complement, 0 being the likely one
  std::optional<HashedPlaces> hashed; ///< elements are said to be copies of few
  std::vector<CodeShape> shapes;      ///< of tensors of codes (or of elements) one after another; empty: unknown
};

/// No stage may grow beyond this many bytes for one that holds `size`: what a small hostile file can make a reader
/// allocate stays within a known multiple of the file.
constexpr std::uint64_t expansion_limit(std::uint64_t size) {
  constexpr std::uint64_t factor = 256, slack = 65536;
  return size > (UINT64_MAX - slack) / factor ? UINT64_MAX : size * factor + slack;
}

/// The smallest of all forms within expansion_limit, of large buffers the fastest one that is within 0.5 % of it; plain
/// where nothing saves a byte. level: zstd's; of large buffers an excerpt tells where it is worth its time. Once
/// interrupted, what comes back may be anything: the caller asks again.
Packed pack_smallest(ByteView raw, const Content &content, int level);

/// The raw bytes. Errors: unknown transform or compressor (Code::unsupported, named by number), sizes beyond
/// expansion_limit, or a payload that does not become exactly the declared sizes. threads: for parts.
Result<std::vector<std::byte>> unpack(ByteView stored, const Packing &packing, int threads = 1);

} // namespace edgec
