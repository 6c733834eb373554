// Operators that speak of axes, shapes and indices: what opsets 8 to 20 brought them.
#include <algorithm>

#include "formats/onnx/opset_change.h"

namespace edgec::proto {
namespace {

Type of_rank(DType dtype, std::size_t rank) { return Type::tensor(dtype, Shape(rank)); }

/// What noop_with_empty_axes leaves as it is; without it, no axes are all.
Status reduce_without_noop(const OpsetChange &at) {
  if (!at.is_empty(1)) return {};
  const bool noop = at.node().get_int("noop_with_empty_axes", 0) != 0;
  constexpr std::string_view plain[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"};
  if (noop && std::ranges::find(plain, at.node().op) == std::end(plain))
    return at.refuse("noop_with_empty_axes without axes");
  if (noop) {
    at.become_unary("Identity");
    return {};
  }
  at.drop_inputs(1);
  at.graph.remove_attribute(at.id, "noop_with_empty_axes");
  return {};
}

/// Opset 18 wants the number of parts where their sizes are not given.
Status count_parts(const OpsetChange &at) {
  if (!at.has(1)) at.graph.set_attribute(at.id, "num_outputs", static_cast<std::int64_t>(at.node().outputs.size()));
  return {};
}

/// Before, parts of an axis that their number does not divide have to be spelled out.
Status spell_parts(const OpsetChange &at) {
  if (at.has(1) || !at.node().attribute("num_outputs")) return {};
  const auto rank = at.rank();
  const std::int64_t axis = at.node().get_int("axis", 0), parts = at.node().get_int("num_outputs", 1);
  const std::int64_t size = rank ? at.dim(static_cast<std::size_t>(axis + (axis < 0 ? *rank : 0))) : -1;
  if (size < 0 || parts != static_cast<std::int64_t>(at.node().outputs.size()))
    return at.refuse("num_outputs for an axis of unknown size");
  at.graph.remove_attribute(at.id, "num_outputs");
  if (size % parts == 0) return {};
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0, rest = size; i < parts; ++i) {
    sizes.push_back(std::min((size + parts - 1) / parts, rest));
    rest -= sizes.back();
  }
  at.set_constant(1, int_row(std::move(sizes)));
  return {};
}

/// Pads of some axes become those of all.
Status pad_all_axes(const OpsetChange &at) {
  if (!at.has(3)) return {};
  const Tensor *axes = at.constant(3), *pads = at.constant(1);
  const auto rank = at.rank();
  if (!axes || !pads || !rank || pads->size() != 2 * axes->size()) return at.refuse("axes that are not known");
  const std::vector<std::int64_t> which = to_int64s(*axes), given = to_int64s(*pads);
  std::vector<std::int64_t> all(2 * static_cast<std::size_t>(*rank));
  for (std::size_t i = 0; i < which.size(); ++i) {
    const auto axis = static_cast<std::size_t>(which[i] + (which[i] < 0 ? *rank : 0));
    if (axis >= all.size() / 2) return at.refuse("an axis beyond the rank");
    all[axis] = given[i];
    all[axis + all.size() / 2] = given[i + which.size()];
  }
  at.set_constant(1, int_row(std::move(all)));
  at.drop_inputs(3);
  return {};
}

Status refuse_wrap(const OpsetChange &at) {
  if (at.node().get_string("mode", "constant") == "wrap") return at.refuse("mode wrap");
  return {};
}

/// allowzero counts where a zero is asked for.
Status reshape_without_zeros(const OpsetChange &at) {
  const Tensor *shape = at.constant(1);
  if (shape && std::ranges::all_of(to_int64s(*shape), [](std::int64_t dim) { return dim != 0; }))
    at.graph.remove_attribute(at.id, "allowzero");
  return {};
}

/// A part of a shape: the whole of it, sliced.
Status slice_shape(const OpsetChange &at) {
  const std::int64_t start = at.node().get_int("start", 0), end = at.node().get_int("end", INT64_MAX);
  at.graph.remove_attribute(at.id, "start");
  at.graph.remove_attribute(at.id, "end");
  if (start == 0 && end == INT64_MAX) return {};
  const auto number = [&](std::int64_t value) { return at.graph.add_constant(int_row({value})); };
  const auto rank = at.rank();
  at.put_after("Slice", {number(start), number(end)}, {},
               Type::tensor(DType::int64, Shape{rank ? Dim::known(*rank) : Dim::unknown()}));
  return {};
}

/// DFT's axis became an operand in opset 20, and another one by default.
Status axis_to_operand(const OpsetChange &at) {
  const std::int64_t axis = at.node().get_int("axis", 1);
  at.graph.remove_attribute(at.id, "axis");
  at.set_constant(2, Tensor::scalar(axis));
  return {};
}

Status operand_to_axis(const OpsetChange &at) {
  const Tensor *axis = at.constant(2);
  if (at.has(2) && (!axis || axis->size() != 1)) return at.refuse("an axis that is not a constant");
  const std::int64_t value = axis ? to_int64s(*axis)[0] : -2;
  at.drop_inputs(2);
  at.graph.set_attribute(at.id, "axis", value);
  return {};
}

Status largest_only(const OpsetChange &at) {
  at.graph.remove_attribute(at.id, "sorted"); // any order is one that may be left unsorted
  if (at.node().get_int("largest", 1) != 0) return {};
  const Type type = at.type(0), values = at.graph.value(at.node().outputs[0]).type;
  at.graph.remove_attribute(at.id, "largest");
  at.set_input(0, at.put("Neg", {at.node().input(0)}, {}, type));
  at.put_after("Neg", {}, {}, values);
  return {};
}

/// Negative axes of Slice's operand.
Status count_slice_axes_from_front(const OpsetChange &at) {
  const Tensor *axes = at.constant(3);
  if (!at.has(3)) return {};
  const auto rank = at.rank();
  if (!axes || !rank)
    return axes && std::ranges::all_of(to_int64s(*axes), [](auto a) { return a >= 0; })
               ? Status()
               : at.refuse("axes that are not known");
  std::vector<std::int64_t> counted = to_int64s(*axes);
  if (std::ranges::all_of(counted, [](std::int64_t axis) { return axis >= 0; })) return {};
  for (std::int64_t &axis : counted)
    if (axis < 0) axis += *rank;
  at.set_constant(3, from_int64s(axes->dtype, axes->dims, counted));
  return {};
}

Status rename_scatter(const OpsetChange &at) {
  at.graph.set_op(at.id, at.to > at.from ? "ScatterElements" : "Scatter");
  return {};
}

Status refuse_extremes(const OpsetChange &at) {
  const std::string reduction = at.node().get_string("reduction", "none");
  if (reduction == "max" || reduction == "min") return at.refuse("reduction " + reduction);
  return {};
}

/// Depth in columns before rows: a Reshape, a Transpose and a Reshape.
Status write_out_columns(const OpsetChange &at) {
  if (at.node().get_string("mode", "DCR") != "CRD") return {};
  const std::int64_t block = at.node().get_int("blocksize", 1), channels = at.dim(1), height = at.dim(2),
                     width = at.dim(3);
  if (channels < 0 || height < 0 || width < 0 || block < 1 || block > 1024)
    return at.refuse("mode CRD where the size is not known");
  const std::int64_t depth = channels / (block * block);
  const DType dtype = at.type(0).dtype;
  const ValueId apart =
      at.put("Reshape", {at.node().input(0), at.graph.add_constant(int_row({0, depth, block, block, height, width}))},
             {}, of_rank(dtype, 6));
  const ValueId turned = at.put("Transpose", {apart}, {ints_attribute("perm", {0, 1, 4, 2, 5, 3})}, of_rank(dtype, 6));
  at.become_unary("Reshape");
  at.set_input(0, turned);
  at.set_constant(1, int_row({0, depth, height * block, width * block}));
  return {};
}

/// Operands of one shape: Max, Min, Sum and Mean did not broadcast before opset 8.
Status same_shapes(const OpsetChange &at) {
  for (std::size_t i = 1; i < at.node().inputs.size(); ++i)
    if (!at.dims() || at.dims() != at.dims(i)) return at.refuse("operands that are not known to have one shape");
  return {};
}

/// What a sub-graph of Scan sees: all samples at once since opset 9, one by one before.
Status refuse_scan(const OpsetChange &at) {
  return at.refuse("what Scan of opset " + std::to_string(at.from) + " does");
}

constexpr OperatorChange changes[] = {
    {"Max", 8, nullptr, same_shapes},
    {"Min", 8, nullptr, same_shapes},
    {"Sum", 8, nullptr, same_shapes},
    {"Mean", 8, nullptr, same_shapes},
    {"Scan", 9, refuse_scan, refuse_scan},
    {"DepthToSpace", 11, nullptr, write_out_columns},
    {"Scatter", 11, rename_scatter, nullptr},
    {"ScatterElements", 11, nullptr, rename_scatter},
    {"Slice", 11, nullptr, count_slice_axes_from_front},
    {"TopK", 11, nullptr, largest_only},
    {"ReduceSum", 13, nullptr, reduce_without_noop},
    {"Reshape", 14, nullptr, reshape_without_zeros},
    {"Shape", 15, nullptr, slice_shape},
    {"Pad", 18, nullptr, pad_all_axes},
    {"ReduceL1", 18, nullptr, reduce_without_noop},
    {"ReduceL2", 18, nullptr, reduce_without_noop},
    {"ReduceLogSum", 18, nullptr, reduce_without_noop},
    {"ReduceLogSumExp", 18, nullptr, reduce_without_noop},
    {"ReduceMax", 18, nullptr, reduce_without_noop},
    {"ReduceMean", 18, nullptr, reduce_without_noop},
    {"ReduceMin", 18, nullptr, reduce_without_noop},
    {"ReduceProd", 18, nullptr, reduce_without_noop},
    {"ReduceSumSquare", 18, nullptr, reduce_without_noop},
    {"ScatterElements", 18, nullptr, refuse_extremes},
    {"ScatterND", 18, nullptr, refuse_extremes},
    {"Split", 18, count_parts, spell_parts},
    {"Pad", 19, nullptr, refuse_wrap},
    {"DFT", 20, axis_to_operand, operand_to_axis},
};

} // namespace

std::span<const OperatorChange> shape_changes() { return changes; }

} // namespace edgec::proto
