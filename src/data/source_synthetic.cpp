#include <map>

#include <fmt/format.h>

#include "data/fit.h"
#include "data/sources.h"
#include "support/random.h"

namespace edgec {
namespace {

/// Sizes of symbolic dims, the same wherever a symbol stands: 1 where it is some input's first, the batch.
std::map<std::string, std::int64_t> symbol_sizes(std::span<const InputSpec> inputs) {
  std::map<std::string, std::int64_t> sizes;
  for (const InputSpec &input : inputs) {
    const Shape &shape = *input.type.shape;
    if (!shape.empty() && !shape[0].symbol.empty()) sizes[shape[0].symbol] = 1;
  }
  for (const InputSpec &input : inputs)
    for (const Dim &dim : *input.type.shape)
      if (!dim.symbol.empty()) sizes.emplace(dim.symbol, input.type.shape->size() == 4 ? 64 : 8);
  return sizes;
}

/// The dims of one input, free ones chosen.
Dims chosen_dims(const InputSpec &input, const std::map<std::string, std::int64_t> &symbols) {
  const Shape &shape = *input.type.shape;
  Dims dims;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is_known())
      dims.push_back(shape[i].size);
    else if (!shape[i].symbol.empty())
      dims.push_back(symbols.at(shape[i].symbol));
    else
      dims.push_back(i == 0 ? 1 : shape.size() == 4 ? 64 : 8);
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
      : count_(count), inputs_(inputs.begin(), inputs.end()), symbols_(symbol_sizes(inputs)), seed_(seed) {}

  std::size_t size() const override { return count_; }
  std::string label(std::size_t index) const override { return fmt::format("synthetic[{}]", index); }

  Result<Sample> load(std::size_t index) const override {
    Random mixed(seed_ ^ Random(index + 1).bits());
    Sample sample;
    for (const InputSpec &input : inputs_) sample.push_back(random_tensor(input, chosen_dims(input, symbols_), mixed));
    return sample;
  }

  std::string description() const override {
    std::string text = fmt::format("synthetic: {} random samples, seed {}", count_, seed_);
    for (const InputSpec &input : inputs_)
      text += fmt::format("; {} {}{}", input.name, name(input.type.dtype), format_dims(chosen_dims(input, symbols_)));
    return text;
  }

private:
  std::size_t count_;
  std::vector<InputSpec> inputs_;
  std::map<std::string, std::int64_t> symbols_;
  std::uint64_t seed_;
};

} // namespace

Samples synthetic_samples(std::size_t count, std::span<const InputSpec> inputs, std::uint64_t seed) {
  for (const InputSpec &input : inputs) {
    if (!input.type.shape)
      return bad_input(
          fmt::format("synthetic: input '{}' does not say how many dimensions it has; give samples", input.name));
  }
  const auto symbols = symbol_sizes(inputs);
  for (const InputSpec &input : inputs) {
    const auto elements = element_count(chosen_dims(input, symbols));
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
