// How an image becomes a network's input.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/image.h"
#include "ir/tensor.h"
#include "ir/type.h"
#include "support/result.h"

namespace edgec {

/// One network input as samples have to fill it.
struct InputSpec {
  std::string name;
  Type type;
};

enum class Colour { rgb, bgr, grey };

/// In this order: shorter side, centre crop, exact size, colour, then (pixel * scale - mean) / std in float32, per
/// channel in the order of `colour`. A uint8 input gets the pixels themselves.
struct Preprocess {
  std::optional<int> resize_short;              ///< pixels of the shorter side
  std::optional<int> centre_crop;               ///< pixels a side
  std::optional<std::pair<int, int>> resize_to; ///< width, height
  Filter filter = Filter::bilinear;             ///< with antialiasing, as Pillow
  Colour colour = Colour::rgb;
  std::optional<bool> nhwc; ///< absent: as the input's shape says
  float scale = 1;
  std::vector<float> mean{0}, std{1}; ///< one, or one per channel
  std::string description;            ///< as given, for the report

  [[nodiscard]] int channels() const { return colour == Colour::grey ? 1 : 3; }
};

/// Parses `--preprocess`: a name ("imagenet"), "FILE.json:ENTRY", or inline "resize=256,crop=224,mean=123.7,116.8,104".
/// An entry stands in the file's `models` object, or at its top; the keys are those of its `image` object.
/// Nothing: the text was empty or the entry has no `image` (samples are fed as stored).
Result<std::optional<Preprocess>> parse_preprocess(const std::string &text);

/// In words: "centre crop 224, BGR, (pixel * 1 - [103.94 116.78 123.68]) / [1 1 1]".
std::string describe(const Preprocess &preprocess);

/// One row of the batch for `input`: [1,C,H,W] or [1,H,W,C], without the first axis where the input has rank 3.
/// Errors: the crop is larger than the image, the result does not fit the input, an input type that no pixel becomes.
Result<Tensor> prepare_image(const Image &image, const Preprocess &preprocess, const InputSpec &input);

/// Its two steps: the pixels that the input shows, and their values.
Result<Image> shape_image(const Image &image, const Preprocess &preprocess);
Result<Tensor> image_values(const Image &shaped, const Preprocess &preprocess, const InputSpec &input);

} // namespace edgec
