#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/fit.h"
#include "data/labels.h"
#include "data/npy.h"
#include "data/sources.h"

namespace edgec {
namespace {

/// An array and how an input is cut out of it.
struct Source {
  enum class Cut { rows, whole_inputs, same_for_all };
  InputSpec input;
  std::string name;
  Tensor array;
  Cut cut = Cut::rows;
  bool images = false;    ///< uint8 [N,C,H,W] or [N,H,W,C], to be preprocessed
  std::int64_t batch = 1; ///< rows that a call takes
};

/// Where the channels of an array of images stand, if it is one.
std::optional<int> channel_axis(const Tensor &array, const Preprocess &rule) {
  if (array.dtype != DType::uint8 || array.rank() != 4) return std::nullopt;
  if (array.dims[3] == rule.channels()) return 3;
  return array.dims[1] == rule.channels() ? std::optional(1) : std::nullopt;
}

/// Elements [first, first + count) of the first axis; string arrays too.
Tensor slice(const Tensor &array, std::int64_t first, std::int64_t count) {
  Dims dims = array.dims;
  const std::int64_t total = dims.front();
  dims.front() = count;
  if (array.dtype == DType::string) {
    const auto step = static_cast<std::ptrdiff_t>(array.size() / total);
    const auto begin = array.strings->begin() + first * step;
    return Tensor::of_strings(std::move(dims), {begin, begin + count * step});
  }
  const std::size_t step = array.data.size() / static_cast<std::size_t>(total);
  return {array.dtype, std::move(dims),
          array.data.slice(static_cast<std::size_t>(first) * step, static_cast<std::size_t>(count) * step), nullptr};
}

/// Lengthens the first axis to `count` by repeating the last element.
Tensor fill_up(const Tensor &tensor, std::int64_t count) {
  if (tensor.dims.front() == count || tensor.dtype == DType::string) return tensor;
  const std::size_t step = tensor.data.size() / static_cast<std::size_t>(tensor.dims.front());
  std::vector<std::byte> bytes(tensor.data.bytes().begin(), tensor.data.bytes().end());
  while (bytes.size() < step * static_cast<std::size_t>(count)) {
    const auto last = tensor.data.bytes().last(step);
    bytes.insert(bytes.end(), last.begin(), last.end());
  }
  Dims dims = tensor.dims;
  dims.front() = count;
  return Tensor::of_bytes(tensor.dtype, std::move(dims), std::move(bytes));
}

/// One picture of an array of images.
Image image_at(const Tensor &array, std::int64_t index, int axis) {
  const Tensor one = slice(array, index, 1);
  const auto pixels = one.as<std::uint8_t>();
  const auto dim = [&](int i) { return static_cast<int>(one.dims[static_cast<std::size_t>(i)]); };
  Image image(dim(axis == 3 ? 2 : 3), dim(axis == 3 ? 1 : 2), dim(axis));
  if (axis == 3) {
    std::ranges::copy(pixels, image.pixels.begin());
    return image;
  }
  const std::size_t count = static_cast<std::size_t>(image.width) * image.height;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t c = 0; c < static_cast<std::size_t>(image.channels); ++c)
      image.pixels[i * image.channels + c] = pixels[c * count + i];
  return image;
}

/// Numbers [1,C,H,W] or [1,H,W,C] of one or three channels as a picture, the smallest black and the largest white.
std::optional<Image> drawn(const Tensor &tensor) {
  if (tensor.rank() != 4 || tensor.dims[0] != 1 || tensor.dtype == DType::string || tensor.size() == 0) return {};
  const auto is_colour = [](std::int64_t channels) { return channels == 1 || channels == 3; };
  const bool last = is_colour(tensor.dims[3]), first = is_colour(tensor.dims[1]);
  if ((!first && !last) || tensor.size() > max_image_pixels) return {};
  const auto values = to_doubles(tensor);
  const auto [low, high] = std::ranges::minmax(values);
  if (!std::isfinite(high - low) || high <= low) return {};
  const std::size_t height = first ? 2 : 1, width = first ? 3 : 2, channel = first ? 1 : 3;
  Image image(static_cast<int>(tensor.dims[width]), static_cast<int>(tensor.dims[height]),
              static_cast<int>(tensor.dims[channel]));
  const auto channels = static_cast<std::size_t>(image.channels), count = values.size() / channels;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t c = 0; c < channels; ++c) {
      const double value = values[first ? c * count + i : i * channels + c];
      image.pixels[i * channels + c] = static_cast<std::uint8_t>(255 * (value - low) / (high - low) + 0.5);
    }
  return image;
}

class ArraySamples : public SampleSet {
public:
  ArraySamples(std::string place, std::vector<Source> sources, const std::optional<Preprocess> &rule, std::size_t rows,
               std::size_t batch)
      : place_(std::move(place)), sources_(std::move(sources)), rule_(rule), rows_(rows), batch_(batch) {}

  std::size_t size() const override { return (rows_ + batch_ - 1) / batch_; }
  std::size_t rows() const override { return rows_; }
  std::size_t batch() const override { return batch_; }
  std::string label(std::size_t index) const override { return fmt::format("{}[{}]", place_, index * batch_); }

  Result<Sample> load(std::size_t index) const override {
    Sample sample;
    for (const Source &source : sources_) {
      EDGEC_ASSIGN(Tensor tensor, input_of(source, index).in(label(index)));
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

  /// Of the first input.
  std::optional<Image> picture(std::size_t row) const override {
    const Source &source = sources_.front();
    if (source.cut == Source::Cut::same_for_all) return {};
    Tensor one = slice(source.array, static_cast<std::int64_t>(row), 1);
    if (!source.images) {
      if (source.cut == Source::Cut::whole_inputs) one.dims.erase(one.dims.begin());
      return drawn(one);
    }
    const auto image = shape_image(image_at(one, 0, *channel_axis(one, *rule_)), *rule_);
    return image ? std::optional(*image) : std::nullopt;
  }

  std::string description() const override {
    std::vector<std::string> parts;
    for (const Source &source : sources_)
      parts.push_back(fmt::format("array '{}' {}{}, {} -> {} {}", source.name, name(source.array.dtype),
                                  format_dims(source.array.dims), source.images ? describe(*rule_) : "as stored",
                                  source.input.name, to_string(source.input.type)));
    return fmt::format("{}: {}", place_, fmt::join(parts, "; "));
  }

private:
  std::string place_;
  std::vector<Source> sources_;
  std::optional<Preprocess> rule_;
  std::size_t rows_, batch_;

  Result<Tensor> input_of(const Source &source, std::size_t index) const {
    const auto at = static_cast<std::int64_t>(index);
    if (source.cut == Source::Cut::same_for_all) return convert(source.array, source.input);
    if (source.cut == Source::Cut::whole_inputs) {
      Tensor one = slice(source.array, at, 1);
      one.dims.erase(one.dims.begin());
      return convert(one, source.input);
    }
    const std::int64_t first = at * source.batch;
    const std::int64_t count = std::min(source.batch, source.array.dims.front() - first);
    if (source.images) return batch_of_images(source, first, count);
    EDGEC_ASSIGN(const Tensor rows, convert(slice(source.array, first, count), source.input));
    return fill_up(rows, source.batch);
  }

  Result<Tensor> batch_of_images(const Source &source, std::int64_t first, std::int64_t count) const {
    const int axis = *channel_axis(source.array, *rule_);
    if (source.batch == 1) return prepare_image(image_at(source.array, first, axis), *rule_, source.input);
    std::vector<std::byte> bytes;
    Tensor last;
    for (std::int64_t i = first; i < first + count; ++i) {
      EDGEC_ASSIGN(last, prepare_image(image_at(source.array, i, axis), *rule_, source.input));
      bytes.insert(bytes.end(), last.data.bytes().begin(), last.data.bytes().end());
    }
    last.dims.front() = count;
    return fill_up(Tensor::of_bytes(last.dtype, last.dims, std::move(bytes)), source.batch);
  }
};

/// Decides how the input is cut out of its array.
Status choose_cut(Source &source, const std::optional<Preprocess> &rule) {
  const auto wanted = source.input.type.rank();
  const Dims &dims = source.array.dims;
  source.batch = fixed_batch(source.input);
  source.images = rule && channel_axis(source.array, *rule) && source.input.type.dtype != DType::string;
  if (source.images) {
    if (wanted == 3) source.batch = 1;
    return {};
  }
  if (wanted && source.array.rank() == *wanted + 1) {
    source.cut = Source::Cut::whole_inputs;
    source.batch = 1;
    return check_fit(std::span(dims).subspan(1), source.input);
  }
  if (dims.empty()) {
    source.cut = Source::Cut::same_for_all;
    return check_fit(dims, source.input);
  }
  if (wanted && source.array.rank() != *wanted) return check_fit(dims, source.input);
  Dims one = dims;
  one.front() = source.batch;
  return check_fit(one, source.input);
}

Error different_counts(std::span<const Source> sources) {
  std::vector<std::string> parts;
  for (const Source &source : sources)
    parts.push_back(fmt::format("'{}' {}", source.name, format_dims(source.array.dims)));
  return bad_input(fmt::format("the arrays hold different numbers of samples: {}", fmt::join(parts, ", ")));
}

} // namespace

Samples array_samples(std::string place, std::vector<Tensor> arrays, std::vector<std::string> names,
                      std::span<const InputSpec> inputs, const std::optional<Preprocess> &preprocess) {
  std::vector<Source> sources;
  std::size_t calls = 1, rows = 1;
  std::int64_t batch = 1;
  bool counted = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Source source{inputs[i], std::move(names[i]), std::move(arrays[i])};
    EDGEC_CHECK(choose_cut(source, preprocess).in(fmt::format("{}: array '{}'", place, source.name)));
    sources.push_back(std::move(source));
    const Source &now = sources.back();
    if (now.cut == Source::Cut::same_for_all) continue;
    const std::int64_t count = now.array.dims.front();
    if (count == 0) return bad_input(fmt::format("{}: array '{}' is empty, samples were expected", place, now.name));
    const auto mine = static_cast<std::size_t>((count + now.batch - 1) / now.batch);
    if (counted && mine != calls) return different_counts(sources).in(place);
    if (counted) continue;
    counted = true;
    calls = mine;
    rows = static_cast<std::size_t>(count);
    batch = now.batch; // the first input's: samples, and so labels, are counted by it
  }
  auto samples = std::make_unique<ArraySamples>(std::move(place), std::move(sources), preprocess, rows,
                                                static_cast<std::size_t>(batch));
  if (auto first = samples->load(0); !first) return std::move(first).error();
  return Samples(std::move(samples));
}

Samples npy_samples(const std::filesystem::path &path, std::span<const InputSpec> inputs,
                    const std::optional<Preprocess> &preprocess) {
  if (inputs.size() != 1)
    return bad_input(fmt::format("{}: is one array, but the network has {} inputs; give an .npz with an array for each",
                                 path.string(), list_inputs(inputs)));
  EDGEC_ASSIGN(Tensor array, load_npy(path, inputs.front().type.dtype));
  return array_samples(path.string(), {std::move(array)}, {path.filename().string()}, inputs, preprocess);
}

Samples npz_samples(const std::filesystem::path &path, std::span<const InputSpec> inputs,
                    const std::optional<Preprocess> &preprocess) {
  EDGEC_ASSIGN(const NpzFile npz, NpzFile::open(path));
  std::vector<Tensor> arrays;
  std::vector<std::string> names;
  std::vector<std::string> others = npz.names();
  std::erase_if(others, names_labels);
  for (const InputSpec &input : inputs) {
    const bool exact = npz.has(input.name) || inputs.size() > 1;
    names.push_back(exact ? input.name : others.size() == 1 ? others.front() : "x");
    if (!npz.has(names.back()))
      return bad_input(fmt::format("{}: has no array named '{}' as the network's input{}; there are: {}", path.string(),
                                   input.name, inputs.size() == 1 && input.name != "x" ? " or 'x'" : "",
                                   fmt::join(npz.names(), ", ")));
    EDGEC_ASSIGN(Tensor array, npz.read(names.back(), input.type.dtype));
    arrays.push_back(std::move(array));
  }
  return array_samples(path.string(), std::move(arrays), std::move(names), inputs, preprocess);
}

} // namespace edgec
