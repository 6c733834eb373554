// Any text is a model or refused; what was read prints and reads back as the same text.
#include <cstdlib>

#include "ir/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto model = edgec::parse_model({reinterpret_cast<const char *>(data), size});
  if (!model) return 0;
  const std::string text = edgec::to_text(*model);
  const auto again = edgec::parse_model(text);
  if (!again || edgec::to_text(*again) != text) std::abort();
  return 0;
}
