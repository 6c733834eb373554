// The kinds of samples that open_samples chooses from.
#pragma once

#include <memory>

#include "data/samples.h"

namespace edgec {

using Samples = Result<std::unique_ptr<SampleSet>>;

/// Image files in the given order; `place` names where they come from. The first one is tried at once.
Samples image_samples(std::string place, std::vector<std::filesystem::path> files, std::span<const InputSpec> inputs,
                      const std::optional<Preprocess> &preprocess);

/// One array an input. `names` are those of the arrays, for messages.
Samples array_samples(std::string place, std::vector<Tensor> arrays, std::vector<std::string> names,
                      std::span<const InputSpec> inputs, const std::optional<Preprocess> &preprocess);
Samples npy_samples(const std::filesystem::path &path, std::span<const InputSpec> inputs,
                    const std::optional<Preprocess> &preprocess);
Samples npz_samples(const std::filesystem::path &path, std::span<const InputSpec> inputs,
                    const std::optional<Preprocess> &preprocess);

/// Folders with input_0.pb, input_1.pb, ...: one sample each.
Samples onnx_test_samples(std::vector<std::filesystem::path> folders, std::span<const InputSpec> inputs);

/// Seeded random inputs: floats are normal, bytes uniform, wider integers and truth values 0 or 1 (they are indices,
/// lengths and masks). A free first dimension is 1, another 64 in pictures (rank 4) and 8 elsewhere.
Samples synthetic_samples(std::size_t count, std::span<const InputSpec> inputs, std::uint64_t seed);

/// "3 (ids, mask, types)".
std::string list_inputs(std::span<const InputSpec> inputs);

} // namespace edgec
