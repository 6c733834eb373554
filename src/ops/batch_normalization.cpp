// BatchNormalization (Ioffe and Szegedy 2015): (x - mean) / sqrt(var + epsilon) * scale + bias along axis 1.
#include <cmath>

#include <fmt/format.h>

#include "kernels/fast/dispatch.h"
#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

bool trains(const Node &node) { return node.get_int("training_mode", 0) != 0; }

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 5));
  const Type &in = *args.input(0);
  if (in.shape && in.shape->size() >= 2) {
    const Dim &channels = (*in.shape)[1];
    for (std::size_t i = 1; i < 5; ++i) {
      const auto dims = args.input(i)->concrete();
      if (!dims || !channels.is_known() || args.node.get_int("spatial", 1) == 0) continue;
      if (dims->size() != 1 || (*dims)[0] != channels.size)
        return bad_input(fmt::format("operand {} is {}, expected one number for each of {} channels", i,
                                     to_string(*args.input(i)), channels.size));
    }
  }
  std::vector<Type> types{Type::tensor(in.dtype, in.shape)};
  if (trains(args.node) && args.opset >= 14)
    for (std::size_t i = 3; i < 5; ++i) types.push_back(Type::tensor(args.input(i)->dtype, args.input(i)->shape));
  return types;
}

struct Moments {
  std::vector<double> mean, variance;
};

/// Mean and population variance of each channel.
template <class T>
Moments moments(const Elements<T> &x, std::int64_t batch, std::int64_t channels, std::int64_t inner) {
  Moments found{std::vector<double>(static_cast<std::size_t>(channels)),
                std::vector<double>(static_cast<std::size_t>(channels))};
  const double count = static_cast<double>(batch * inner);
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto each = [&](auto &&f) {
      for (std::int64_t n = 0; n < batch; ++n)
        for (std::int64_t i = 0; i < inner; ++i)
          f(static_cast<double>(x[static_cast<std::size_t>((n * channels + c) * inner + i)]));
    };
    double sum = 0, squares = 0;
    each([&](double v) { sum += v; });
    const double mean = sum / count;
    each([&](double v) { squares += (v - mean) * (v - mean); });
    found.mean[static_cast<std::size_t>(c)] = mean;
    found.variance[static_cast<std::size_t>(c)] = squares / count;
  }
  return found;
}

Tensor running(const Tensor &before, const std::vector<double> &now, double momentum) {
  auto values = to_doubles(before);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = values[i] * momentum + now[i] * (1 - momentum);
  return from_doubles(before.dtype, before.dims, values);
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  if (args.node.get_int("spatial", 1) == 0) return unsupported("spatial=0 is not supported");
  const std::int64_t batch = in.rank() > 0 ? in.dims[0] : 1, channels = in.rank() > 1 ? in.dims[1] : 1;
  const std::int64_t inner = in.rank() > 2 ? product(in.dims, 2, in.dims.size()) : 1;
  for (std::size_t i = 1; i < 5; ++i)
    if (args.inputs[i]->size() != channels)
      return bad_input(fmt::format("operand {} has {} numbers for {} channels", i, args.inputs[i]->size(), channels));
  const double epsilon = args.node.get_float("epsilon", 1e-5F), momentum = args.node.get_float("momentum", 0.9F);
  return with_arithmetic(in.dtype, [&](auto zero) -> Result<std::vector<RuntimeValue>> {
    using T = std::conditional_t<std::is_floating_point_v<decltype(zero)>, decltype(zero), double>;
    const Elements<T> x(in);
    const auto scale = to_doubles(*args.inputs[1]), bias = to_doubles(*args.inputs[2]);
    const Moments used = trains(args.node) ? moments(x, batch, channels, inner)
                                           : Moments{to_doubles(*args.inputs[3]), to_doubles(*args.inputs[4])};
    std::vector<T> out(x.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto c = static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % channels);
      const double factor = scale[c] / std::sqrt(used.variance[c] + epsilon);
      out[i] = static_cast<T>((static_cast<double>(x[i]) - used.mean[c]) * factor + bias[c]);
    }
    auto outputs = one(make_tensor(in.dtype, in.dims, std::move(out)));
    if (trains(args.node)) {
      outputs.emplace_back(running(*args.inputs[3], used.mean, momentum));
      outputs.emplace_back(running(*args.inputs[4], used.variance, momentum));
    }
    return outputs;
  });
}

/// y = x * factor + offset a channel, where the statistics are constants.
Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || !is_float32(args.inputs[0]) || !is_float32(args.outputs[0]) ||
      args.inputs[0]->shape->size() < 2 || trains(args.node) || args.node.get_int("spatial", 1) == 0)
    return unsupported("only float32, at inference");
  std::vector<double> statistics[4];
  const Dims dims = *args.inputs[0]->concrete();
  for (std::size_t i = 0; i < 4; ++i) {
    if (!args.constant(i + 1) || args.constant(i + 1)->size() != dims[1])
      return unsupported("statistics that are not constants");
    statistics[i] = to_doubles(*args.constant(i + 1));
  }
  std::vector<float> factors, offsets;
  for (std::size_t c = 0; c < statistics[0].size(); ++c) {
    const double factor = statistics[0][c] / std::sqrt(statistics[3][c] + args.node.get_float("epsilon", 1e-5F));
    factors.push_back(static_cast<float>(factor));
    offsets.push_back(static_cast<float>(statistics[1][c] - statistics[2][c] * factor));
  }
  const Layout layout = args.layouts[0];
  const Dims order = in_memory_order(dims, layout);
  std::vector<std::int64_t> channel(dims.size(), 0);
  channel[1] = 1;
  const Rows<2> rows(order, {strides(order), in_memory_order(channel, layout)});
  Kernel kernel{{layout}, layout, 0, 0, "vector", nullptr};
  kernel.run = [factors, offsets, rows, how = Run{args.isa, args.threads}](const KernelIo &io) {
    const auto *x = reinterpret_cast<const float *>(io.inputs[0]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    const bool along = rows.steps()[1] == 1;
    rows.each(how.threads, 8192, [&](const Rows<2>::Steps &at, std::int64_t first, std::int64_t last) {
      const float *in = x + at[0], *factor = factors.data() + at[1], *offset = offsets.data() + at[1];
      float *out = y + at[0];
      fast::dispatch({how.isa, 1}, last - first, INT64_MAX, [=](std::int64_t begin, std::int64_t end) EDGEC_INLINE {
        if (along)
          for (std::int64_t i = first + begin; i < first + end; ++i) out[i] = in[i] * factor[i] + offset[i];
        else
          for (std::int64_t i = first + begin; i < first + end; ++i) out[i] = in[i] * factor[0] + offset[0];
      });
    });
  };
  return kernel;
}

const OpDef defs[] = {{.name = "BatchNormalization",
                       .since = 7,
                       .summary = "channels shifted and scaled by their statistics",
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .axes = [](const AxisArgs &args) {
                         Axes axes = first_operand_axes(args);
                         for (std::size_t i = 1; i < 5 && i < args.inputs.size(); ++i)
                           if (const auto dims = args.input(i) ? args.input(i)->concrete() : std::nullopt;
                               dims && dims->size() == 1)
                             axes.links.push_back({.input = i, .output_axis = 1, .count = (*dims)[0]});
                         return axes;
                       }}};

} // namespace

std::span<const OpDef> batch_normalization() { return defs; }

} // namespace edgec::ops
