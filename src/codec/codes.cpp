#include "codec/codes.h"

#include <fmt/format.h>

namespace edgec {

std::vector<std::byte> pack_codes(std::span<const std::uint8_t> codes, int bits) {
  assert(bits >= 1 && bits <= 8);
  std::vector<std::byte> packed(packed_size(codes.size(), bits));
  std::uint32_t pending = 0;
  int held = 0;
  std::size_t at = 0;
  for (const std::uint8_t code : codes) {
    assert(code < (1U << bits));
    pending |= static_cast<std::uint32_t>(code) << held;
    held += bits;
    for (; held >= 8; held -= 8, pending >>= 8) packed[at++] = static_cast<std::byte>(pending);
  }
  if (held > 0) packed[at] = static_cast<std::byte>(pending);
  return packed;
}

Result<std::vector<std::uint8_t>> unpack_codes(ByteView packed, int bits, std::size_t count) {
  if (bits < 1 || bits > 8) return bad_input(fmt::format("codes of {} bits, 1 to 8 were expected", bits));
  if (packed.size() != packed_size(count, bits))
    return bad_input(fmt::format("{} codes of {} bits take {} bytes, found {}", count, bits, packed_size(count, bits),
                                 packed.size()));
  std::vector<std::uint8_t> codes(count);
  std::uint32_t pending = 0;
  int held = 0;
  std::size_t at = 0;
  for (std::uint8_t &code : codes) {
    if (held < bits) {
      pending |= std::to_integer<std::uint32_t>(packed[at++]) << held;
      held += 8;
    }
    code = static_cast<std::uint8_t>(pending & ((1U << bits) - 1U));
    pending >>= bits;
    held -= bits;
  }
  if (pending != 0) return bad_input("the bits behind the last code are not zero");
  return codes;
}

} // namespace edgec
