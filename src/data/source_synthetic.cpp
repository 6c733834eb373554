#include <fmt/format.h>

#include "data/fit.h"
#include "data/sources.h"
#include "support/random.h"

namespace edgec {
namespace {

/// The dims of one input, free ones chosen.
Dims chosen_dims(const InputSpec &input) {
  const Shape &shape = *input.type.shape;
  Dims dims;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool as_first = i == 0 || (!shape[i].symbol.empty() && shape[i].symbol == shape[0].symbol);
    dims.push_back(shape[i].is_known() ? shape[i].size : as_first ? 1 : shape.size() == 4 ? 64 : 8);
  }
  return dims;
}

Tensor random_tensor(const InputSpec &input, const Dims &dims, Random &random) {
  const DType dtype = input.type.dtype;
  const auto count = static_cast<std::size_t>(element_count(dims).value_or(0));
  if (dtype == DType::string) return Tensor::of_strings(dims, std::vector<std::string>(count, "a"));
  if (is_float(dtype)) {
    std::vector<double> values(count);
    for (double &value : values) value = random.normal();
    return from_doubles(dtype, dims, values);
  }
  const bool small = is_integer(dtype) && bits(dtype) <= 8;
  const IntegerRange range = small ? integer_range(dtype) : IntegerRange{0, 1};
  std::vector<std::int64_t> values(count);
  for (std::int64_t &value : values)
    value = range.low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(range.high - range.low + 1)));
  return from_int64s(dtype, dims, values);
}

class SyntheticSamples : public SampleSet {
public:
  SyntheticSamples(std::size_t count, std::span<const InputSpec> inputs, std::uint64_t seed)
      : count_(count), inputs_(inputs.begin(), inputs.end()), seed_(seed) {}

  std::size_t size() const override { return count_; }
  std::string label(std::size_t index) const override { return fmt::format("synthetic[{}]", index); }

  Result<Sample> load(std::size_t index) const override {
    Random mixed(seed_ ^ Random(index + 1).bits());
    Sample sample;
    for (const InputSpec &input : inputs_) sample.push_back(random_tensor(input, chosen_dims(input), mixed));
    return sample;
  }

  std::string description() const override {
    std::string text = fmt::format("synthetic: {} random samples, seed {}", count_, seed_);
    for (const InputSpec &input : inputs_)
      text += fmt::format("; {} {}{}", input.name, name(input.type.dtype), format_dims(chosen_dims(input)));
    return text;
  }

private:
  std::size_t count_;
  std::vector<InputSpec> inputs_;
  std::uint64_t seed_;
};

} // namespace

Samples synthetic_samples(std::size_t count, std::span<const InputSpec> inputs, std::uint64_t seed) {
  for (const InputSpec &input : inputs) {
    if (!input.type.shape)
      return bad_input(
          fmt::format("synthetic: input '{}' does not say how many dimensions it has; give samples", input.name));
    const auto elements = element_count(chosen_dims(input));
    if (!elements || *elements > std::int64_t{1} << 30)
      return resource_error(
          fmt::format("synthetic: input '{}' is {}, too large for random samples", input.name, to_string(input.type)));
    if (bits(input.type.dtype) == 0 && input.type.dtype != DType::string)
      return unsupported(fmt::format("synthetic: input '{}' is {}, no random values are made for it", input.name,
                                     to_string(input.type)));
  }
  return Samples(std::make_unique<SyntheticSamples>(count, inputs, seed));
}

} // namespace edgec
