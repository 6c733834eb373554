#include <png.h>

#include <csetjmp>
#include <cstring>
#include <fmt/format.h>
#include <string>

#include "data/image.h"

namespace edgec {
namespace {

/// What libpng's callbacks reach: where reading stands and what went wrong.
struct Reader {
  ByteView rest;
  char message[200] = "";
};

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto &reader = *static_cast<Reader *>(png_get_io_ptr(png));
  if (count > reader.rest.size()) png_error(png, "its data end too early");
  std::memcpy(to, reader.rest.data(), count);
  reader.rest = reader.rest.subspan(count);
}

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto &reader = *static_cast<Reader *>(png_get_error_ptr(png));
  std::strncpy(reader.message, text, sizeof reader.message - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

/// Asks libpng for 8-bit RGB whatever the file holds, without looking at gamma, as Pillow's convert("RGB").
void want_rgb(png_structp png, png_infop info) {
  const int colour = png_get_color_type(png, info);
  if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(colour & PNG_COLOR_MASK_COLOR)) {
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
  }
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

/// Reads the header; false if the error callback jumped here. Kept apart from `image` so that no local that setjmp
/// could clobber is read afterwards.
bool read_header(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_info(png, info);
  return true;
}

bool read_rows(png_structp png, png_infop info, Image &image, std::vector<png_bytep> &rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  want_rgb(png, info);
  if (png_get_rowbytes(png, info) != static_cast<std::size_t>(image.width) * 3) png_error(png, "unexpected row size");
  for (int y = 0; y < image.height; ++y) rows[static_cast<std::size_t>(y)] = image.at(0, y);
  png_read_image(png, rows.data());
  png_read_end(png, nullptr);
  return true;
}

Status check_size(png_structp png, png_infop info, std::size_t file_size) {
  const std::uint64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if (width * height > static_cast<std::uint64_t>(max_image_pixels))
    return bad_input(
        fmt::format("the PNG is {} x {} pixels, more than the {} that are read", width, height, max_image_pixels));
  // Deflate shrinks to no less than 1/1032 (zlib's technical notes): a smaller file is not whole.
  if (png_get_rowbytes(png, info) * height / 1032 > file_size)
    return bad_input(fmt::format("truncated PNG: {} bytes cannot hold {} x {} pixels", file_size, width, height));
  return {};
}

} // namespace

Result<Image> decode_png(ByteView file) {
  Reader reader{file};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  struct Close {
    png_structp *png;
    png_infop *info;
    ~Close() { png_destroy_read_struct(png, info, nullptr); }
  } close{&png, &info};
  if (!info) return resource_error("the PNG decoder could not be started");
  png_set_read_fn(png, &reader, read_bytes);
  png_set_user_limits(png, 1'000'000, 1'000'000);
  png_set_chunk_malloc_max(png, 8'000'000);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  if (!read_header(png, info)) return bad_input(fmt::format("damaged PNG: {}", reader.message));
  EDGEC_CHECK(check_size(png, info, file.size()));
  Image image(static_cast<int>(png_get_image_width(png, info)), static_cast<int>(png_get_image_height(png, info)), 3);
  std::vector<png_bytep> rows(static_cast<std::size_t>(image.height));
  if (!read_rows(png, info, image, rows)) return bad_input(fmt::format("damaged PNG: {}", reader.message));
  return image;
}

} // namespace edgec
