// Any bytes are a .npy, a .npz, or refused; what is read is whole.
#include <cstdlib>

#include "data/npy.h"

namespace {

void check(const edgec::Result<edgec::Tensor> &tensor) {
  if (!tensor) return;
  const auto count = edgec::element_count(tensor->dims);
  if (!count) std::abort();
  if (tensor->dtype == edgec::DType::string ? tensor->strings->size() != static_cast<std::size_t>(*count)
                                            : tensor->data.size() != edgec::byte_size(tensor->dtype, *count))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const edgec::Storage file = edgec::Storage::copy(std::as_bytes(std::span(data, size)));
  check(edgec::parse_npy(file));
  check(edgec::parse_npy(file, edgec::DType::int4));
  const auto npz = edgec::NpzFile::parse(file);
  if (!npz) return 0;
  for (const std::string &name : npz->names()) check(npz->read(name));
  return 0;
}
