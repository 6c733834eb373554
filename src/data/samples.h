// Samples: where inputs of the network come from, prepared as its inputs want them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/preprocess.h"
#include "ir/tensor.h"
#include "ir/type.h"
#include "support/result.h"

namespace edgec {

/// One call's inputs, in the order of the network's inputs, each with its batch axis.
using Sample = std::vector<Tensor>;

/// A random-access source of samples; load() is thread-safe and deterministic, and reads lazily (images are decoded
/// when asked for, so memory does not grow with the count).
///
/// The batch axis is 1, one call is one sample, unless the network's batch is fixed to more: a call then takes that
/// many rows, the last call's missing ones are filled with its last.
class SampleSet {
public:
  virtual ~SampleSet() = default;
  /// Calls that the samples make.
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual Result<Sample> load(std::size_t index) const = 0;
  /// "imagenet/calib/n01440764.jpg", "calib.npz[17]": for messages.
  [[nodiscard]] virtual std::string label(std::size_t index) const = 0;

  /// Samples, each with a label of its own: size() unless the network's batch is fixed.
  [[nodiscard]] virtual std::size_t rows() const { return size(); }
  /// Rows of a call, filled up ones included: its batch.
  [[nodiscard]] virtual std::size_t batch() const { return 1; }
  /// The image that a row comes from; empty where it is none.
  [[nodiscard]] virtual std::filesystem::path file(std::size_t /*row*/) const { return {}; }
  /// What a row shows, for people to look at; nothing where it is no picture or cannot be read.
  [[nodiscard]] virtual std::optional<Image> picture(std::size_t /*row*/) const { return std::nullopt; }
  /// What is done to a sample, told for the first one, in one line.
  [[nodiscard]] virtual std::string description() const = 0;

  /// Rows of one call that are samples, not filling.
  [[nodiscard]] std::size_t rows(std::size_t index) const { return std::min(batch(), rows() - index * batch()); }
};

/// Opens `--calib` / `--data`: an image, a folder of images (in byte order of their names), a folder of class folders
/// with images (one of each class in turn, so that the first few stand for all), a list `file,label` (data/csv.h; paths
/// relative to it), a .npy, a .npz (the array named as the input, else `x`, else the only one that holds no labels), a
/// folder of ONNX test data (input_0.pb ..., or folders of those), or "synthetic" (seeded random inputs; "synthetic:N"
/// for N of them).
///
/// The first axis of an array counts the samples; one that has the input's rank plus one holds whole inputs. Integers
/// become floats where the input wants floats; other conversions have to keep every value. uint8 arrays [N,C,H,W] or
/// [N,H,W,C] count as images where a preprocessing is given.
///
/// Errors: Code::bad_input names the file, what was expected and found; Code::usage for images without preprocessing.
Result<std::unique_ptr<SampleSet>> open_samples(const std::string &path, std::span<const InputSpec> inputs,
                                                const std::optional<Preprocess> &preprocess, std::uint64_t seed);

/// One input from one file, whole: .npy, .npz (as open_samples), an ONNX tensor (.pb), or an image with preprocessing.
Result<Tensor> load_input(const std::filesystem::path &path, const InputSpec &input,
                          const std::optional<Preprocess> &preprocess);

} // namespace edgec
