#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/fit.h"
#include "data/sources.h"
#include "formats/onnx/tensor_proto.h"

namespace edgec {
namespace {

/// Folders in the manner of ONNX's own test data: tensors input_0.pb, input_1.pb, ... in the order of the inputs.
class OnnxTestSamples : public SampleSet {
public:
  OnnxTestSamples(std::vector<std::filesystem::path> folders, std::span<const InputSpec> inputs)
      : folders_(std::move(folders)), inputs_(inputs.begin(), inputs.end()) {}

  std::size_t size() const override { return folders_.size(); }
  std::string label(std::size_t index) const override { return folders_[index].string(); }

  Result<Sample> load(std::size_t index) const override {
    Sample sample;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const auto path = folders_[index] / fmt::format("input_{}.pb", i);
      EDGEC_ASSIGN(Tensor tensor, read_tensor_proto(path));
      EDGEC_CHECK(check_fit(tensor.dims, inputs_[i]).in(path.string()));
      if (tensor.dtype != inputs_[i].type.dtype)
        return bad_input(fmt::format("{}: holds {}, but input '{}' is {}", path.string(), name(tensor.dtype),
                                     inputs_[i].name, to_string(inputs_[i].type)));
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

  std::string description() const override {
    std::vector<std::string> parts;
    for (const InputSpec &input : inputs_) parts.push_back(fmt::format("{} {}", input.name, to_string(input.type)));
    return fmt::format("{}: ONNX test data as stored -> {}", folders_.front().string(), fmt::join(parts, "; "));
  }

private:
  std::vector<std::filesystem::path> folders_;
  std::vector<InputSpec> inputs_;
};

} // namespace

Samples onnx_test_samples(std::vector<std::filesystem::path> folders, std::span<const InputSpec> inputs) {
  auto samples = std::make_unique<OnnxTestSamples>(std::move(folders), inputs);
  if (auto first = samples->load(0); !first) return std::move(first).error();
  return Samples(std::move(samples));
}

} // namespace edgec
