// Any bytes are an image or refused.
#include <cstdlib>

#include "data/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto image = edgec::decode_image(std::as_bytes(std::span(data, size)));
  if (!image) return 0;
  if (image->width < 1 || image->height < 1 ||
      image->pixels.size() != static_cast<std::size_t>(image->width) * image->height * 3)
    std::abort();
  if (image->pixels.size() < 1 << 16) edgec::resize(*image, 7, 5, edgec::Filter::bicubic);
  return 0;
}
