// Resize and Upsample: interpolation along axes (ONNX Resize-19, whose attributes older versions lack).
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernels/fast/dispatch.h"
#include "ops/shared/move.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

struct Operands {
  std::optional<std::vector<double>> scales;
  std::optional<std::vector<std::int64_t>> sizes;
  std::vector<double> roi;
  bool known = true; ///< what is given is known
};

std::optional<std::vector<double>> known_reals(const InferArgs &args, std::size_t i) {
  const Tensor *tensor = args.constant(i);
  if (!tensor) return std::nullopt;
  return to_doubles(*tensor);
}

bool is_upsample(const Node &node) { return node.op == "Upsample"; }

/// Opset 10 and Upsample have (X, scales), later ones (X, roi, scales, sizes); Upsample-7 an attribute.
Operands operands(const InferArgs &args) {
  Operands found;
  if (const auto *attribute = args.node.get<std::vector<float>>("scales")) {
    found.scales.emplace(attribute->begin(), attribute->end());
    return found;
  }
  const bool short_form = is_upsample(args.node) || (args.opset < 11 && args.inputs.size() <= 2);
  const std::size_t scales = short_form ? 1 : 2;
  const auto empty = [&](std::size_t i) { // an empty tensor stands for none
    const Type *type = args.input(i);
    return !type || (type->shape && type->shape->size() == 1 && (*type->shape)[0].size == 0);
  };
  if (!empty(scales)) {
    found.scales = known_reals(args, scales);
    found.known = found.scales.has_value();
  } else if (!short_form && !empty(3)) {
    found.sizes = known_ints(args, 3);
    found.known = found.sizes.has_value();
  }
  if (!short_form) found.roi = known_reals(args, 1).value_or(std::vector<double>());
  return found;
}

Result<std::vector<int>> resized_axes(const Node &node, std::size_t rank) {
  if (const auto *axes = node.get<std::vector<std::int64_t>>("axes"))
    return normalize_axes(*axes, static_cast<int>(rank));
  std::vector<int> all;
  for (std::size_t i = 0; i < rank; ++i) all.push_back(static_cast<int>(i));
  return all;
}

/// How one axis is resized.
struct AxisPlan {
  std::int64_t in = 1, out = 1;
  double scale = 1, roi_start = 0, roi_end = 1;
  double exact = 1; ///< `out` before it is rounded down, where scales are given
};

std::int64_t scaled_size(std::int64_t size, double scale) {
  return static_cast<std::int64_t>(std::floor(static_cast<double>(size) * scale));
}

/// sizes with keep_aspect_ratio_policy not_larger or not_smaller: one scale for all axes.
void keep_aspect_ratio(std::vector<AxisPlan> &plans, const std::vector<int> &axes,
                       const std::vector<std::int64_t> &sizes, bool larger) {
  double scale = larger ? 0 : INFINITY;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const double one = static_cast<double>(sizes[i]) / static_cast<double>(plans[static_cast<std::size_t>(axes[i])].in);
    scale = larger ? std::max(scale, one) : std::min(scale, one);
  }
  for (const int axis : axes) {
    AxisPlan &plan = plans[static_cast<std::size_t>(axis)];
    plan.scale = scale;
    plan.out = static_cast<std::int64_t>(std::floor(static_cast<double>(plan.in) * scale + 0.5));
    plan.exact = static_cast<double>(plan.out);
  }
}

/// Plans of all axes of an operand of `dims`; the operands are known.
Result<std::vector<AxisPlan>> plans(const Node &node, const Operands &operands, const Dims &dims) {
  std::vector<AxisPlan> found(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) found[i].in = found[i].out = dims[i];
  EDGEC_ASSIGN(const auto axes, resized_axes(node, dims.size()));
  const std::size_t given = operands.scales ? operands.scales->size() : operands.sizes ? operands.sizes->size() : 0;
  if (given != axes.size()) return bad_input(fmt::format("{} scales or sizes for {} axes", given, axes.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    AxisPlan &plan = found[static_cast<std::size_t>(axes[i])];
    if (operands.scales) {
      plan.scale = (*operands.scales)[i];
      if (!(plan.scale > 0) || !(plan.scale * static_cast<double>(plan.in) < 0x1p31))
        return bad_input(fmt::format("a scale of {}", plan.scale));
      plan.out = scaled_size(plan.in, plan.scale);
      plan.exact = static_cast<double>(plan.in) * plan.scale;
    } else {
      plan.out = (*operands.sizes)[i];
      if (plan.out < 0 || plan.out > INT32_MAX) return bad_input(fmt::format("a size of {}", plan.out));
      plan.scale = static_cast<double>(plan.out) / static_cast<double>(std::max<std::int64_t>(plan.in, 1));
      plan.exact = static_cast<double>(plan.out);
    }
    if (operands.roi.size() == axes.size() * 2) {
      plan.roi_start = operands.roi[i];
      plan.roi_end = operands.roi[i + axes.size()];
    }
  }
  const std::string policy = node.get_string("keep_aspect_ratio_policy", "stretch");
  if (operands.sizes && policy != "stretch") keep_aspect_ratio(found, axes, *operands.sizes, policy == "not_smaller");
  if (operands.scales && node.get_string("coordinate_transformation_mode", "") == "tf_crop_and_resize")
    for (AxisPlan &plan : found)
      plan.out = static_cast<std::int64_t>(
          std::floor(static_cast<double>(plan.in) * (plan.roi_end - plan.roi_start) * plan.scale));
  return found;
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  const Operands given = operands(args);
  Shape out(in.shape->size());
  const auto dims = in.concrete();
  if (given.known && dims) {
    EDGEC_ASSIGN(const auto found, plans(args.node, given, *dims));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = Dim::known(found[i].out);
  } else if (given.known && !args.node.attribute("axes") && !args.node.attribute("keep_aspect_ratio_policy")) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Dim &dim = (*in.shape)[i];
      if (given.sizes && i < given.sizes->size())
        out[i] = Dim::known((*given.sizes)[i]);
      else if (given.scales && i < given.scales->size() && (*given.scales)[i] == 1)
        out[i] = dim;
      else if (given.scales && i < given.scales->size() && dim.is_known())
        out[i] = Dim::known(scaled_size(dim.size, (*given.scales)[i]));
    }
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

// ---- weights of one axis

struct Tap {
  std::int64_t index;
  double weight;
};
using Taps = std::vector<Tap>; // of one output index; empty: the extrapolation value

double transform(const std::string &mode, const AxisPlan &plan, std::int64_t out) {
  const auto x = static_cast<double>(out), in = static_cast<double>(plan.in), size = static_cast<double>(plan.out);
  if (mode == "asymmetric") return x / plan.scale;
  if (mode == "align_corners") return plan.out == 1 ? 0 : x * (in - 1) / (plan.exact - 1);
  if (mode == "pytorch_half_pixel") return plan.out > 1 ? (x + 0.5) / plan.scale - 0.5 : 0;
  if (mode == "half_pixel_symmetric") {
    const double centre = in / 2, adjusted = size / (plan.scale * in); // the size asked for against the exact one
    return centre * (1 - adjusted) + (x + 0.5) / plan.scale - 0.5;
  }
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5) / plan.scale;
  if (mode == "tf_crop_and_resize")
    return plan.out > 1 ? plan.roi_start * (in - 1) + x * (plan.roi_end - plan.roi_start) * (in - 1) / (size - 1)
                        : 0.5 * (plan.roi_start + plan.roi_end) * (in - 1);
  return (x + 0.5) / plan.scale - 0.5; // half_pixel
}

std::int64_t nearest(double x, const std::string &mode) {
  if (mode == "floor") return static_cast<std::int64_t>(std::floor(x));
  if (mode == "ceil") return static_cast<std::int64_t>(std::ceil(x));
  if (mode == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5));
  return static_cast<std::int64_t>(std::ceil(x - 0.5)); // round_prefer_floor
}

double cubic(double x, double a) { // Keys 1981
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

struct Settings {
  std::string mode, coordinates, nearest_mode;
  double cubic_a = -0.75;
  bool exclude_outside = false, antialias = false;
  float extrapolation = 0;

  Settings(const Node &node, std::int64_t opset) : mode(node.get_string("mode", "nearest")) {
    const bool old = opset < 11 || is_upsample(node);
    coordinates = node.get_string("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
    nearest_mode = node.get_string("nearest_mode", old ? "simple" : "round_prefer_floor");
    cubic_a = node.get_float("cubic_coeff_a", -0.75F);
    exclude_outside = node.get_int("exclude_outside", 0) != 0;
    antialias = node.get_int("antialias", 0) != 0;
    extrapolation = node.get_float("extrapolation_value", 0);
  }
};

/// Opset 10 takes the element before where an axis grows, and the one behind where it shrinks (onnxruntime).
const std::string &nearest_mode(const Settings &settings, const AxisPlan &plan) {
  static const std::string up = "floor", down = "ceil";
  return settings.nearest_mode != "simple" ? settings.nearest_mode : plan.scale < 1 ? down : up;
}

Taps taps(const Settings &settings, const AxisPlan &plan, std::int64_t out) {
  const std::int64_t last = plan.in - 1;
  const double x = transform(settings.coordinates, plan, out);
  if (settings.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(last))) return {};
  if (settings.mode == "nearest")
    return {{std::clamp(nearest(x, nearest_mode(settings, plan)), std::int64_t{0}, last), 1}};
  const bool is_cubic = settings.mode == "cubic";
  // Antialiasing stretches the filter by the factor of a reduction.
  const double stretch = settings.antialias && plan.scale < 1 ? 1 / plan.scale : 1;
  const double support = (is_cubic ? 2 : 1) * stretch;
  Taps found;
  double sum = 0;
  const auto first = static_cast<std::int64_t>(std::floor(x - support)) + 1;
  for (std::int64_t i = first; static_cast<double>(i) < x + support; ++i) {
    const double distance = (static_cast<double>(i) - x) / stretch;
    const double weight = is_cubic ? cubic(distance, settings.cubic_a) : std::max(0.0, 1 - std::abs(distance));
    const bool outside = i < 0 || i > last;
    if (outside && settings.exclude_outside) continue;
    sum += weight;
    found.push_back({std::clamp(i, std::int64_t{0}, last), weight});
  }
  if (settings.exclude_outside || stretch != 1)
    for (Tap &tap : found) tap.weight /= sum;
  return found;
}

/// All there is to know of one axis that is resized.
struct AxisTaps {
  std::size_t axis;
  AxisPlan plan;
  std::vector<Taps> taps;
};

/// The axes that change, last first.
std::vector<AxisTaps> axis_taps(const Settings &settings, const std::vector<AxisPlan> &plans) {
  std::vector<AxisTaps> found;
  for (std::size_t i = plans.size(); i-- > 0;) {
    const AxisPlan &plan = plans[i];
    if (plan.in == plan.out && plan.scale == 1 && plan.roi_start == 0 && plan.roi_end == 1) continue;
    found.push_back({i, plan, {}});
    for (std::int64_t o = 0; o < plan.out; ++o) found.back().taps.push_back(taps(settings, plan, o));
  }
  return found;
}

/// Where each index comes from if every index has one source (nearest), a table an axis.
std::optional<std::vector<std::vector<std::int64_t>>> sources(const std::vector<AxisPlan> &plans,
                                                              const std::vector<AxisTaps> &axes) {
  std::vector<std::vector<std::int64_t>> tables(plans.size());
  for (std::size_t i = 0; i < plans.size(); ++i)
    for (std::int64_t k = 0; k < plans[i].in; ++k) tables[i].push_back(k);
  for (const AxisTaps &axis : axes) {
    tables[axis.axis].clear();
    for (const Taps &one : axis.taps) {
      if (one.size() != 1 || one[0].weight != 1) return std::nullopt;
      tables[axis.axis].push_back(one[0].index);
    }
  }
  return tables;
}

/// Interpolates along one axis: in [outer, plan.in, inner] to [outer, plan.out, inner].
template <class T>
EDGEC_INLINE inline void resize_axis(const T *in, T *out, const AxisTaps &axis, T extrapolation, std::int64_t inner,
                                     std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t n = row / axis.plan.out;
    const Taps &weights = axis.taps[static_cast<std::size_t>(row % axis.plan.out)];
    T *to = out + row * inner;
    for (std::int64_t k = 0; k < inner; ++k) to[k] = weights.empty() ? extrapolation : T{0};
    for (const Tap &tap : weights) {
      const T weight = static_cast<T>(tap.weight);
      const T *from = in + (n * axis.plan.in + tap.index) * inner;
      for (std::int64_t k = 0; k < inner; ++k) to[k] += weight * from[k];
    }
  }
}

template <class T>
std::vector<T> interpolate(std::vector<T> values, Dims dims, const std::vector<AxisTaps> &axes, float extrapolation) {
  for (const AxisTaps &axis : axes) {
    const std::int64_t outer = product(dims, 0, axis.axis), inner = product(dims, axis.axis + 1, dims.size());
    std::vector<T> out(static_cast<std::size_t>(outer * axis.plan.out * inner));
    resize_axis(values.data(), out.data(), axis, static_cast<T>(extrapolation), inner, 0, outer * axis.plan.out);
    values = std::move(out);
    dims[axis.axis] = axis.plan.out;
  }
  return values;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  const Settings settings(args.node, args.opset);
  EDGEC_ASSIGN(const auto found, plans(args.node, operands(ConcreteArgs(args)), in.dims));
  const Dims dims = *types[0].concrete();
  if (element_count(dims) == 0) return one(Tensor{in.dtype, dims, {}, nullptr});
  if (in.size() == 0) return bad_input("an operand without elements cannot be resized");
  const auto axes = axis_taps(settings, found);
  if (const auto tables = sources(found, axes)) {
    const Cells cells(in);
    auto out = cells.space(dims);
    copy_by_tables(cells.data(), in.dims, *tables, nullptr, out.data(), cells.width());
    return one(cells.finish(dims, std::move(out)));
  }
  Dims between = in.dims; // no result on the way may be too large either
  for (const AxisTaps &axis : axes) {
    between[axis.axis] = axis.plan.out;
    EDGEC_CHECK(check_size(DType::float64, between));
  }
  if (in.dtype == DType::float32)
    return one(Tensor::of(dims, interpolate(to_floats(in), in.dims, axes, settings.extrapolation)));
  auto values = interpolate(to_doubles(in), in.dims, axes, settings.extrapolation);
  if (is_integer(in.dtype)) // as onnxruntime: interpolated integers are truncated
    for (double &value : values) value = std::trunc(value);
  return one(from_doubles(in.dtype, dims, values));
}

Kernel nearest_kernel(const PrepareArgs &args, std::vector<std::vector<std::int64_t>> tables) {
  const Layout layout = args.layouts[0];
  if (layout == Layout::channels_last && tables.size() > 2)
    std::rotate(tables.begin() + 1, tables.begin() + 2, tables.end());
  Kernel kernel{{layout}, layout, 0, 0, "copy", nullptr};
  kernel.run = [tables, order = in_memory_order(*args.inputs[0]->concrete(), layout),
                width = static_cast<std::size_t>(bits(args.inputs[0]->dtype)) / 8,
                threads = args.threads](const KernelIo &io) {
    copy_by_tables(io.inputs[0], order, tables, nullptr, io.outputs[0], width, threads);
  };
  return kernel;
}

/// One pass an axis, between the result and a buffer in the scratch.
Kernel interpolating_kernel(const PrepareArgs &args, std::vector<AxisTaps> axes, float extrapolation) {
  const Layout layout = args.layouts[0];
  Dims dims = *args.inputs[0]->concrete();
  struct Pass {
    AxisTaps axis;
    std::int64_t rows, inner;
  };
  std::vector<Pass> passes;
  std::size_t largest = 0;
  for (AxisTaps &axis : axes) {
    dims[axis.axis] = axis.plan.out;
    const Dims order = in_memory_order(dims, layout);
    std::size_t at = axis.axis;
    if (layout == Layout::channels_last && dims.size() > 2 && at > 0) at = at == 1 ? dims.size() - 1 : at - 1;
    passes.push_back({std::move(axis), product(order, 0, at + 1), product(order, at + 1, order.size())});
    largest = std::max(largest, (static_cast<std::size_t>(*element_count(dims)) * sizeof(float) + 63) / 64 * 64);
  }
  Kernel kernel{{layout}, layout, 2 * largest, 0, "vector", nullptr};
  kernel.run = [passes, largest, extrapolation, how = Run{args.isa, args.threads}](const KernelIo &io) {
    const auto *from = reinterpret_cast<const float *>(io.inputs[0]);
    for (std::size_t i = 0; i < passes.size(); ++i) {
      const Pass &pass = passes[i];
      auto *to = reinterpret_cast<float *>(i + 1 == passes.size() ? io.outputs[0] : io.scratch + largest * (i % 2));
      fast::dispatch(how, pass.rows, std::max<std::int64_t>(1, 8192 / pass.inner),
                     [from, to, &pass, extrapolation](std::int64_t first, std::int64_t last)
                         EDGEC_INLINE { resize_axis(from, to, pass.axis, extrapolation, pass.inner, first, last); });
      from = to;
    }
  };
  return kernel;
}

Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || !args.outputs[0]) return unsupported("no operand");
  const InferArgs known{.node = args.node, .opset = args.opset, .inputs = args.inputs, .constants = args.constants};
  const Operands given = operands(known);
  if (!given.known || (args.input(1) && args.inputs.size() > 2 && !args.constant(1)))
    return unsupported("sizes that are not constants");
  const Dims dims = *args.inputs[0]->concrete();
  if (element_count(dims) == 0) return unsupported("an operand without elements");
  EDGEC_ASSIGN(const auto found, plans(args.node, given, dims));
  const Settings settings(args.node, args.opset);
  auto axes = axis_taps(settings, found);
  if (args.inputs[0]->quant == args.outputs[0]->quant)
    if (auto tables = sources(found, axes)) return nearest_kernel(args, std::move(*tables));
  if (args.inputs[0]->quant || args.outputs[0]->quant) return through_floats(args, prepare);
  if (!is_float32(args.inputs[0]) || axes.empty()) return unsupported("only float32");
  return interpolating_kernel(args, std::move(axes), settings.extrapolation);
}

/// An axis that keeps its size stays as it is, unless a part of it is cropped.
Axes axes(const AxisArgs &args) {
  if (args.node.get_string("coordinate_transformation_mode", "") == "tf_crop_and_resize") return {};
  return first_operand_axes(args);
}

/// Sizes that are spelled out, those of cut axes among them.
Result<Recut> recut(const CutArgs &args) {
  Recut out;
  if (is_upsample(args.node) || !args.input(0)->shape) return out;
  auto sizes = known_ints(args, 3);
  if (!sizes) return out;
  EDGEC_ASSIGN(const auto axes, resized_axes(args.node, args.input(0)->shape->size()));
  for (std::size_t i = 0; i < axes.size() && i < sizes->size(); ++i)
    if (const AxisCut *cut = args.cut(true, 0, axes[i])) (*sizes)[i] = static_cast<std::int64_t>(cut->kept.size());
  out.operands.emplace_back(3, row_of(std::move(*sizes)));
  return out;
}

OpDef resize_op(std::string_view name, int since) {
  return {.name = name,
          .since = since,
          .summary = "axes scaled by interpolation",
          .quant = QuantRule::same_scale,
          .infer = infer,
          .reference = reference,
          .prepare = prepare,
          .axes = axes,
          .recut = recut};
}

const OpDef defs[] = {resize_op("Resize", 10), resize_op("Upsample", 7)};

} // namespace

std::span<const OpDef> resize() { return defs; }

} // namespace edgec::ops
