// Fuzz target of the flat binary's reader. Each input is read twice: as it is, and with its checksums made right, so
// that what lies behind them is reached. What can be read must be a sound graph that can be written and read again.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "../formats_flat/seal.h"
#include "formats/flat/flat.h"
#include "ir/verify.h"

namespace {

void read(edgec::Storage file) {
  const auto info = edgec::describe_flat(file);
  const auto model = edgec::parse_flat(file);
  if (!model) return;
  if (!info || !edgec::verify(model->graph)) std::abort();
  edgec::FlatWriteOptions options;
  options.plain = true;
  const auto again = edgec::serialize_flat(*model, options);
  if (!again || !edgec::parse_flat(edgec::Storage::copy(*again))) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read(edgec::Storage::copy(bytes));
  std::vector<std::byte> sealed(bytes.begin(), bytes.end());
  edgec::testing::seal(sealed);
  read(edgec::Storage::take(std::move(sealed)));
  return 0;
}
