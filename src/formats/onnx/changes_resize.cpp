// Upsample of opsets 7 and 9, Resize of opsets 10, 11, 13, 18 and 19: operands move, and what they mean by default.
#include <algorithm>
#include <cmath>

#include "formats/onnx/opset_change.h"

namespace edgec::proto {
namespace {

constexpr std::size_t roi_operand = 1, scales_operand = 2, sizes_operand = 3; // of opset 11 and later

std::string coordinates(const Node &node) { return node.get_string("coordinate_transformation_mode", "half_pixel"); }

bool is_nearest(const Node &node) { return node.get_string("mode", "nearest") == "nearest"; }

Tensor no_floats() { return Tensor::of(Dims{0}, std::vector<float>{}); }

/// (X, roi, scales): an empty region, and scales that are no smaller, or no larger, than one.
void set_scales(const OpsetChange &at, ValueId scales) {
  at.graph.set_input(at.id, scales_operand, scales);
  at.graph.set_input(at.id, roi_operand, at.graph.add_constant(no_floats()));
}

/// Upsample is Resize of opset 10 by another name.
Status upsample_to_resize(const OpsetChange &at) {
  if (const std::string mode = at.node().get_string("mode", ""); mode == "bilinear")
    at.graph.set_attribute(at.id, "mode", std::string("linear"));
  at.graph.set_op(at.id, "Resize");
  return {};
}

Status resize_to_upsample(const OpsetChange &at) {
  const Tensor *scales = at.constant(1);
  if (!scales || std::ranges::any_of(to_floats(*scales), [](float scale) { return scale < 1; }))
    return unsupported("node " + at.node().label() +
                       ": Resize came with opset 10, and Upsample before it only takes constant scales from 1 on");
  at.graph.set_op(at.id, "Upsample");
  return {};
}

/// Resize of opset 10 has its origin in a corner. The nearest element is the one before where an axis grows, and the
/// one behind where it shrinks, as in onnxruntime: two operators where both may be.
Status spell_old_coordinates(const OpsetChange &at) {
  const ValueId scales = at.node().input(1);
  const Tensor *known = at.constant(1);
  std::vector<float> grows, shrinks;
  for (const float scale : known ? to_floats(*known) : std::vector<float>()) {
    grows.push_back(std::max(scale, 1.0F));
    shrinks.push_back(std::min(scale, 1.0F));
  }
  const auto changes = [&](const std::vector<float> &factors) {
    return !known || std::ranges::any_of(factors, [](float f) { return f != 1; });
  };
  at.graph.set_attribute(at.id, "coordinate_transformation_mode", std::string("asymmetric"));
  if (!is_nearest(at.node())) {
    set_scales(at, scales);
    return {};
  }
  const bool both = changes(grows) && changes(shrinks);
  at.graph.set_attribute(at.id, "nearest_mode", std::string(changes(shrinks) ? "ceil" : "floor"));
  set_scales(at, scales);
  if (!both) return {};
  const auto count = static_cast<std::int64_t>(grows.size());
  const ValueId one = at.graph.add_constant(Tensor::scalar(1.0F));
  const ValueId growing = known ? at.graph.add_constant(Tensor::of({count}, grows))
                                : at.put("Max", {scales, one}, {}, at.graph.value(scales).type);
  const ValueId shrinking = known ? at.graph.add_constant(Tensor::of({count}, shrinks))
                                  : at.put("Min", {scales, one}, {}, at.graph.value(scales).type);
  std::vector<Attribute> attributes = at.node().attributes;
  for (Attribute &attribute : attributes)
    if (attribute.name == "nearest_mode") attribute.value = std::string("floor");
  const ValueId grown = at.put("Resize", {at.node().input(0), at.node().input(roi_operand), growing},
                               std::move(attributes), Type::tensor(at.type(0).dtype));
  at.set_input(0, grown);
  at.set_input(scales_operand, shrinking);
  return {};
}

/// Scales that give these sizes and the same origins; nothing where rounding stands against it.
std::optional<std::vector<float>> scales_of(const Dims &dims, const std::vector<std::int64_t> &sizes) {
  std::vector<float> scales;
  if (dims.size() != sizes.size()) return std::nullopt;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const auto in = static_cast<double>(dims[i]), out = static_cast<double>(sizes[i]);
    constexpr std::int64_t most = 1 << 24; // whole floats
    if (std::min(dims[i], sizes[i]) < 1 || std::max(dims[i], sizes[i]) > most) return std::nullopt;
    auto scale = static_cast<float>(out / in);
    while (std::floor(in * static_cast<double>(scale)) < out ||
           std::floor(static_cast<float>(in) * scale) < static_cast<float>(out))
      scale = std::nextafter(scale, INFINITY);
    if (std::floor(in * static_cast<double>(scale)) != out) return std::nullopt;
    for (double o = 0; o < out; ++o)
      if (std::floor(o / static_cast<double>(scale)) != std::floor(o * in / out)) return std::nullopt;
    scales.push_back(scale);
  }
  return scales;
}

/// Whether the origins, counted from a corner and rounded as opset 10 does it, are those that the attributes say.
bool has_old_coordinates(const Node &node, const std::vector<float> &scales) {
  const std::string mode = coordinates(node), rounding = node.get_string("nearest_mode", "round_prefer_floor");
  const auto all = [&](auto holds) { return std::ranges::all_of(scales, holds); };
  if (!is_nearest(node)) return mode == "asymmetric" || all([](float s) { return s == 1; });
  if (mode == "asymmetric" && rounding == "floor") return all([](float s) { return s >= 1; });
  if (mode == "asymmetric" && rounding == "ceil") return all([](float s) { return s <= 1; });
  // The centre of every new element lies in the old one that it is cut from.
  const bool centres = mode == "half_pixel" && (rounding == "round_prefer_floor" || rounding == "round_prefer_ceil");
  return centres && all([](float s) { return s >= 1 && s == std::floor(s); });
}

/// (X, roi, scales, sizes) to (X, scales).
Status spell_by_defaults(const OpsetChange &at) {
  const std::string mode = at.node().get_string("mode", "nearest");
  if (mode != "nearest" && mode != "linear") return at.refuse("mode " + mode);
  std::optional<std::vector<float>> scales;
  if (!at.is_empty(scales_operand)) {
    if (const Tensor *given = at.constant(scales_operand)) scales = to_floats(*given);
  } else if (const Tensor *sizes = at.constant(sizes_operand); sizes && at.dims()) {
    scales = scales_of(*at.dims(), to_int64s(*sizes));
  }
  if (!scales) return at.refuse("scales or sizes that are not known, or that no scales give");
  if (!has_old_coordinates(at.node(), *scales))
    return at.refuse("coordinate_transformation_mode " + coordinates(at.node()) + " and nearest_mode " +
                     at.node().get_string("nearest_mode", "round_prefer_floor") + " with these scales");
  for (const char *name :
       {"coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value"})
    at.graph.remove_attribute(at.id, name);
  at.drop_inputs(1);
  const auto count = static_cast<std::int64_t>(scales->size());
  at.set_constant(1, Tensor::of({count}, std::move(*scales)));
  return {};
}

/// Opset 13 has no tf_half_pixel_for_nn: rounded down it is half_pixel, rounded to the nearest.
Status respell_centres(const OpsetChange &at) {
  if (coordinates(at.node()) != "tf_half_pixel_for_nn") return {};
  if (at.node().get_string("nearest_mode", "round_prefer_floor") != "floor" || !is_nearest(at.node()))
    return at.refuse("coordinate_transformation_mode tf_half_pixel_for_nn but with nearest_mode floor");
  at.graph.set_attribute(at.id, "coordinate_transformation_mode", std::string("half_pixel"));
  at.graph.set_attribute(at.id, "nearest_mode", std::string("round_prefer_ceil"));
  return {};
}

/// Before opset 13 the region and the scales cannot be left out, only empty.
Status put_empty_operands(const OpsetChange &at) {
  for (const std::size_t operand : {roi_operand, scales_operand})
    if (!at.has(operand)) at.set_constant(operand, no_floats());
  return {};
}

/// Scales or sizes of some axes become those of all.
Status spell_all_axes(const OpsetChange &at) {
  const auto *axes = at.node().get<std::vector<std::int64_t>>("axes");
  if (!axes) return {};
  const auto rank = at.rank();
  const bool by_scales = !at.is_empty(scales_operand);
  const Tensor *given = at.constant(by_scales ? scales_operand : sizes_operand);
  const Tensor *roi = at.is_empty(roi_operand) ? nullptr : at.constant(roi_operand);
  if (!rank || !given || (!by_scales && !at.dims()) || static_cast<std::size_t>(given->size()) != axes->size() ||
      (!at.is_empty(roi_operand) && !roi))
    return at.refuse("axes where scales, sizes or the rank are not known");
  std::vector<float> scales(static_cast<std::size_t>(*rank), 1.0F), region(2 * scales.size(), 0.0F);
  std::fill(region.begin() + *rank, region.end(), 1.0F);
  Dims sizes = by_scales ? Dims() : *at.dims();
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = static_cast<std::size_t>((*axes)[i] + ((*axes)[i] < 0 ? *rank : 0));
    if (axis >= scales.size()) return at.refuse("an axis beyond the rank");
    if (by_scales)
      scales[axis] = to_floats(*given)[i];
    else
      sizes[axis] = to_int64s(*given)[i];
    if (roi && static_cast<std::size_t>(roi->size()) == 2 * axes->size()) {
      region[axis] = to_floats(*roi)[i];
      region[axis + scales.size()] = to_floats(*roi)[i + axes->size()];
    }
  }
  const Dims wide{*rank};
  if (roi) at.set_constant(roi_operand, Tensor::of({2 * std::int64_t{*rank}}, std::move(region)));
  if (by_scales)
    at.set_constant(scales_operand, Tensor::of(wide, std::move(scales)));
  else
    at.set_constant(sizes_operand, Tensor::of(wide, std::move(sizes)));
  at.graph.remove_attribute(at.id, "axes");
  return {};
}

/// Antialiasing does nothing where nothing shrinks.
Status spell_without_new_attributes(const OpsetChange &at) {
  const Tensor *scales = at.is_empty(scales_operand) ? nullptr : at.constant(scales_operand);
  const bool grows = scales && std::ranges::all_of(to_floats(*scales), [](float s) { return s >= 1; });
  if (is_nearest(at.node()) || grows) at.graph.remove_attribute(at.id, "antialias");
  if (!at.is_empty(scales_operand)) at.graph.remove_attribute(at.id, "keep_aspect_ratio_policy"); // it speaks of sizes
  return spell_all_axes(at);
}

/// Between exact sizes half_pixel is symmetric by itself.
Status respell_symmetric(const OpsetChange &at) {
  if (coordinates(at.node()) != "half_pixel_symmetric") return {};
  if (!at.is_empty(scales_operand) || at.node().get_string("keep_aspect_ratio_policy", "stretch") != "stretch")
    return at.refuse("coordinate_transformation_mode half_pixel_symmetric with scales");
  at.graph.set_attribute(at.id, "coordinate_transformation_mode", std::string("half_pixel"));
  return {};
}

constexpr OperatorChange changes[] = {
    {"Upsample", 10, upsample_to_resize, nullptr},
    {"Resize", 10, nullptr, resize_to_upsample},
    {"Resize", 11, spell_old_coordinates, spell_by_defaults},
    {"Resize", 13, respell_centres, put_empty_operands},
    {"Resize", 18, nullptr, spell_without_new_attributes},
    {"Resize", 19, nullptr, respell_symmetric},
};

} // namespace

std::span<const OperatorChange> resize_changes() { return changes; }

} // namespace edgec::proto
