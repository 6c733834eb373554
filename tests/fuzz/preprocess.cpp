// Any text is a preprocessing or refused; one that is taken can be applied.
#include <string>

#include "data/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::span bytes(data, size);
  const std::string text(bytes.begin(), bytes.end());
  if (text.find(".json") != text.npos || text.find('\0') != text.npos) return 0; // names a file
  const auto rule = edgec::parse_preprocess(text);
  if (!rule || !*rule) return 0;
  if ((**rule).resize_short.value_or(1) > 300 || (**rule).resize_to.value_or(std::pair(1, 1)).first > 300)
    return 0; // slow
  if ((**rule).resize_to.value_or(std::pair(1, 1)).second > 300) return 0;
  const edgec::InputSpec input{"x", edgec::Type::tensor(edgec::DType::float32)};
  (void)edgec::prepare_image(edgec::Image(9, 6, 3), **rule, input);
  return 0;
}
