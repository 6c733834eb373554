#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "data/fit.h"
#include "data/sources.h"
#include "support/file.h"

namespace edgec {
namespace {

/// Shaped images of earlier calls, as many as fit: a job reads each sample several times.
class SeenImages {
public:
  std::shared_ptr<const Image> find(std::size_t index) const {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(index);
    return found == images_.end() ? nullptr : found->second;
  }

  void keep(std::size_t index, const std::shared_ptr<const Image> &image) {
    const std::lock_guard lock(mutex_);
    if (bytes_ + image->pixels.size() > most_bytes || !images_.emplace(index, image).second) return;
    bytes_ += image->pixels.size();
  }

private:
  static constexpr std::size_t most_bytes = std::size_t{32} << 20;
  mutable std::mutex mutex_;
  std::map<std::size_t, std::shared_ptr<const Image>> images_;
  std::size_t bytes_ = 0;
};

class ImageSamples : public SampleSet {
public:
  ImageSamples(std::string place, std::vector<std::filesystem::path> files, const InputSpec &input,
               const Preprocess &rule)
      : place_(std::move(place)), files_(std::move(files)), input_(input), rule_(rule),
        batch_(static_cast<std::size_t>(input.type.rank() == 3 ? 1 : fixed_batch(input))) {}

  std::size_t size() const override { return (files_.size() + batch_ - 1) / batch_; }
  std::size_t rows() const override { return files_.size(); }
  std::size_t batch() const override { return batch_; }
  std::filesystem::path file(std::size_t row) const override { return files_[row]; }
  std::optional<Image> picture(std::size_t row) const override {
    const auto image = shaped(row);
    return image ? std::optional(**image) : std::nullopt;
  }
  std::string label(std::size_t index) const override { return files_[index * batch_].string(); }

  Result<Sample> load(std::size_t index) const override {
    if (batch_ == 1) {
      EDGEC_ASSIGN(Tensor only, row(index));
      return Sample{std::move(only)};
    }
    std::vector<std::byte> bytes;
    Tensor last;
    for (std::size_t i = index * batch_; i < (index + 1) * batch_; ++i) {
      if (i < files_.size()) {
        EDGEC_ASSIGN(last, row(i));
      }
      bytes.insert(bytes.end(), last.data.bytes().begin(), last.data.bytes().end());
    }
    last.dims.front() = static_cast<std::int64_t>(batch_);
    return Sample{Tensor::of_bytes(last.dtype, last.dims, std::move(bytes))};
  }

  std::string description() const override {
    const auto file = map_file(files_.front());
    const auto image = file ? decode_image(file->bytes()) : Result<Image>(file.error());
    if (!image) return image.error().message;
    const auto tensor = prepare_image(*image, rule_, input_);
    if (!tensor) return tensor.error().message;
    const auto values = to_floats(*tensor);
    const auto [low, high] = std::ranges::minmax(values);
    return fmt::format("{}: {} x {} pixels, {} -> {} {}{}, values {:.6g} .. {:.6g}", files_.front().string(),
                       image->width, image->height, describe(rule_), input_.name, name(tensor->dtype),
                       format_dims(tensor->dims), low, high);
  }

private:
  std::string place_;
  std::vector<std::filesystem::path> files_;
  InputSpec input_;
  Preprocess rule_;
  std::size_t batch_;
  mutable SeenImages seen_;

  Result<Tensor> row(std::size_t index) const {
    const auto &path = files_[index];
    EDGEC_ASSIGN(const auto image, shaped(index).in(path.string()));
    return image_values(*image, rule_, input_).in(path.string());
  }

  Result<std::shared_ptr<const Image>> shaped(std::size_t index) const {
    if (auto image = seen_.find(index)) return image;
    EDGEC_ASSIGN(const Storage file, map_file(files_[index]));
    EDGEC_ASSIGN(const Image decoded, decode_image(file.bytes()));
    EDGEC_ASSIGN(Image image, shape_image(decoded, rule_));
    auto kept = std::make_shared<const Image>(std::move(image));
    seen_.keep(index, kept);
    return std::shared_ptr<const Image>(std::move(kept));
  }
};

} // namespace

Samples image_samples(std::string place, std::vector<std::filesystem::path> files, std::span<const InputSpec> inputs,
                      const std::optional<Preprocess> &preprocess) {
  if (inputs.size() != 1)
    return bad_input(fmt::format("{}: holds images, which fill one input, but the network has {}; give an .npz with an "
                                 "array for each",
                                 place, list_inputs(inputs)));
  if (!preprocess)
    return usage_error(fmt::format("{}: holds images; say with --preprocess how they become values (imagenet, "
                                   "FILE.json:ENTRY, or resize=256,crop=224,...)",
                                   place));
  auto samples = std::make_unique<ImageSamples>(std::move(place), std::move(files), inputs.front(), *preprocess);
  if (auto first = samples->load(0); !first) return std::move(first).error();
  return Samples(std::move(samples));
}

} // namespace edgec
