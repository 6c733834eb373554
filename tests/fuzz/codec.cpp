// Fuzz target of the entropy coders' readers: the first byte chooses one, the second and third say how much must come
// out. Any stream is read within its bounds, or refused; an error has a message.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "codec/pack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size < 4) return 0;
  const std::uint64_t wanted = (data[1] + 256U * data[2]) * (data[0] >= 128 ? 16U : 1U);
  const auto transform = static_cast<std::uint8_t>(data[3] % 6 * (data[3] >= 128 ? 1 : 0));
  const edgec::Packing packing{transform, static_cast<std::uint8_t>(data[0] % 7), transform == 4 ? wanted / 2 : wanted,
                               transform == 5 ? wanted / 4 : wanted};
  const auto raw = edgec::unpack(std::as_bytes(std::span(data + 4, size - 4)), packing);
  if (raw ? raw->size() != packing.raw_size : raw.error().message.empty()) std::abort();
  return 0;
}
