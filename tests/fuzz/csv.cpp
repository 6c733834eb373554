// Any bytes are a list of samples, or refused; what is read is whole.
#include <cstdlib>

#include "data/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto list = edgec::parse_list(std::as_bytes(std::span(data, size)));
  if (!list) return 0;
  if (list->rows.empty()) std::abort();
  for (const edgec::ListedFile &row : list->rows)
    if (row.line == 0 || row.line > size + 1) std::abort();
  return 0;
}
