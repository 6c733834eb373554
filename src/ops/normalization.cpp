// Normalizations over axes that the data itself gives: layer, RMS, instance, group, MVN, Lp, local response.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/broadcast.h"
#include "ops/shared/elements.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

DType stash_type(const Node &node) {
  const std::int64_t wanted = node.get_int("stash_type", 1);
  return wanted > 0 && wanted < dtype_count ? static_cast<DType>(wanted) : DType::float32;
}

/// Numbers as `dtype` would hold them: what ONNX's function bodies round to on the way.
void round_to(DType dtype, std::vector<double> &values) {
  if (dtype == DType::float64) return;
  values = to_doubles(from_doubles(dtype, {static_cast<std::int64_t>(values.size())}, values));
}

// ---- LayerNormalization (Ba, Kiros, Hinton 2016) and RMSNormalization (Zhang, Sennrich 2019): axes from `axis` on

Result<std::vector<Type>> infer_layer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  Type statistics = Type::tensor(stash_type(args.node));
  if (in.shape) {
    EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -1), static_cast<int>(in.shape->size())));
    statistics.shape = in.shape;
    std::fill(statistics.shape->begin() + axis, statistics.shape->end(), Dim::known(1));
    for (std::size_t i = 1; i < 3; ++i)
      if (args.input(i) && args.input(i)->shape)
        EDGEC_CHECK([&]() -> Status {
          const auto shape = broadcast(*in.shape, *args.input(i)->shape);
          return shape ? Status() : Status(shape.error());
        }());
  }
  std::vector<Type> types{Type::tensor(args.node.is("RMSNormalization") ? args.input(1)->dtype : in.dtype, in.shape),
                          statistics, statistics};
  types.resize(args.node.is("RMSNormalization") ? 1 : 3);
  return types;
}

Result<std::vector<RuntimeValue>> layer_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_layer));
  const Tensor &in = *args.inputs[0];
  const bool rms = args.node.is("RMSNormalization");
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -1), in.rank()));
  const std::int64_t outer = product(in.dims, 0, static_cast<std::size_t>(axis)),
                     count = product(in.dims, static_cast<std::size_t>(axis), in.dims.size());
  const double epsilon = args.node.get_float("epsilon", 1e-5F);
  auto values = to_doubles(in);
  std::vector<double> means, inverses;
  for (std::int64_t o = 0; o < outer; ++o) {
    double *row = values.data() + o * count, sum = 0, squares = 0;
    for (std::int64_t i = 0; i < count && !rms; ++i) sum += row[i];
    const double mean = sum / static_cast<double>(count);
    for (std::int64_t i = 0; i < count; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(count) + epsilon);
    for (std::int64_t i = 0; i < count; ++i) row[i] = (row[i] - mean) * inverse;
    means.push_back(mean);
    inverses.push_back(inverse);
  }
  if (in.dtype != DType::float32) round_to(in.dtype, values);
  const auto scale = to_doubles(*args.inputs[1]);
  const auto bias = args.input(2) ? to_doubles(*args.inputs[2]) : std::vector<double>{0};
  BroadcastIndex at_scale(args.inputs[1]->dims, in.dims),
      at_bias(args.input(2) ? args.inputs[2]->dims : Dims{}, in.dims);
  for (double &value : values) value = value * scale[at_scale.next()] + bias[at_bias.next()];
  auto outputs = one(from_doubles(types[0].dtype, in.dims, values));
  if (rms) return outputs;
  outputs.emplace_back(from_doubles(types[1].dtype, *types[1].concrete(), means));
  outputs.emplace_back(from_doubles(types[2].dtype, *types[2].concrete(), inverses));
  return outputs;
}

// ---- InstanceNormalization, GroupNormalization: groups of channels of each sample

Result<std::vector<Type>> infer_groups(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &in = *args.input(0);
  if (in.shape && in.shape->size() < 2)
    return bad_input(fmt::format("the operand has rank {}, expected at least 2", in.shape->size()));
  return infer_same(args);
}

Result<std::vector<RuntimeValue>> groups_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_groups));
  const Tensor &in = *args.inputs[0];
  const std::int64_t batch = in.dims[0], channels = in.dims[1], area = product(in.dims, 2, in.dims.size());
  const std::int64_t groups = args.node.is("InstanceNormalization") ? channels : args.node.get_int("num_groups", 0);
  if (groups < 1 || channels % groups != 0)
    return bad_input(fmt::format("{} channels do not divide into {} groups", channels, groups));
  const auto scale = to_doubles(*args.inputs[1]), bias = to_doubles(*args.inputs[2]);
  const auto count = static_cast<std::int64_t>(scale.size()); // GroupNormalization-18 has one a group
  if (scale.size() != bias.size() || (count != channels && count != groups))
    return bad_input(fmt::format("{} scales for {} channels", count, channels));
  const double epsilon = args.node.get_float("epsilon", 1e-5F);
  auto values = to_doubles(in);
  const std::int64_t size = channels / groups * area;
  for (std::int64_t g = 0; g < batch * groups; ++g) {
    double *row = values.data() + g * size, sum = 0, squares = 0;
    for (std::int64_t i = 0; i < size; ++i) sum += row[i];
    const double mean = sum / static_cast<double>(size);
    for (std::int64_t i = 0; i < size; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t channel = g % groups * (channels / groups) + i / area;
      const auto k = static_cast<std::size_t>(count == channels ? channel : channel / (channels / groups));
      row[i] = (row[i] - mean) * inverse * scale[k] + bias[k];
    }
  }
  return one(from_doubles(in.dtype, in.dims, values));
}

// ---- MeanVarianceNormalization, LpNormalization

Result<std::vector<RuntimeValue>> mvn_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_same));
  const Tensor &in = *args.inputs[0];
  const auto *given = args.node.get<std::vector<std::int64_t>>("axes");
  EDGEC_ASSIGN(const auto axes, normalize_axes(given ? *given : std::vector<std::int64_t>{0, 2, 3}, in.rank()));
  const auto steps = strides(in.dims);
  // Elements of one group share the index along all other axes.
  std::vector<std::size_t> group(static_cast<std::size_t>(in.size()));
  std::size_t groups = 1;
  for (std::size_t k = 0; k < in.dims.size(); ++k) {
    if (std::ranges::find(axes, static_cast<int>(k)) != axes.end()) continue;
    for (std::size_t i = 0; i < group.size(); ++i)
      group[i] = group[i] * static_cast<std::size_t>(in.dims[k]) +
                 static_cast<std::size_t>(static_cast<std::int64_t>(i) / steps[k] % in.dims[k]);
    groups *= static_cast<std::size_t>(in.dims[k]);
  }
  auto values = to_doubles(in);
  std::vector<double> sum(groups), squares(groups), count(groups);
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum[group[i]] += values[i];
    squares[group[i]] += values[i] * values[i];
    count[group[i]] += 1;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t g = group[i];
    const double mean = sum[g] / count[g];
    values[i] = (values[i] - mean) / (std::sqrt(std::max(0.0, squares[g] / count[g] - mean * mean)) + 1e-9);
  }
  return one(from_doubles(in.dtype, in.dims, values));
}

Result<std::vector<RuntimeValue>> lp_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_same));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -1), in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t p = args.node.get_int("p", 2), count = in.dims[at],
                     inner = product(in.dims, at + 1, in.dims.size());
  if (p != 1 && p != 2) return bad_input(fmt::format("p is {}, expected 1 or 2", p));
  auto values = to_doubles(in);
  for (std::int64_t o = 0; o < product(in.dims, 0, at); ++o)
    for (std::int64_t i = 0; i < inner; ++i) {
      double *row = values.data() + o * count * inner + i, norm = 0;
      for (std::int64_t k = 0; k < count; ++k)
        norm += p == 1 ? std::abs(row[k * inner]) : row[k * inner] * row[k * inner];
      if (p == 2) norm = std::sqrt(norm);
      for (std::int64_t k = 0; k < count; ++k) row[k * inner] = norm == 0 ? 0 : row[k * inner] / norm;
    }
  return one(from_doubles(in.dtype, in.dims, values));
}

// ---- LRN (Krizhevsky et al. 2012): x / (bias + alpha / size * sum of squares of `size` neighbouring channels)^beta

Result<std::vector<RuntimeValue>> lrn_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_same));
  const Tensor &in = *args.inputs[0];
  if (in.rank() < 2) return bad_input(fmt::format("the operand has rank {}, expected at least 2", in.rank()));
  const std::int64_t size = args.node.get_int("size", 0), channels = in.dims[1],
                     area = product(in.dims, 2, in.dims.size());
  if (size < 1) return bad_input(fmt::format("a size of {}", size));
  const double alpha = args.node.get_float("alpha", 1e-4F), beta = args.node.get_float("beta", 0.75F),
               bias = args.node.get_float("bias", 1);
  const auto x = to_doubles(in);
  std::vector<double> out(x.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t channel = at / area % channels;
    double squares = 0;
    for (std::int64_t c = std::max<std::int64_t>(0, channel - (size - 1) / 2);
         c <= std::min(channels - 1, channel + size / 2); ++c) {
      const double value = x[static_cast<std::size_t>(at + (c - channel) * area)];
      squares += value * value;
    }
    out[i] = x[i] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
  }
  return one(from_doubles(in.dtype, in.dims, out));
}

OpDef normalizing(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                  decltype(OpDef::reference) reference) {
  return {.name = name, .since = since, .summary = summary, .infer = infer, .reference = reference};
}

const OpDef defs[] = {
    normalizing("GroupNormalization", 18, "groups of channels made zero mean and unit variance", infer_groups,
                groups_reference),
    normalizing("InstanceNormalization", 1, "channels of each sample made zero mean and unit variance", infer_groups,
                groups_reference),
    normalizing("LayerNormalization", 17, "the last axes made zero mean and unit variance", infer_layer,
                layer_reference),
    normalizing("LpNormalization", 1, "an axis divided by its norm", infer_same, lp_reference),
    normalizing("LRN", 1, "divided by the local response of neighbouring channels", infer_same, lrn_reference),
    normalizing("MeanVarianceNormalization", 9, "axes made zero mean and unit variance", infer_same, mvn_reference),
    normalizing("RMSNormalization", 23, "the last axes divided by their root mean square", infer_layer,
                layer_reference),
};

} // namespace

std::span<const OpDef> normalization() { return defs; }

} // namespace edgec::ops
