// Images: decoded to 8-bit channels, cropped and resampled exactly as Pillow does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Pixels in rows from the top, channels interleaved: R, G, B, or one grey value (`channels` 1).
struct Image {
  int width = 0, height = 0, channels = 3;
  std::vector<std::uint8_t> pixels; ///< height * width * channels

  Image() = default;
  Image(int w, int h, int c) : width(w), height(h), channels(c), pixels(static_cast<std::size_t>(w) * h * c) {}
  /// The channels of one pixel.
  [[nodiscard]] const std::uint8_t *at(int x, int y) const {
    return &pixels[(static_cast<std::size_t>(y) * width + x) * channels];
  }
  [[nodiscard]] std::uint8_t *at(int x, int y) { return &pixels[(static_cast<std::size_t>(y) * width + x) * channels]; }
};

/// No image may hold more pixels: a larger one is taken for an attack or a mistake (Pillow's limit).
inline constexpr std::int64_t max_image_pixels = 178'956'970;

/// Decodes a JPEG, PNG or binary PPM/PGM, known by its first bytes, to RGB: grey is repeated, alpha is dropped,
/// 16-bit samples keep their high byte. Errors (Code::bad_input) say what is wrong; the caller names the file.
Result<Image> decode_image(ByteView file);

/// The formats, each without the look at the first bytes.
Result<Image> decode_jpeg(ByteView file); ///< libjpeg-turbo; CMYK is refused
Result<Image> decode_png(ByteView file);  ///< libpng; colour profiles and gamma are ignored
Result<Image> decode_ppm(ByteView file);  ///< P5 and P6 with up to 255 levels

/// A JPEG of `quality` 1 .. 100; the same bytes on every processor.
std::string encode_jpeg(const Image &image, int quality);
/// At most side x side pixels, of the same shape; smaller ones stay.
Image thumbnail(const Image &image, int side);

/// Whether the name ends like an image that decode_image may read (.jpg, .jpeg, .png, .ppm, .pgm, any case).
bool has_image_extension(const std::filesystem::path &path);

enum class Filter { bilinear, bicubic };

/// Resamples with antialiasing; the same bytes as Pillow's Image.resize. width, height > 0.
Image resize(const Image &image, int width, int height, Filter filter);
/// The shorter side becomes `side`, the longer one int(side * longer / shorter).
Image resize_shorter_side(const Image &image, int side, Filter filter);
/// The middle side x side pixels; offsets are rounded down. The image is at least that large.
Image centre_crop(const Image &image, int side);
/// ITU-R 601 luma as Pillow's convert("L").
Image to_grey(const Image &image);

} // namespace edgec
