// Layers: softmax, normalizations, pooling, recurrent layers, quantization; what opsets 9 to 23 brought them.
#include <algorithm>

#include "formats/onnx/opset_change.h"
#include "formats/onnx/window_pads.h"

namespace edgec::proto {
namespace {

/// An axis counted from the front; nothing where the rank is not known.
std::optional<std::int64_t> counted(const OpsetChange &at, std::int64_t axis) {
  const auto rank = at.rank();
  if (axis >= 0) return axis;
  return rank ? std::optional(axis + *rank) : std::nullopt;
}

/// Whether an axis is the only one from there on that has more than one element.
bool stands_alone(const OpsetChange &at, std::int64_t axis) {
  const auto rank = at.rank();
  if (!rank) return false;
  for (std::int64_t i = axis + 1; i < *rank; ++i)
    if (at.dim(static_cast<std::size_t>(i)) != 1) return false;
  return axis < *rank;
}

/// Before opset 13 all axes from that one on are taken together.
Status softmax_of_one_axis(const OpsetChange &at) {
  const std::int64_t given = at.node().get_int("axis", 1);
  const auto axis = counted(at, given);
  if ((axis && stands_alone(at, *axis)) || given == -1) {
    at.graph.set_attribute(at.id, "axis", given);
    return {};
  }
  const Type type = at.type(0), flat = Type::tensor(type.dtype, Shape(2));
  const ValueId input = at.node().input(0);
  const ValueId shape = at.put(
      "Shape", {input}, {}, Type::tensor(DType::int64, Shape{type.shape ? Dim::known(*type.rank()) : Dim::unknown()}));
  at.set_input(0, at.put("Flatten", {input}, {int_attribute("axis", given)}, flat));
  at.graph.set_attribute(at.id, "axis", std::int64_t{-1});
  at.put_after("Reshape", {shape}, {}, flat);
  return {};
}

/// From opset 13 on an axis is that one alone: it becomes the last.
Status softmax_of_last_axes(const OpsetChange &at) {
  const std::int64_t given = at.node().get_int("axis", -1);
  const auto axis = counted(at, given);
  const auto rank = at.rank();
  if (given == -1 || (axis && stands_alone(at, *axis))) {
    at.graph.set_attribute(at.id, "axis", given);
    return {};
  }
  if (!rank || *axis < 0 || *axis >= *rank) return at.refuse("an axis of an operand whose rank is not known");
  std::vector<std::int64_t> turn;
  for (int i = 0; i < *rank; ++i) turn.push_back(i);
  std::swap(turn[static_cast<std::size_t>(*axis)], turn.back());
  const Attribute perm = ints_attribute("perm", std::move(turn));
  Type turned = at.type(0);
  std::swap((*turned.shape)[static_cast<std::size_t>(*axis)], turned.shape->back());
  at.set_input(0, at.put("Transpose", {at.node().input(0)}, {perm}, turned));
  at.graph.set_attribute(at.id, "axis", std::int64_t{*rank} - 1);
  at.put_after("Transpose", {}, {perm}, turned);
  return {};
}

/// What only a training step gives.
Status refuse_statistics(const OpsetChange &at) {
  for (std::size_t i = 1; i < at.node().outputs.size(); ++i)
    if (at.is_read(i)) return at.refuse("outputs of training");
  return {};
}

/// What a mask holds where nothing is dropped was not said before opset 12, and was not a bool before opset 10. One
/// that nobody reads changes its type only.
Status refuse_mask(const OpsetChange &at) {
  if (at.is_read(1)) return at.refuse("a mask that is read");
  if (at.node().outputs.size() < 2 || !at.node().outputs[1].valid()) return {};
  Type mask = at.graph.value(at.node().outputs[1]).type;
  mask.dtype = at.to >= 10 ? DType::boolean : at.type(0).dtype;
  at.graph.set_type(at.node().outputs[1], std::move(mask));
  return {};
}

Status dropout_without_training(const OpsetChange &at) {
  EDGEC_CHECK(refuse_mask(at));
  const Tensor *training = at.constant(2);
  if (training && training->size() == 1 && to_int64s(*training)[0] == 0) at.drop_inputs(2);
  if (at.has(2)) return at.refuse("training_mode");
  at.graph.remove_attribute(at.id, "seed");
  if (at.constant(1) || !at.has(1)) return {};
  at.drop_inputs(1); // nothing is dropped, whatever the ratio
  return {};
}

/// C was not an option.
Status put_zero_summand(const OpsetChange &at) {
  const std::vector<double> zero{0};
  if (!at.has(2)) at.set_constant(2, from_doubles(at.type(0).dtype, {1}, zero));
  return {};
}

Status cast_exponent(const OpsetChange &at) {
  const DType base = at.type(0).dtype;
  if (at.type(1).dtype == base) return {};
  at.set_input(1, at.put("Cast", {at.node().input(1)}, {int_attribute("to", static_cast<std::int64_t>(base))},
                         Type::tensor(base, at.type(1).shape)));
  return {};
}

/// What ceil_mode adds at the end of an axis becomes padding, which counts as little.
Status spell_ceil_mode(const OpsetChange &at) {
  if (at.node().get_int("ceil_mode", 0) == 0) return {};
  auto pads = pads_of_windows(at.graph, at.node());
  if (!pads || at.node().get_int("count_include_pad", 0) != 0)
    return at.refuse("ceil_mode where the size is not known, padding counts, or as much is added as the kernel has");
  at.graph.set_attribute(at.id, "pads", *std::move(pads));
  at.graph.remove_attribute(at.id, "auto_pad");
  at.graph.remove_attribute(at.id, "ceil_mode");
  return {};
}

/// Before opset 19 padding that counts went as far as a window that is wider than the input.
Status change_counted_padding(const OpsetChange &at) {
  if (at.node().get_int("count_include_pad", 0) == 0 || at.node().get_int("ceil_mode", 0) != 0) return {};
  auto pads = pads_of_windows(at.graph, at.node());
  auto given = at.node().get_ints("pads");
  if (pads) given.resize(pads->size(), 0);
  if (!pads || *pads == given) return {};
  if (at.to < at.from) return at.refuse("padding that counts under a window wider than the input");
  at.graph.set_attribute(at.id, "pads", *std::move(pads));
  at.graph.remove_attribute(at.id, "auto_pad");
  return {};
}

/// Dilations of one are none.
Status drop_ones(const OpsetChange &at) {
  const auto *dilations = at.node().get<std::vector<std::int64_t>>("dilations");
  if (dilations && std::ranges::all_of(*dilations, [](std::int64_t d) { return d == 1; }))
    at.graph.remove_attribute(at.id, "dilations");
  return {};
}

Status average_without_dilations(const OpsetChange &at) {
  EDGEC_CHECK(drop_ones(at));
  return change_counted_padding(at);
}

Status pool_without_options(const OpsetChange &at) {
  EDGEC_CHECK(drop_ones(at));
  return spell_ceil_mode(at);
}

/// Before opset 16 regions were half an element off.
Status spell_region_offset(const OpsetChange &at) {
  at.graph.set_attribute(at.id, "coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

Status drop_region_offset(const OpsetChange &at) {
  const std::string mode = at.node().get_string("coordinate_transformation_mode", "half_pixel");
  if (mode != "output_half_pixel") return at.refuse("coordinate_transformation_mode " + mode);
  at.graph.remove_attribute(at.id, "coordinate_transformation_mode");
  return {};
}

Status rename_grid_modes(const OpsetChange &at) {
  const bool up = at.to > at.from;
  if (const auto rank = at.rank(); !up && (!rank || *rank != 4))
    return at.refuse("operands that are not known to have 4 axes");
  const std::string mode = at.node().get_string("mode", up ? "bilinear" : "linear");
  constexpr std::pair<std::string_view, std::string_view> names[] = {{"bilinear", "linear"}, {"bicubic", "cubic"}};
  for (const auto &[old, now] : names)
    if (mode == (up ? old : now)) at.graph.set_attribute(at.id, "mode", std::string(up ? now : old));
  return {};
}

/// Scale and bias of a group become those of its channels.
Status repeat_group_parameters(const OpsetChange &at) {
  const std::int64_t channels = at.dim(1), groups = at.node().get_int("num_groups", 1);
  if (channels < 1 || groups < 1 || channels % groups != 0) return at.refuse("groups of an unknown number of channels");
  const auto number = [&](std::vector<std::int64_t> values) {
    return at.graph.add_constant(int_row(std::move(values)));
  };
  for (const std::size_t operand : {std::size_t{1}, std::size_t{2}}) {
    const DType dtype = at.type(operand).dtype;
    const ValueId column =
        at.put("Reshape", {at.node().input(operand), number({groups, 1})}, {}, Type::tensor(dtype, Dims{groups, 1}));
    const ValueId wide = at.put("Expand", {column, number({groups, channels / groups})}, {},
                                Type::tensor(dtype, Dims{groups, channels / groups}));
    at.set_input(operand, at.put("Reshape", {wide, number({-1})}, {}, Type::tensor(dtype, Dims{channels})));
  }
  return {};
}

/// Batches before the sequence: turned round it.
Status turn_batches(const OpsetChange &at) {
  if (at.node().get_int("layout", 0) == 0) return {};
  at.graph.remove_attribute(at.id, "layout");
  const auto turned = [](const Type &type, const std::vector<std::int64_t> &perm) {
    return type.shape && type.shape->size() == perm.size()
               ? Type::tensor(type.dtype,
                              [&] {
                                Shape shape;
                                for (const std::int64_t axis : perm)
                                  shape.push_back((*type.shape)[static_cast<std::size_t>(axis)]);
                                return shape;
                              }())
               : Type::tensor(type.dtype);
  };
  for (const std::size_t operand : {std::size_t{0}, std::size_t{5}, std::size_t{6}}) {
    if (!at.has(operand)) continue;
    const std::vector<std::int64_t> perm{1, 0, 2};
    at.set_input(operand, at.put("Transpose", {at.node().input(operand)}, {ints_attribute("perm", perm)},
                                 turned(at.type(operand), perm)));
  }
  for (std::size_t output = 0; output < at.node().outputs.size(); ++output) {
    const ValueId id = at.node().outputs[output];
    if (!id.valid()) continue;
    // [batch, sequence, directions, size] comes from [sequence, directions, batch, size].
    const std::vector<std::int64_t> back =
        output == 0 ? std::vector<std::int64_t>{2, 0, 1, 3} : std::vector<std::int64_t>{1, 0, 2};
    const std::vector<std::int64_t> there = output == 0 ? std::vector<std::int64_t>{1, 2, 0, 3} : back;
    at.put_after("Transpose", {}, {ints_attribute("perm", back)}, turned(Type(at.graph.value(id).type), there), output);
  }
  return {};
}

/// Before opset 13 a scale was one number.
Status one_scale(const OpsetChange &at) {
  const auto dims = at.dims(1);
  if (!dims || element_count(*dims) != 1) return at.refuse("scales of channels");
  at.graph.remove_attribute(at.id, "axis");
  return {};
}

/// A type that is only named becomes that of a zero point.
Status name_type_by_zero_point(const OpsetChange &at) {
  const auto dtype = static_cast<DType>(at.node().get_int("output_dtype", 0));
  const auto scales = at.dims(1);
  if (!at.has(2) && dtype != DType::undefined && dtype != DType::uint8) {
    if (!scales) return at.refuse("output_dtype with scales of an unknown number");
    at.set_constant(2, from_int64s(dtype, *scales,
                                   std::vector<std::int64_t>(static_cast<std::size_t>(*element_count(*scales)), 0)));
  }
  at.graph.remove_attribute(at.id, "output_dtype");
  return {};
}

Status type_of_scale(const OpsetChange &at) {
  if (at.node().get_int("output_dtype", 0) == static_cast<std::int64_t>(at.type(1).dtype))
    at.graph.remove_attribute(at.id, "output_dtype");
  return {};
}

/// Numbers that are not tensors.
Status constant_as_tensor(const OpsetChange &at) {
  const Node &node = at.node();
  const auto row = [](std::size_t count) { return Dims{static_cast<std::int64_t>(count)}; };
  std::optional<Tensor> value;
  if (const auto *i = node.get<std::int64_t>("value_int")) value = Tensor::scalar(*i);
  if (const auto *f = node.get<float>("value_float")) value = Tensor::scalar(*f);
  if (const auto *ints = node.get<std::vector<std::int64_t>>("value_ints"))
    value = Tensor::of(row(ints->size()), *ints);
  if (const auto *floats = node.get<std::vector<float>>("value_floats"))
    value = Tensor::of(row(floats->size()), *floats);
  if (const auto *text = node.get<std::string>("value_string")) value = Tensor::of_strings({}, {*text});
  if (const auto *texts = node.get<std::vector<std::string>>("value_strings"))
    value = Tensor::of_strings(row(texts->size()), *texts);
  if (!value) return {};
  const std::vector<Attribute> attributes = node.attributes;
  for (const Attribute &attribute : attributes) at.graph.remove_attribute(at.id, attribute.name);
  at.graph.set_attribute(at.id, "value", std::move(*value));
  return {};
}

constexpr OperatorChange changes[] = {
    {"Dropout", 10, refuse_mask, refuse_mask},
    {"MaxPool", 10, nullptr, pool_without_options},
    {"AveragePool", 10, nullptr, spell_ceil_mode},
    {"Gemm", 11, nullptr, put_zero_summand},
    {"Constant", 12, nullptr, constant_as_tensor},
    {"Dropout", 12, refuse_mask, dropout_without_training},
    {"Pow", 12, nullptr, cast_exponent},
    {"Softmax", 13, softmax_of_one_axis, softmax_of_last_axes},
    {"LogSoftmax", 13, softmax_of_one_axis, softmax_of_last_axes},
    {"Hardmax", 13, softmax_of_one_axis, softmax_of_last_axes},
    {"QuantizeLinear", 13, nullptr, one_scale},
    {"DequantizeLinear", 13, nullptr, one_scale},
    {"BatchNormalization", 14, refuse_statistics, refuse_statistics},
    {"RNN", 14, nullptr, turn_batches},
    {"GRU", 14, nullptr, turn_batches},
    {"LSTM", 14, nullptr, turn_batches},
    {"RoiAlign", 16, spell_region_offset, drop_region_offset},
    {"LpPool", 18, nullptr, pool_without_options},
    {"AveragePool", 19, change_counted_padding, average_without_dilations},
    {"GridSample", 20, rename_grid_modes, rename_grid_modes},
    {"GroupNormalization", 21, repeat_group_parameters, nullptr}, // lowered, it is written out
    {"QuantizeLinear", 21, nullptr, name_type_by_zero_point},
    {"DequantizeLinear", 23, nullptr, type_of_scale},
};

} // namespace

std::span<const OperatorChange> layer_changes() { return changes; }

} // namespace edgec::proto
