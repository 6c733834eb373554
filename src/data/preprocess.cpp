#include "data/preprocess.h"

#include <array>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/fit.h"

namespace edgec {
namespace {

/// What the 256 values of a pixel become, channel after channel, as the input's dtype.
Result<Tensor> value_table(const Preprocess &rule, const InputSpec &input) {
  const int channels = rule.channels();
  const DType dtype = input.type.dtype;
  std::vector<double> values;
  for (int c = 0; c < channels; ++c) {
    const float mean = rule.mean[rule.mean.size() == 1 ? 0 : static_cast<std::size_t>(c)];
    const float std = rule.std[rule.std.size() == 1 ? 0 : static_cast<std::size_t>(c)];
    for (int pixel = 0; pixel < 256; ++pixel) {
      const float scaled = static_cast<float>(pixel) * rule.scale;
      const float value = (scaled - mean) / std; // in this order: equal to numpy's bit for bit
      values.push_back(dtype == DType::uint8 ? pixel : static_cast<double>(value));
    }
  }
  if (dtype != DType::uint8 && (!is_float(dtype) || bits(dtype) < 8))
    return bad_input(fmt::format("input '{}' is {}; pixels become float or uint8 values", input.name, name(dtype)));
  return from_doubles(dtype, {channels, 256}, values);
}

/// Looks every pixel up; out is [C,H,W] or [H,W,C].
template <class T>
void look_up(const Image &image, bool reversed, bool nhwc, const T *table, T *out) {
  const int channels = image.channels;
  const std::size_t count = static_cast<std::size_t>(image.width) * image.height;
  for (int c = 0; c < channels; ++c) {
    const std::uint8_t *from = image.pixels.data() + (reversed ? channels - 1 - c : c);
    const T *values = table + c * 256;
    T *to = out + (nhwc ? static_cast<std::size_t>(c) : count * c);
    const std::size_t step = nhwc ? static_cast<std::size_t>(channels) : 1;
    for (std::size_t i = 0; i < count; ++i) to[i * step] = values[from[i * channels]];
  }
}

/// Whether the channels come last: as asked, else where only that fits the input's shape.
bool channels_last(const Preprocess &rule, const Type &type) {
  if (rule.nhwc) return *rule.nhwc;
  if (!type.shape || type.shape->size() < 3) return false;
  const Shape &shape = *type.shape;
  return shape.back().size == rule.channels() && shape[shape.size() - 3].size != rule.channels();
}

} // namespace

Result<Image> shape_image(const Image &decoded, const Preprocess &rule) {
  Image image = rule.colour == Colour::grey ? to_grey(decoded) : decoded;
  if (rule.resize_short) {
    const auto longer = static_cast<std::int64_t>(*rule.resize_short) * std::max(image.width, image.height) /
                        std::min(image.width, image.height);
    if (longer * *rule.resize_short > max_image_pixels)
      return bad_input(fmt::format("the image of {} x {} pixels would become {} long; it is too oblong", image.width,
                                   image.height, longer));
    image = resize_shorter_side(image, *rule.resize_short, rule.filter);
  }
  if (rule.centre_crop) {
    if (*rule.centre_crop > std::min(image.width, image.height))
      return bad_input(fmt::format("the image has {} x {} pixels, fewer than the crop of {}; give a resize before it",
                                   image.width, image.height, *rule.centre_crop));
    image = centre_crop(image, *rule.centre_crop);
  }
  if (rule.resize_to) image = resize(image, rule.resize_to->first, rule.resize_to->second, rule.filter);
  return image;
}

Result<Tensor> image_values(const Image &image, const Preprocess &rule, const InputSpec &input) {
  EDGEC_ASSIGN(const Tensor table, value_table(rule, input));
  const bool nhwc = channels_last(rule, input.type);
  Dims dims =
      nhwc ? Dims{1, image.height, image.width, image.channels} : Dims{1, image.channels, image.height, image.width};
  if (input.type.rank() == 3) dims.erase(dims.begin());
  EDGEC_CHECK(check_fit(dims, input, /*any_batch=*/true));
  std::vector<std::byte> out(byte_size(table.dtype, static_cast<std::int64_t>(image.pixels.size())));
  const bool reversed = rule.colour == Colour::bgr;
  const auto fill = [&](auto zero) {
    using T = decltype(zero);
    look_up(image, reversed, nhwc, reinterpret_cast<const T *>(table.data.data()), reinterpret_cast<T *>(out.data()));
  };
  switch (bits(table.dtype)) {
  case 8: fill(std::uint8_t{}); break;
  case 16: fill(std::uint16_t{}); break;
  case 32: fill(std::uint32_t{}); break;
  default: fill(std::uint64_t{}); break;
  }
  return Tensor::of_bytes(table.dtype, std::move(dims), std::move(out));
}

Result<Tensor> prepare_image(const Image &decoded, const Preprocess &rule, const InputSpec &input) {
  EDGEC_ASSIGN(const Image image, shape_image(decoded, rule));
  return image_values(image, rule, input);
}

std::string describe(const Preprocess &rule) {
  std::string text;
  const char *filter = rule.filter == Filter::bicubic ? "bicubic" : "bilinear";
  if (rule.resize_short) text += fmt::format("shorter side to {} ({}), ", *rule.resize_short, filter);
  if (rule.centre_crop) text += fmt::format("centre crop {0} x {0}, ", *rule.centre_crop);
  if (rule.resize_to)
    text += fmt::format("resize to {} x {} ({}), ", rule.resize_to->first, rule.resize_to->second, filter);
  constexpr std::array<const char *, 3> colours{"RGB", "BGR", "grey"};
  return text + fmt::format("{}, (pixel * {} - [{}]) / [{}]", colours[static_cast<std::size_t>(rule.colour)],
                            rule.scale, fmt::join(rule.mean, " "), fmt::join(rule.std, " "));
}

} // namespace edgec
