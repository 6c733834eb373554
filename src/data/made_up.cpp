#include "data/made_up.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "data/dead_leaves.h"
#include "data/fit.h"
#include "data/fractal_noise.h"
#include "data/sources.h"

namespace edgec {
namespace {

constexpr int free_side = 224, free_length = 32;           // of symbolic dims: pictures, others
constexpr int picture_side = 256, most_picture_side = 512; // as leaves are painted

/// The rows of the table that `value` indexes, directly or after changes of type and shape; 0: it indexes none.
std::int64_t indexed_rows(const Graph &graph, ValueId value, std::set<ValueId> &seen) {
  if (!seen.insert(value).second) return 0;
  for (const Use use : graph.value(value).uses) {
    const Node &node = graph.node(use.node);
    if (node.is("Gather") && use.index == 1) {
      const Type &table = graph.value(node.inputs[0]).type;
      const auto axis = node.get_int("axis", 0);
      if (table.shape && axis >= 0 && axis < static_cast<std::int64_t>(table.shape->size()) && table.shape->size() == 2)
        return std::max<std::int64_t>(0, (*table.shape)[static_cast<std::size_t>(axis)].size);
    }
    static constexpr std::string_view passing[] = {"Cast",    "Identity", "Reshape", "Unsqueeze",
                                                   "Squeeze", "Add",      "Slice",   "Flatten"};
    if (use.index == 0 && node.domain.empty() && std::ranges::find(passing, node.op) != std::end(passing) &&
        !node.outputs.empty())
      if (const std::int64_t rows = indexed_rows(graph, node.outputs[0], seen)) return rows;
  }
  return 0;
}

bool has_word(const std::string &name, std::string_view word) {
  std::string lower = name;
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower.find(word) != std::string::npos;
}

InputKind kind_of_integers(const Graph &graph, ValueId id, MadeUpInput &input) {
  std::set<ValueId> seen;
  input.bound = indexed_rows(graph, id, seen);
  const std::string &name = graph.value(id).name;
  if (has_word(name, "mask")) return InputKind::mask;
  if (has_word(name, "position")) return InputKind::positions;
  constexpr std::int64_t few = 4; // rows of a table of segments
  if (has_word(name, "type") || has_word(name, "segment") || (input.bound > 0 && input.bound <= few))
    return InputKind::zeros;
  return input.bound > 0 ? InputKind::tokens : InputKind::noise;
}

/// Lengths of the symbols of one sample.
using Lengths = std::map<std::string, std::int64_t>;

Lengths lengths_of(std::span<const MadeUpInput> inputs, Random &random) {
  Lengths lengths;
  for (const MadeUpInput &input : inputs) {
    const Shape &shape = *input.spec.type.shape;
    if (!shape.empty() && !shape[0].symbol.empty()) lengths[shape[0].symbol] = 1;
  }
  for (const MadeUpInput &input : inputs)
    for (const Dim &dim : *input.spec.type.shape)
      if (!dim.symbol.empty() && !lengths.contains(dim.symbol)) {
        const bool words =
            input.kind == InputKind::tokens || input.kind == InputKind::mask || input.kind == InputKind::zeros;
        lengths[dim.symbol] = input.kind == InputKind::image ? free_side
                              : words                        ? 8 + static_cast<std::int64_t>(random.below(57))
                                                             : free_length;
      }
  return lengths;
}

Dims dims_of(const MadeUpInput &input, const Lengths &lengths) {
  const Shape &shape = *input.spec.type.shape;
  Dims dims;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is_known())
      dims.push_back(shape[i].size);
    else if (!shape[i].symbol.empty())
      dims.push_back(lengths.at(shape[i].symbol));
    else
      dims.push_back(i == 0 ? 1 : input.kind == InputKind::image ? free_side : free_length);
  }
  return dims;
}

/// Noise along all axes but the batch, scaled by index of the input's axis.
Tensor series(const MadeUpInput &input, const Dims &dims, Random &random) {
  const std::size_t rows = dims.size() > 1 ? static_cast<std::size_t>(dims[0]) : 1;
  std::vector<int> inner(dims.begin() + (dims.size() > 1 ? 1 : 0), dims.end());
  std::vector<double> values;
  for (std::size_t r = 0; r < rows; ++r) {
    const std::vector<float> field = fractal_noise(inner, random);
    values.insert(values.end(), field.begin(), field.end());
  }
  std::size_t step = 1;
  for (std::size_t d = static_cast<std::size_t>(input.axis) + 1; d < dims.size(); ++d)
    step *= static_cast<std::size_t>(dims[d]);
  const std::size_t means = input.mean.size(), stds = input.std.size();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = input.mean[means == 1 ? 0 : i / step % means] + input.std[stds == 1 ? 0 : i / step % stds] * values[i];
  return from_doubles(input.spec.type.dtype, dims, values);
}

/// A number of 0 .. bound - 1 with density ~ 1 / (1 + id): vocabularies are stored by frequency, more or less.
std::int64_t zipf(std::int64_t bound, Random &random) {
  const auto id = static_cast<std::int64_t>(std::exp(random.uniform() * std::log(static_cast<double>(bound) + 1))) - 1;
  return std::clamp<std::int64_t>(id, 0, bound - 1);
}

Tensor integers(const MadeUpInput &input, const Dims &dims, std::int64_t length, Random &random) {
  const DType dtype = input.spec.type.dtype;
  std::vector<std::int64_t> values(static_cast<std::size_t>(element_count(dims).value_or(0)));
  const std::int64_t row = dims.empty() ? 1 : std::max<std::int64_t>(1, dims.back());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) % row;
    switch (input.kind) {
    case InputKind::tokens: values[i] = at < length ? zipf(input.bound, random) : 0; break;
    case InputKind::mask: values[i] = at < length ? 1 : 0; break;
    case InputKind::positions: values[i] = input.bound > 0 ? at % input.bound : at; break;
    default: break;
    }
  }
  return is_float(dtype) ? from_doubles(dtype, dims, std::vector<double>(values.begin(), values.end()))
                         : from_int64s(dtype, dims, values);
}

/// Independent numbers for each sample and each of its streams.
Random random_of(std::uint64_t seed, std::size_t index, std::size_t stream) {
  constexpr std::size_t streams = 64;
  return Random(seed ^ Random((index + 1) * streams + stream).bits());
}

} // namespace

class PictureBook {
public:
  PictureBook(std::size_t count, std::uint64_t seed) : seed_(seed), slots_(count) {}

  /// In the shape that was asked for first.
  const Image &at(std::size_t index, const PictureShape &shape) {
    Slot &slot = slots_[index];
    std::call_once(slot.once, [&] {
      Random random = random_of(seed_, index, 0);
      const int longest = std::max(shape.width, shape.height);
      // Small ones are made smaller, as photographs are; others painted in their own size, for resampling blurs.
      const int side = 2 * longest <= picture_side ? picture_side : std::min(longest, most_picture_side);
      slot.image = resize(dead_leaves(side, random), shape.width, shape.height, Filter::bilinear);
    });
    return slot.image;
  }

private:
  struct Slot {
    std::once_flag once;
    Image image;
  };
  std::uint64_t seed_;
  std::vector<Slot> slots_;
};

std::shared_ptr<PictureBook> picture_book(std::size_t count, std::uint64_t seed) {
  return std::make_shared<PictureBook>(count, seed);
}

namespace {

class MadeUpSamples : public SampleSet {
public:
  MadeUpSamples(std::size_t count, std::vector<MadeUpInput> inputs, std::shared_ptr<PictureBook> pictures,
                std::uint64_t seed)
      : inputs_(std::move(inputs)), pictures_(std::move(pictures)), seed_(seed), count_(count) {}

  std::size_t size() const override { return count_; }
  std::string label(std::size_t index) const override { return fmt::format("made-up[{}]", index); }

  Result<Sample> load(std::size_t index) const override {
    Random random = random_for(index, 1);
    const Lengths lengths = lengths_of(inputs_, random);
    const double filled = random.uniform(0.25, 1); // of rows whose length the network fixes
    Sample sample;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      EDGEC_ASSIGN(Tensor tensor, input_of(inputs_[i], index, i + 2, dims_of(inputs_[i], lengths), filled));
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

  std::string description() const override {
    std::string text = fmt::format("{} made-up samples, seed {}", size(), seed_);
    for (const MadeUpInput &input : inputs_) text += fmt::format("; {}: {}", input.spec.name, describe(input));
    return text;
  }

private:
  std::vector<MadeUpInput> inputs_;
  std::shared_ptr<PictureBook> pictures_;
  std::uint64_t seed_;
  std::size_t count_;

  [[nodiscard]] Random random_for(std::size_t index, std::size_t stream) const {
    return random_of(seed_, index, stream);
  }

  Result<Tensor> input_of(const MadeUpInput &input, std::size_t index, std::size_t stream, const Dims &dims,
                          double filled) const {
    Random random = random_for(index, stream);
    switch (input.kind) {
    case InputKind::image: return image_of(input, index, *picture_shape(input.spec.type), dims);
    case InputKind::series: return series(input, dims, random);
    case InputKind::noise: {
      EDGEC_ASSIGN(const auto noise, synthetic_samples(1, {&input.spec, 1}, random.bits()));
      EDGEC_ASSIGN(Sample sample, noise->load(0));
      return std::move(sample.front());
    }
    default: break;
    }
    const bool fixed = !dims.empty() && !input.spec.type.shape->empty() && input.spec.type.shape->back().is_known();
    const std::int64_t row = dims.empty() ? 1 : dims.back();
    const auto length = fixed ? std::max<std::int64_t>(1, std::llround(filled * static_cast<double>(row))) : row;
    return integers(input, dims, length, random);
  }

  Result<Tensor> image_of(const MadeUpInput &input, std::size_t index, const PictureShape &shape,
                          const Dims &dims) const {
    const Image &stored = pictures_->at(index, shape);
    const bool fits = stored.width == shape.width && stored.height == shape.height;
    const Image resized = fits ? Image() : resize(stored, shape.width, shape.height, Filter::bilinear);
    EDGEC_ASSIGN(const Tensor one, prepare_image(fits ? stored : resized, input.preprocess, input.spec));
    if (one.dims == dims || dims.size() < 4) return one;
    std::vector<std::byte> bytes; // a fixed batch shows one picture in all its rows
    for (std::int64_t i = 0; i < dims[0]; ++i)
      bytes.insert(bytes.end(), one.data.bytes().begin(), one.data.bytes().end());
    return Tensor::of_bytes(one.dtype, dims, std::move(bytes));
  }
};

} // namespace

std::optional<PictureShape> picture_shape(const Type &type) {
  if (!type.is_tensor() || !type.shape || (type.shape->size() != 4 && type.shape->size() != 3)) return std::nullopt;
  if (!is_float(type.dtype) && type.dtype != DType::uint8) return std::nullopt;
  const std::size_t first = type.shape->size() - 3;
  if (first == 0 && !(*type.shape)[2].is_known() && !(*type.shape)[0].is_known()) return std::nullopt;
  const auto side = [&](std::size_t i) {
    return (*type.shape)[first + i].is_known() ? (*type.shape)[first + i].size : free_side;
  };
  const auto picture = [&](std::size_t channels, std::size_t height, std::size_t width) -> std::optional<PictureShape> {
    const std::int64_t least = std::min(side(height), side(width)), most = std::max(side(height), side(width));
    const bool colour = side(channels) == 3 && least >= 16, grey = side(channels) == 1 && least == most && least >= 8;
    if (most > 16384 || (!colour && !grey)) return std::nullopt;
    return PictureShape{static_cast<int>(side(width)), static_cast<int>(side(height)), colour ? 3 : 1};
  };
  if (const auto planes = picture(0, 1, 2)) return planes;
  return picture(2, 0, 1);
}

std::vector<MadeUpInput> guess_inputs(const Graph &graph) {
  std::vector<MadeUpInput> inputs;
  for (const ValueId id : graph.inputs()) {
    MadeUpInput input;
    input.spec = {graph.value(id).name, graph.value(id).type};
    const Type &type = input.spec.type;
    if (const auto shape = picture_shape(type)) {
      input.kind = InputKind::image;
      input.preprocess.scale = 1.0F / 255;
      if (shape->channels == 1) input.preprocess.colour = Colour::grey;
    } else if (type.is_tensor() && is_float(type.dtype) && bits(type.dtype) >= 16) {
      input.kind = has_word(input.spec.name, "mask") ? InputKind::mask : InputKind::series;
    } else if (type.dtype == DType::boolean) {
      input.kind = InputKind::mask;
    } else if (type.dtype == DType::int64 || type.dtype == DType::int32) {
      input.kind = kind_of_integers(graph, id, input);
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

std::string describe(const MadeUpInput &input) {
  switch (input.kind) {
  case InputKind::image: return "images (dead leaves), " + describe(input.preprocess);
  case InputKind::series: return fmt::format("1/f noise, {}", to_string(input.spec.type));
  case InputKind::tokens: return fmt::format("token ids below {}", input.bound);
  case InputKind::mask: return "a mask";
  case InputKind::positions: return "positions";
  case InputKind::zeros: return "zeros";
  default: return "random numbers";
  }
}

Samples made_up_samples(std::size_t count, std::vector<MadeUpInput> inputs, std::shared_ptr<PictureBook> pictures,
                        std::uint64_t seed) {
  std::vector<InputSpec> specs;
  for (const MadeUpInput &input : inputs) specs.push_back(input.spec);
  EDGEC_CHECK(synthetic_samples(1, specs, seed)); // says for which input nothing can be made up
  return Samples(std::make_unique<MadeUpSamples>(count, std::move(inputs), std::move(pictures), seed));
}

} // namespace edgec
