// LpPool, MaxUnpool, Col2Im, DeformConv: windows beside those of convolutions and pools.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"
#include "ops/shared/window.h"

namespace edgec::ops {
namespace {

/// Calls f(index) for every index of an array of `dims`, in order.
template <class F>
void for_each_index(const Dims &dims, F f) {
  if (element_count(dims).value_or(0) == 0) return;
  Dims at(dims.size(), 0);
  while (true) {
    f(at);
    std::size_t axis = dims.size();
    while (axis > 0 && ++at[axis - 1] == dims[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

Result<std::size_t> spatial_rank(const Type &type) {
  if (type.shape->size() < 3)
    return bad_input(fmt::format("an operand of rank {}, expected at least 3", type.shape->size()));
  return type.shape->size() - 2;
}

// ---- LpPool, GlobalLpPool: (sum |x|^p)^(1/p)

Result<std::vector<Type>> infer_lp(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const std::size_t rank, spatial_rank(in));
  Shape out(in.shape->begin(), in.shape->begin() + 2);
  if (args.node.is("GlobalLpPool")) {
    out.insert(out.end(), rank, Dim::known(1));
    return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
  }
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, rank));
  EDGEC_ASSIGN(const Shape spatial, window_output(spec, std::span(*in.shape).subspan(2)));
  out.insert(out.end(), spatial.begin(), spatial.end());
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

/// Where a window over `in` begins and how it goes on.
struct Slide {
  std::int64_t size, stride, dilation, pad;
};

Result<std::vector<Slide>> slides(const Node &node, const Dims &dims) {
  std::vector<Slide> found;
  if (node.is("GlobalLpPool")) {
    for (std::size_t i = 2; i < dims.size(); ++i) found.push_back({dims[i], 1, 1, 0});
    return found;
  }
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(node, dims.size() - 2));
  for (std::size_t i = 0; i < spec.rank(); ++i) {
    EDGEC_ASSIGN(const Window window, place_window(spec, i, dims[i + 2]));
    found.push_back({spec.kernel[i], spec.stride[i], spec.dilation[i], window.pad_begin});
  }
  return found;
}

Result<std::vector<RuntimeValue>> lp_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_lp));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const auto windows, slides(args.node, in.dims));
  const auto p = static_cast<double>(args.node.get_int("p", 2));
  if (p < 1) return bad_input(fmt::format("p is {}", p));
  const Dims dims = *types[0].concrete();
  const auto x = to_doubles(in);
  const auto steps = strides(in.dims);
  Dims kernel;
  for (const Slide &window : windows) kernel.push_back(window.size);
  std::vector<double> out;
  for_each_index(dims, [&](const Dims &at) {
    double sum = 0;
    for_each_index(kernel, [&](const Dims &k) {
      std::int64_t from = at[0] * steps[0] + at[1] * steps[1];
      for (std::size_t i = 0; i < k.size(); ++i) {
        const std::int64_t position = at[i + 2] * windows[i].stride - windows[i].pad + k[i] * windows[i].dilation;
        if (position < 0 || position >= in.dims[i + 2]) return;
        from += position * steps[i + 2];
      }
      sum += std::pow(std::abs(x[static_cast<std::size_t>(from)]), p);
    });
    out.push_back(std::pow(sum, 1 / p));
  });
  return one(from_doubles(types[0].dtype, dims, out));
}

// ---- MaxUnpool: elements put where MaxPool's indices say they came from

Result<std::vector<Type>> infer_unpool(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const std::size_t rank, spatial_rank(in));
  Shape out(in.shape->size());
  if (const auto wanted = args.input(2) ? known_ints(args, 2) : std::nullopt; wanted) {
    if (wanted->size() != out.size())
      return bad_input(fmt::format("an output shape of {} numbers for rank {}", wanted->size(), out.size()));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if ((*wanted)[i] < 0) return bad_input("a negative output size");
      out[i] = Dim::known((*wanted)[i]);
    }
  } else if (!args.input(2)) {
    EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, rank));
    out[0] = (*in.shape)[0];
    out[1] = (*in.shape)[1];
    for (std::size_t i = 0; i < rank; ++i)
      if (const Dim &dim = (*in.shape)[i + 2]; dim.is_known())
        out[i + 2] = Dim::known(std::max<std::int64_t>(
            (dim.size - 1) * spec.stride[i] + spec.kernel[i] - spec.pad_begin[i] - spec.pad_end[i], 0));
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> unpool_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_unpool));
  const Tensor &in = *args.inputs[0], &index = *args.inputs[1];
  if (index.dims != in.dims) return bad_input("indices and elements have different shapes");
  Dims dims = *types[0].concrete();
  // The indices count in the shape that the attributes give, also where another output shape is asked for.
  Dims counted = in.dims;
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, in.dims.size() - 2));
  for (std::size_t i = 0; i < spec.rank(); ++i)
    counted[i + 2] = (in.dims[i + 2] - 1) * spec.stride[i] + spec.kernel[i] - spec.pad_begin[i] - spec.pad_end[i];
  const auto to = to_int64s(index), from_steps = strides(counted), to_steps = strides(dims);
  std::vector<std::int64_t> sources(static_cast<std::size_t>(*element_count(dims)), -1);
  for (std::size_t i = 0; i < to.size(); ++i) {
    std::int64_t rest = to[i], place = 0;
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      const std::int64_t at = rest / from_steps[axis];
      if (rest < 0 || at >= counted[axis] || at >= dims[axis])
        return bad_input(fmt::format("index {} lies outside the output", to[i]));
      rest %= from_steps[axis];
      place += at * to_steps[axis];
    }
    sources[static_cast<std::size_t>(place)] = static_cast<std::int64_t>(i);
  }
  return one(take_elements(in, dims, sources));
}

// ---- Col2Im: [batch, channels * block, blocks] added up to [batch, channels, ...image]

struct Columns {
  Dims image, block, strides, dilations, pads;
};

std::optional<Columns> columns(const InferArgs &args) {
  const auto image = known_ints(args, 1), block = known_ints(args, 2);
  if (!image || !block) return std::nullopt;
  const auto list = [&](std::string_view name, std::size_t count, std::int64_t otherwise) {
    auto found = args.node.get_ints(name);
    found.resize(count, otherwise);
    return found;
  };
  return Columns{*image, *block, list("strides", image->size(), 1), list("dilations", image->size(), 1),
                 list("pads", 2 * image->size(), 0)};
}

Result<std::vector<Type>> infer_col2im(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &in = *args.input(0);
  if (in.shape && in.shape->size() != 3)
    return bad_input(fmt::format("the operand has rank {}, not 3", in.shape->size()));
  const auto found = columns(args);
  if (!found) return std::vector<Type>{Type::tensor(in.dtype)};
  if (found->image.size() != found->block.size() || found->image.empty())
    return bad_input("image and block have different ranks");
  for (const auto *list : {&found->image, &found->block, &found->strides, &found->dilations})
    if (std::ranges::any_of(*list, [](std::int64_t size) { return size < 1 || size > INT32_MAX; }))
      return bad_input("sizes must be positive");
  const auto block = element_count(found->block);
  if (!block) return bad_input("the block is too large");
  Shape out(2);
  if (in.shape) {
    out[0] = (*in.shape)[0];
    const Dim &rows = (*in.shape)[1];
    if (rows.is_known() && rows.size % *block != 0)
      return bad_input(fmt::format("{} rows do not divide into blocks of {}", rows.size, *block));
    if (rows.is_known()) out[1] = Dim::known(rows.size / *block);
  }
  for (const std::int64_t size : found->image) out.push_back(Dim::known(size));
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> col2im_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_col2im));
  const Tensor &in = *args.inputs[0];
  const Columns c = *columns(ConcreteArgs(args));
  const std::size_t rank = c.image.size();
  Dims blocks; // along each axis
  for (std::size_t i = 0; i < rank; ++i)
    blocks.push_back(std::max<std::int64_t>(
        0, (c.image[i] + c.pads[i] + c.pads[i + rank] - c.dilations[i] * (c.block[i] - 1) - 1) / c.strides[i] + 1));
  if (element_count(blocks) != in.dims[2])
    return bad_input(fmt::format("{} blocks, {} fit the image", in.dims[2], element_count(blocks).value_or(0)));
  const Dims dims = *types[0].concrete();
  const auto x = to_doubles(in);
  const auto steps = strides(c.image);
  const std::int64_t area = *element_count(c.image);
  std::vector<double> out(static_cast<std::size_t>(*element_count(dims)));
  std::size_t from = 0;
  for (std::int64_t plane = 0; plane < dims[0] * dims[1]; ++plane)
    for_each_index(c.block, [&](const Dims &k) {
      for_each_index(blocks, [&](const Dims &b) {
        const double value = x[from++];
        std::int64_t to = plane * area;
        for (std::size_t i = 0; i < rank; ++i) {
          const std::int64_t at = b[i] * c.strides[i] - c.pads[i] + k[i] * c.dilations[i];
          if (at < 0 || at >= c.image[i]) return;
          to += at * steps[i];
        }
        out[static_cast<std::size_t>(to)] += value;
      });
    });
  return one(from_doubles(types[0].dtype, dims, out));
}

// ---- DeformConv (Dai et al. 2017), two axes: each tap of the kernel reads at an offset of its own, times a mask

Result<std::vector<Type>> infer_deform(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &in = *args.input(0), &weight = *args.input(1);
  if (!in.shape || !weight.concrete()) return std::vector<Type>{Type::tensor(in.dtype)};
  const Dims w = *weight.concrete();
  if (in.shape->size() != 4 || w.size() != 4) return unsupported("DeformConv over other than two axes");
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, 2, std::span(w).subspan(2)));
  EDGEC_ASSIGN(const Shape spatial, window_output(spec, std::span(*in.shape).subspan(2)));
  return std::vector<Type>{Type::tensor(in.dtype, Shape{(*in.shape)[0], Dim::known(w[0]), spatial[0], spatial[1]})};
}

/// Interpolated between the four pixels around; 0 outside.
double bilinear(const double *x, std::int64_t height, std::int64_t width, double row, double column) {
  if (!(row > -1) || !(row < static_cast<double>(height)) || !(column > -1) || !(column < static_cast<double>(width)))
    return 0;
  const double top = std::floor(row), left = std::floor(column), fy = row - top, fx = column - left;
  const auto at = [&](double y, double c) {
    return y < 0 || c < 0 || y >= static_cast<double>(height) || c >= static_cast<double>(width)
               ? 0
               : x[static_cast<std::int64_t>(y) * width + static_cast<std::int64_t>(c)];
  };
  return (1 - fy) * ((1 - fx) * at(top, left) + fx * at(top, left + 1)) +
         fy * ((1 - fx) * at(top + 1, left) + fx * at(top + 1, left + 1));
}

Result<std::vector<RuntimeValue>> deform_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_deform));
  const Tensor &in = *args.inputs[0], &weight = *args.inputs[1], &offsets = *args.inputs[2];
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, 2, std::span(weight.dims).subspan(2)));
  const Dims dims = *types[0].concrete(), &d = in.dims, &w = weight.dims;
  const std::int64_t groups = args.node.get_int("group", 1), parts = args.node.get_int("offset_group", 1),
                     taps = w[2] * w[3], area = dims[2] * dims[3];
  if (groups < 1 || parts < 1 || d[1] != w[1] * groups || w[0] % groups != 0 || d[1] % parts != 0)
    return bad_input("channels do not divide into groups");
  if (offsets.dims != Dims{d[0], parts * taps * 2, dims[2], dims[3]})
    return bad_input("the offsets do not fit the output");
  const Tensor *mask = args.input(4);
  if (mask && mask->dims != Dims{d[0], parts * taps, dims[2], dims[3]})
    return bad_input("the mask does not fit the output");
  if (args.input(3) && args.inputs[3]->dims != Dims{w[0]}) return bad_input("the bias does not fit the weight");
  const auto x = to_doubles(in), f = to_doubles(weight), o = to_doubles(offsets),
             m = mask ? to_doubles(*mask) : std::vector<double>(),
             bias = args.input(3) ? to_doubles(*args.inputs[3]) : std::vector<double>(static_cast<std::size_t>(w[0]));
  std::vector<double> out(static_cast<std::size_t>(*element_count(dims)));
  std::vector<double> column(static_cast<std::size_t>(d[1] * taps)); // what all taps read for one output pixel
  for (std::int64_t n = 0; n < dims[0]; ++n)
    for (std::int64_t p = 0; p < area; ++p) {
      for (std::int64_t c = 0; c < d[1]; ++c)
        for (std::int64_t k = 0; k < taps; ++k) {
          const std::int64_t part = c / (d[1] / parts), tap = (n * parts + part) * taps + k;
          const double row =
              static_cast<double>(p / dims[3] * spec.stride[0] - spec.pad_begin[0] + k / w[3] * spec.dilation[0]) +
              o[static_cast<std::size_t>(2 * tap * area + p)];
          const double at =
              static_cast<double>(p % dims[3] * spec.stride[1] - spec.pad_begin[1] + k % w[3] * spec.dilation[1]) +
              o[static_cast<std::size_t>((2 * tap + 1) * area + p)];
          const double value = bilinear(x.data() + (n * d[1] + c) * d[2] * d[3], d[2], d[3], row, at);
          column[static_cast<std::size_t>(c * taps + k)] =
              mask ? value * m[static_cast<std::size_t>(tap * area + p)] : value;
        }
      for (std::int64_t c = 0; c < w[0]; ++c) {
        const std::int64_t first = c / (w[0] / groups) * w[1] * taps;
        double sum = bias[static_cast<std::size_t>(c)];
        for (std::int64_t i = 0; i < w[1] * taps; ++i)
          sum += f[static_cast<std::size_t>(c * w[1] * taps + i)] * column[static_cast<std::size_t>(first + i)];
        out[static_cast<std::size_t>((n * w[0] + c) * area + p)] = sum;
      }
    }
  return one(from_doubles(types[0].dtype, dims, out));
}

OpDef windowed(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
               decltype(OpDef::reference) reference) {
  return {.name = name, .since = since, .summary = summary, .infer = infer, .reference = reference};
}

const OpDef defs[] = {
    windowed("LpPool", 1, "p-norm of each window", infer_lp, lp_reference),
    windowed("GlobalLpPool", 1, "p-norm of each channel", infer_lp, lp_reference),
    windowed("MaxUnpool", 9, "elements put back where MaxPool took them", infer_unpool, unpool_reference),
    windowed("Col2Im", 18, "blocks added up to an image", infer_col2im, col2im_reference),
    windowed("DeformConv", 19, "convolution at learned offsets", infer_deform, deform_reference),
};

} // namespace

std::span<const OpDef> sliding() { return defs; }

} // namespace edgec::ops
