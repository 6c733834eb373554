#include "data/image.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "support/text.h"

namespace edgec {
namespace {

bool starts_with(ByteView file, std::string_view magic) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

} // namespace

bool has_image_extension(const std::filesystem::path &path) {
  constexpr std::array<std::string_view, 5> known{".jpg", ".jpeg", ".png", ".ppm", ".pgm"};
  return std::ranges::find(known, lower_ending(path)) != known.end();
}

Result<Image> decode_image(ByteView file) {
  if (file.empty()) return bad_input("the file is empty, an image was expected");
  if (starts_with(file, "\xff\xd8\xff")) return decode_jpeg(file);
  if (starts_with(file, "\x89PNG\r\n\x1a\n")) return decode_png(file);
  if (starts_with(file, "P5") || starts_with(file, "P6")) return decode_ppm(file);
  return bad_input("is not an image that can be read; JPEG, PNG and binary PPM are");
}

Image centre_crop(const Image &image, int side) {
  Image out(side, side, image.channels);
  const int left = (image.width - side) / 2;
  const int top = (image.height - side) / 2;
  for (int y = 0; y < side; ++y)
    std::memcpy(out.at(0, y), image.at(left, top + y), static_cast<std::size_t>(side) * image.channels);
  return out;
}

Image to_grey(const Image &image) {
  if (image.channels == 1) return image;
  Image out(image.width, image.height, 1);
  const std::uint8_t *rgb = image.pixels.data();
  // Pillow's integer form of 0.299 R + 0.587 G + 0.114 B (libImaging/Convert.c, L24).
  for (std::uint8_t &grey : out.pixels) {
    grey = static_cast<std::uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
    rgb += 3;
  }
  return out;
}

Image thumbnail(const Image &image, int side) {
  const int longer = std::max(image.width, image.height);
  if (longer <= side) return image;
  const auto scaled = [&](int length) { return std::max(1, length * side / longer); };
  return resize(image, scaled(image.width), scaled(image.height), Filter::bilinear);
}

} // namespace edgec
