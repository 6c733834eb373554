#include <turbojpeg.h>

#include <fmt/format.h>
#include <memory>
#include <string_view>

#include "data/image.h"

namespace edgec {
namespace {

struct Close {
  void operator()(void *handle) const { tjDestroy(handle); }
};

/// libjpeg's text without the function that turbojpeg puts in front.
std::string reason(tjhandle handle) {
  std::string_view text = tjGetErrorStr2(handle);
  if (const auto colon = text.find("(): "); colon != text.npos) text.remove_prefix(colon + 4);
  return std::string(text);
}

/// Whether an end of image (FF D9) follows the last start of a scan (FF DA). libjpeg only warns where data end early.
bool reaches_its_end(ByteView file) {
  for (std::size_t i = file.size() - 1; i > 0; --i)
    if (file[i - 1] == std::byte{0xff} && (file[i] == std::byte{0xd9} || file[i] == std::byte{0xda}))
      return file[i] == std::byte{0xd9};
  return false;
}

} // namespace

Result<Image> decode_jpeg(ByteView file) {
  const std::unique_ptr<void, Close> decoder(tjInitDecompress());
  if (!decoder) return resource_error("the JPEG decoder could not be started");
  const auto *bytes = reinterpret_cast<const unsigned char *>(file.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, file.size(), &width, &height, &subsampling, &colours) != 0)
    return bad_input(fmt::format("damaged JPEG: {}", reason(decoder.get())));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    return bad_input("the JPEG has CMYK colours, which are not read; save it as RGB");
  const std::int64_t count = std::int64_t{width} * height;
  if (count > max_image_pixels)
    return bad_input(
        fmt::format("the JPEG is {} x {} pixels, more than the {} that are read", width, height, max_image_pixels));
  // A block of 64 pixels takes a bit or more of the first scan, so this file cannot be whole; nothing is allocated.
  if (count > static_cast<std::int64_t>(file.size()) * 4096)
    return bad_input(fmt::format("truncated JPEG: {} bytes cannot hold {} x {} pixels", file.size(), width, height));
  Image image(width, height, 3);
  const int flags = TJFLAG_LIMITSCANS;
  if (tjDecompress2(decoder.get(), bytes, file.size(), image.pixels.data(), width, 0, height, TJPF_RGB, flags) == 0)
    return image;
  if (tjGetErrorCode(decoder.get()) == TJERR_WARNING) {
    if (!reaches_its_end(file)) return bad_input("truncated JPEG: its data end too early");
    return image; // stray bytes or a damaged segment: there is a picture, as in Pillow
  }
  return bad_input(fmt::format("damaged JPEG: {}", reason(decoder.get())));
}

std::string encode_jpeg(const Image &image, int quality) {
  const std::unique_ptr<void, Close> encoder(tjInitCompress());
  unsigned char *data = nullptr;
  unsigned long size = 0;
  const bool grey = image.channels == 1;
  if (encoder)
    tjCompress2(encoder.get(), image.pixels.data(), image.width, 0, image.height, grey ? TJPF_GRAY : TJPF_RGB, &data,
                &size, grey ? TJSAMP_GRAY : TJSAMP_420, quality, TJFLAG_ACCURATEDCT);
  std::string file(reinterpret_cast<const char *>(data), data == nullptr ? 0 : size);
  tjFree(data);
  return file;
}

} // namespace edgec
