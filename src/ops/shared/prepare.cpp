#include "ops/shared/prepare.h"

#include <algorithm>
#include <cstring>

#include "ops/shared/shape.h"

namespace edgec::ops {

Dims in_memory_order(const Dims &axes, Layout layout) {
  Dims order = axes;
  if (layout == Layout::channels_last && order.size() > 2)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

std::vector<std::int64_t> strides_in(const Dims &dims, Layout layout) {
  std::vector<std::int64_t> found = strides(in_memory_order(dims, layout));
  if (layout == Layout::channels_last && found.size() > 2) std::rotate(found.begin() + 1, found.end() - 1, found.end());
  return found;
}

bool layouts_agree(const Dims &dims) { return dims.size() < 3 || dims[1] == 1 || product(dims, 2, dims.size()) == 1; }

std::optional<Codes> codes(const Type *type) {
  if (!type || !type->quant || !type->quant->is_per_tensor()) return std::nullopt;
  if (type->dtype != DType::uint8 && type->dtype != DType::int8) return std::nullopt;
  const Codes found{type->dtype, type->quant->scale(), type->quant->zero_point()};
  const IntegerRange range = integer_range(type->dtype);
  if (found.zero_point < range.low || found.zero_point > range.high) return std::nullopt;
  return found;
}

bool is_float32(const Type *type) { return type && type->is_tensor() && type->dtype == DType::float32; }

Result<Pair> pair(const PrepareArgs &args) {
  if (args.inputs.size() != 2 || !args.inputs[0] || !args.inputs[1] || !args.outputs[0])
    return unsupported("two operands only");
  const Dims out = *args.outputs[0]->concrete();
  Layout layout = Layout::plain;
  for (std::size_t k = 0; k < 2; ++k)
    if (*args.inputs[k]->concrete() == out && !layouts_agree(out) && args.layouts[k] == Layout::channels_last)
      layout = Layout::channels_last;
  std::vector<Layout> wanted;
  std::array<std::vector<std::int64_t>, 3> steps;
  for (std::size_t k = 0; k < 2; ++k) {
    const Dims dims = *args.inputs[k]->concrete();
    const bool moves = dims.size() == out.size() && !layouts_agree(dims);
    wanted.push_back(moves ? layout : Layout::plain);
    std::vector<std::int64_t> own = strides_in(dims, wanted.back());
    for (std::size_t i = 0; i < own.size(); ++i)
      if (dims[i] == 1) own[i] = 0;
    own.insert(own.begin(), out.size() - dims.size(), 0);
    steps[k] = in_memory_order(own, layout);
  }
  const Dims order = in_memory_order(out, layout);
  steps[2] = strides(order);
  return Pair{layout, std::move(wanted), Rows<3>(order, steps)};
}

namespace {

/// One operand or result of a kernel through floats.
struct Border {
  std::optional<Codes> codes;
  std::size_t offset = 0; // of the floats in the scratch
  std::int64_t count = 0;
};

} // namespace

Result<Kernel> through_floats(const PrepareArgs &args, Result<Kernel> (*prepare)(const PrepareArgs &)) {
  std::vector<Type> types;
  types.reserve(args.inputs.size() + args.outputs.size());
  std::vector<Border> borders;
  std::size_t scratch = 0;
  bool any = false;
  const auto add = [&](const Type *type) -> Result<const Type *> {
    borders.emplace_back();
    if (!type || !type->quant) return type;
    borders.back().codes = codes(type);
    if (!borders.back().codes) return unsupported("only 8-bit tensors with one scale");
    types.push_back(Type::tensor(DType::float32, type->shape));
    borders.back().offset = scratch;
    borders.back().count = *element_count(*type->concrete());
    scratch += (static_cast<std::size_t>(borders.back().count) * sizeof(float) + 63) / 64 * 64;
    any = true;
    return &types.back();
  };
  std::vector<const Type *> inputs, outputs;
  std::vector<const Tensor *> constants(args.constants.begin(), args.constants.end());
  for (std::size_t i = 0; i < args.inputs.size(); ++i) {
    EDGEC_ASSIGN(const Type *type, add(args.inputs[i]));
    inputs.push_back(type);
    if (borders.back().codes && i < constants.size()) constants[i] = nullptr;
  }
  for (const Type *wanted : args.outputs) {
    EDGEC_ASSIGN(const Type *type, add(wanted));
    outputs.push_back(type);
  }
  if (!any) return unsupported("nothing is quantized");
  PrepareArgs reals{args.node,    args.opset, inputs,      constants, outputs,
                    args.layouts, {},         args.policy, args.isa,  args.threads};
  EDGEC_ASSIGN(Kernel inner, prepare(reals));
  Kernel kernel{inner.inputs, inner.output, scratch + inner.scratch_bytes, 0, inner.description + " through floats",
                nullptr};
  kernel.run = [run = std::move(inner.run), borders, scratch, input_count = inputs.size(),
                how = Run{args.isa, args.threads}](const KernelIo &io) {
    std::vector<const std::byte *> from(io.inputs.begin(), io.inputs.end());
    std::vector<std::byte *> to(io.outputs.begin(), io.outputs.end());
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (!borders[i].codes || !from[i]) continue;
      auto *floats = reinterpret_cast<float *>(io.scratch + borders[i].offset);
      dequantize(from[i], *borders[i].codes, floats, borders[i].count, how);
      from[i] = io.scratch + borders[i].offset;
    }
    for (std::size_t i = 0; i < to.size(); ++i)
      if (borders[input_count + i].codes && to[i]) to[i] = io.scratch + borders[input_count + i].offset;
    run({from, to, io.scratch + scratch});
    for (std::size_t i = 0; i < to.size(); ++i) {
      const Border &border = borders[input_count + i];
      if (border.codes && to[i])
        quantize(reinterpret_cast<const float *>(to[i]), *border.codes, io.outputs[i], border.count, how);
    }
  };
  return kernel;
}

Result<Kernel> prepare_copy(const PrepareArgs &args) {
  const Type &in = *args.inputs[0];
  if (!args.outputs[0] || in.quant != args.outputs[0]->quant || in.dtype != args.outputs[0]->dtype)
    return unsupported("not a copy");
  Kernel kernel;
  kernel.description = "copy";
  const std::size_t bytes = byte_size(in.dtype, *element_count(*in.concrete()));
  kernel.run = [bytes](const KernelIo &io) {
    if (io.outputs[0] && bytes > 0) std::memcpy(io.outputs[0], io.inputs[0], bytes);
  };
  return kernel;
}

} // namespace edgec::ops
