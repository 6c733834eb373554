#include <cctype>
#include <fmt/format.h>
#include <optional>

#include "data/image.h"

namespace edgec {
namespace {

/// A whitespace-separated decimal number; a '#' begins a comment up to the end of the line.
std::optional<int> read_number(ByteView file, std::size_t &at) {
  const auto peek = [&] { return at < file.size() ? std::to_integer<int>(file[at]) : -1; };
  while (peek() >= 0 && (std::isspace(peek()) || peek() == '#')) {
    if (peek() == '#')
      while (peek() >= 0 && peek() != '\n') ++at;
    else
      ++at;
  }
  if (peek() < 0 || !std::isdigit(peek())) return std::nullopt;
  int value = 0;
  for (; peek() >= 0 && std::isdigit(peek()); ++at) {
    if (value > 9'999'999) return std::nullopt;
    value = value * 10 + (peek() - '0');
  }
  return value;
}

} // namespace

Result<Image> decode_ppm(ByteView file) {
  std::size_t at = 2;
  const int channels = file.size() > 1 && file[1] == std::byte{'5'} ? 1 : 3;
  const auto width = read_number(file, at), height = read_number(file, at), levels = read_number(file, at);
  if (!width || !height || !levels || *width < 1 || *height < 1 || *levels < 1)
    return bad_input("damaged PPM: width, height and the largest value were expected at its start");
  if (*levels > 255) return bad_input(fmt::format("the PPM has {} levels; up to 255 are read", *levels));
  const std::int64_t count = std::int64_t{*width} * *height;
  if (count > max_image_pixels)
    return bad_input(
        fmt::format("the PPM is {} x {} pixels, more than the {} that are read", *width, *height, max_image_pixels));
  ++at; // the one whitespace before the pixels
  const auto wanted = static_cast<std::size_t>(count) * channels;
  if (at > file.size() || file.size() - at < wanted)
    return bad_input(fmt::format("truncated PPM: {} x {} pixels need {} bytes, {} are there", *width, *height, wanted,
                                 at > file.size() ? 0 : file.size() - at));
  Image image(*width, *height, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const int value = std::to_integer<int>(file[at + (channels == 1 ? i / 3 : i)]);
    image.pixels[i] = static_cast<std::uint8_t>(value >= *levels ? 255 : (value * 255 * 2 + *levels) / (2 * *levels));
  }
  return image;
}

} // namespace edgec
