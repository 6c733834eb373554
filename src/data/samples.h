// Samples: where inputs of the network come from, prepared as its inputs want them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/tensor.h"
#include "ir/type.h"
#include "support/result.h"

namespace edgec {

/// One call's inputs, in the order of the network's inputs (each with its batch axis of 1).
using Sample = std::vector<Tensor>;

/// A random-access source of samples; load() is thread-safe and deterministic, and reads lazily (images are decoded
/// when asked for, so memory does not grow with the count).
class SampleSet {
public:
  virtual ~SampleSet() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual Result<Sample> load(std::size_t index) const = 0;
  /// "imagenet/calib.csv, image n01440764.jpg": for messages.
  [[nodiscard]] virtual std::string label(std::size_t index) const = 0;
};

/// One network input as a sample set has to fill it.
struct InputSpec {
  std::string name;
  Type type;
};

/// How images become tensors: value = (pixel * scale - mean) / std, per channel in `colour` order (cli.md).
struct Preprocess {
  std::optional<int> resize_short;                ///< shorter side, before the crop
  std::optional<int> centre_crop;                 ///< pixels; before resize_to
  std::optional<std::pair<int, int>> resize_to;   ///< width, height
  bool bicubic = false;                           ///< else bilinear; both with antialiasing, as Pillow
  bool bgr = false;
  bool nhwc = false;
  float scale = 1;
  std::vector<float> mean{0}, std{1};
  std::string description; ///< as given, for the report
};

/// Parses `--preprocess`: a name ("imagenet"), "FILE.json:ENTRY", or inline "resize=256,crop=224,...".
/// Nothing: the text was empty or the entry has no image (samples are fed as stored).
Result<std::optional<Preprocess>> parse_preprocess(const std::string &text);

/// Opens `--calib` / `--data`: a folder of images, a CSV of `file,label`, .npy, .npz, a folder of ONNX test data, or
/// "synthetic" (seeded random inputs). Errors (Code::bad_input) name the file and what was expected.
Result<std::unique_ptr<SampleSet>> open_samples(const std::string &path, std::span<const InputSpec> inputs,
                                                const std::optional<Preprocess> &preprocess, std::uint64_t seed);

/// Labels for the samples of `data`: a CSV `file,label`, .npy, or the `y` of an .npz where `path` is empty.
/// Nothing: there are none.
Result<std::optional<std::vector<std::int64_t>>> open_labels(const std::string &path, const std::string &data,
                                                             const SampleSet &samples);

} // namespace edgec
