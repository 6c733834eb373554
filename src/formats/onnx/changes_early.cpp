// Opsets 2 to 9: attributes that became idle, broadcasting, operands that were attributes by another name.
#include "formats/onnx/opset_change.h"

namespace edgec::proto {
namespace {

/// A hint of memory that nobody needs.
Status drop_consumed(const OpsetChange &at) {
  at.graph.remove_attribute(at.id, "consumed_inputs");
  return {};
}

/// Operand 1 was laid over the axes of operand 0 from `axis` on.
Status broadcast_from_axis(const OpsetChange &at) {
  const Attribute *axis = at.node().attribute("axis");
  const bool broadcast = at.node().get_int("broadcast", 0) != 0;
  std::int64_t first = at.node().get_int("axis", 0);
  at.graph.remove_attribute(at.id, "axis");
  at.graph.remove_attribute(at.id, "broadcast");
  if (!broadcast || !axis) return {};
  const auto rank = at.rank(0), own = at.rank(1);
  if (!rank || !own) return at.refuse("an axis of operands whose rank is not known");
  if (first < 0) first += *rank;
  const std::int64_t behind = *rank - first - *own;
  if (first < 0 || behind < 0) return at.refuse("an axis beyond the rank");
  if (behind == 0) return {};
  std::vector<std::int64_t> axes;
  for (std::int64_t i = 0; i < behind; ++i) axes.push_back(*own + i);
  if (const Tensor *data = at.constant(1)) {
    Tensor shaped = *data;
    shaped.dims.insert(shaped.dims.end(), static_cast<std::size_t>(behind), 1);
    at.set_constant(1, std::move(shaped));
    return {};
  }
  Shape shape = *at.type(1).shape;
  shape.insert(shape.end(), static_cast<std::size_t>(behind), Dim::known(1));
  at.set_input(1, at.put("Unsqueeze", {at.node().input(1)}, {ints_attribute("axes", axes)},
                         Type::tensor(at.type(1).dtype, shape)));
  return {};
}

/// PRelu took one slope a channel without saying so by its shape.
Status shape_slopes(const OpsetChange &at) {
  const Tensor *slope = at.constant(1);
  const auto rank = at.rank();
  if (!slope || slope->rank() != 1 || slope->size() == 1 || !rank || *rank < 3) return {};
  Tensor shaped = *slope;
  shaped.dims.insert(shaped.dims.end(), static_cast<std::size_t>(*rank) - 2, 1);
  at.set_constant(1, std::move(shaped));
  return {};
}

/// Old networks rarely say that they are not being trained.
Status drop_training(const OpsetChange &at) {
  at.graph.remove_attribute(at.id, "is_test");
  return {};
}

Status refuse_training(const OpsetChange &at) {
  if (at.node().get_int("is_test", 0) == 0) return at.refuse("statistics of the batch (is_test = 0)");
  return drop_training(at);
}

Status drop_unscaled_sum(const OpsetChange &at) {
  at.graph.remove_attribute(at.id, "broadcast");
  return {};
}

Status drop_sequence_wish(const OpsetChange &at) {
  at.graph.remove_attribute(at.id, "output_sequence");
  return {};
}

Status type_by_number(const OpsetChange &at) {
  const auto *type = at.node().get<std::string>("to");
  if (!type) return {};
  std::string lower = *type;
  for (char &c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto dtype = parse_dtype(lower);
  if (!dtype) return at.refuse("the type " + lower);
  at.graph.set_attribute(at.id, "to", static_cast<std::int64_t>(*dtype));
  return {};
}

Status spell_axis(const OpsetChange &at) {
  if (!at.node().attribute("axis")) at.graph.set_attribute(at.id, "axis", std::int64_t{1});
  return {};
}

Status rename_pads(const OpsetChange &at) {
  const auto pads = at.node().get_ints("paddings");
  at.graph.remove_attribute(at.id, "paddings");
  at.graph.set_attribute(at.id, "pads", pads);
  return {};
}

Status whole_exponent(const OpsetChange &at) {
  const auto *p = at.node().get<float>("p");
  if (!p) return {};
  const auto whole = static_cast<std::int64_t>(*p);
  if (!(*p >= 0 && *p < 64) || static_cast<float>(whole) != *p) return at.refuse("a broken p");
  at.graph.set_attribute(at.id, "p", whole);
  return {};
}

/// (X, tiles, axis) became (X, repeats).
Status spell_repeats(const OpsetChange &at) {
  const Tensor *tiles = at.constant(1), *axis = at.constant(2);
  const auto rank = at.rank();
  if (!tiles || !axis || !rank || tiles->size() != 1 || axis->size() != 1) return at.refuse("tiles that are not known");
  std::vector<std::int64_t> repeats(static_cast<std::size_t>(*rank), 1);
  const auto which = static_cast<std::size_t>(to_int64s(*axis)[0]);
  if (which >= repeats.size()) return at.refuse("an axis beyond the rank");
  repeats[which] = to_int64s(*tiles)[0];
  at.drop_inputs(1);
  at.set_constant(1, int_row(std::move(repeats)));
  return {};
}

Status spell_scales(const OpsetChange &at) {
  const std::vector<float> scales{1, 1, at.node().get_float("height_scale", 1), at.node().get_float("width_scale", 1)};
  at.graph.remove_attribute(at.id, "height_scale");
  at.graph.remove_attribute(at.id, "width_scale");
  at.graph.set_attribute(at.id, "scales", scales);
  if (at.node().get_string("mode", "nearest") == "bilinear")
    at.graph.set_attribute(at.id, "mode", std::string("linear"));
  return {};
}

constexpr OperatorChange changes[] = {
    {"Pad", 2, rename_pads},
    {"LpPool", 2, whole_exponent},
    {"GlobalLpPool", 2, whole_exponent},
    {"Concat", 4, spell_axis},
    {"Reshape", 5, drop_consumed},
    {"Cast", 6, type_by_number},
    {"Tile", 6, spell_repeats},
    {"Abs", 6, drop_consumed},
    {"Add", 6, drop_consumed},
    {"BatchNormalization", 6, drop_consumed},
    {"Ceil", 6, drop_consumed},
    {"Clip", 6, drop_consumed},
    {"Div", 6, drop_consumed},
    {"Dropout", 6, drop_consumed},
    {"Elu", 6, drop_consumed},
    {"Exp", 6, drop_consumed},
    {"Floor", 6, drop_consumed},
    {"HardSigmoid", 6, drop_consumed},
    {"InstanceNormalization", 6, drop_consumed},
    {"LeakyRelu", 6, drop_consumed},
    {"Log", 6, drop_consumed},
    {"Max", 6, drop_consumed},
    {"Mean", 6, drop_consumed},
    {"Min", 6, drop_consumed},
    {"Mul", 6, drop_consumed},
    {"Neg", 6, drop_consumed},
    {"PRelu", 6, drop_consumed},
    {"Reciprocal", 6, drop_consumed},
    {"Relu", 6, drop_consumed},
    {"Selu", 6, drop_consumed},
    {"Sigmoid", 6, drop_consumed},
    {"Sqrt", 6, drop_consumed},
    {"Sub", 6, drop_consumed},
    {"Sum", 6, drop_consumed},
    {"Tanh", 6, drop_consumed},
    {"Add", 7, broadcast_from_axis},
    {"And", 7, broadcast_from_axis},
    {"BatchNormalization", 7, refuse_training},
    {"Div", 7, broadcast_from_axis},
    {"Dropout", 7, drop_training},
    {"Equal", 7, broadcast_from_axis},
    {"GRU", 7, drop_sequence_wish},
    {"Gemm", 7, drop_unscaled_sum},
    {"Greater", 7, broadcast_from_axis},
    {"LSTM", 7, drop_sequence_wish},
    {"Less", 7, broadcast_from_axis},
    {"Mul", 7, broadcast_from_axis},
    {"Or", 7, broadcast_from_axis},
    {"PRelu", 7, shape_slopes},
    {"Pow", 7, broadcast_from_axis},
    {"RNN", 7, drop_sequence_wish},
    {"Sub", 7, broadcast_from_axis},
    {"Upsample", 7, spell_scales},
    {"Xor", 7, broadcast_from_axis},
};

} // namespace

std::span<const OperatorChange> early_changes() { return changes; }

} // namespace edgec::proto
