#include "train/fake_quantized.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "ir/evaluate.h"

namespace edgec {

/// Turns a copy of a network of codes into reals, node by node in order. Ids of both stay the same.
class FakeQuantizer {
public:
  FakeQuantizer(const Graph &codes, const OpRegistry &ops, bool keeps_zeros)
      : codes_(codes), ops_(ops), keeps_zeros_(keeps_zeros) {
    result_.graph_ = codes;
  }

  Result<FakeQuantized> run() {
    for (const NodeId id : codes_.nodes()) EDGEC_CHECK(convert(id).in(codes_.node(id).label()));
    graph_.opsets.try_emplace("edgec", 1);
    graph_.remove_dead();
    EDGEC_CHECK(graph_.sort());
    return std::move(result_);
  }

private:
  const Graph &codes_;
  const OpRegistry &ops_;
  bool keeps_zeros_;
  FakeQuantized result_;
  Graph &graph_ = result_.graph_;
  std::map<ValueId, ValueId> reals_; ///< constants of codes -> what is read in their place

  [[nodiscard]] const std::optional<Quant> &quant_of(ValueId id) const { return codes_.value(id).type.quant; }

  Status convert(NodeId id) {
    const Node &node = codes_.node(id);
    if (node.is("QuantizeLinear") && quant_of(node.outputs[0])) return quantize(id);
    if (node.is("DequantizeLinear") && quant_of(node.inputs[0])) return dequantize(id);
    return compute(id);
  }

  [[nodiscard]] Tensor scales(const Quant &quant) const {
    if (quant.is_per_tensor()) return Tensor::scalar(quant.scale());
    return Tensor::of({static_cast<std::int64_t>(quant.scales.size())}, quant.scales);
  }

  struct Grid {
    ValueId scale;
    std::vector<std::int32_t> zeros; ///< as many as scales
    std::int64_t low = 0, high = 0;
    int axis = -1;
    std::int64_t block = 0;
  };

  /// `gives`: the value that it gives; none: a fresh one.
  ValueId fake_quantized(ValueId reals, const Grid &grid, NodeId before, ValueId gives = {}) {
    Node node{.op = "FakeQuantize", .domain = "edgec", .inputs = {reals, grid.scale}};
    if (std::ranges::any_of(grid.zeros, [](std::int32_t zero) { return zero != 0; })) {
      const std::vector<float> zeros(grid.zeros.begin(), grid.zeros.end());
      node.inputs.push_back(graph_.add_constant(Tensor::of(graph_.constant(grid.scale)->dims, zeros)));
    }
    node.attributes = {{"low", static_cast<float>(grid.low)}, {"high", static_cast<float>(grid.high)}};
    if (grid.axis >= 0) node.attributes.push_back({"axis", std::int64_t{grid.axis}});
    if (grid.block > 0) node.attributes.push_back({"block_size", grid.block});
    Type type = graph_.value(reals).type;
    if (!gives.valid()) return graph_.add_op(std::move(node), std::move(type), before);
    node.outputs = {gives};
    graph_.add_node(std::move(node), before);
    return gives;
  }

  /// Whether a constant is one operand's alone, so that it may become another.
  [[nodiscard]] bool is_own(ValueId id) const { return codes_.constant(id) != nullptr && codes_.use_count(id) == 1; }

  /// The reals of a constant of codes, to be read by `reader`. `scale`: a constant that holds its scales; none: no
  /// one's to change. Codes with several readers are trained once.
  ValueId reals_of(ValueId id, ValueId scale, NodeId reader) {
    if (const auto known = reals_.find(id); known != reals_.end()) return known->second;
    if (!is_own(id)) scale = {};
    return reals_[id] = new_reals(id, scale, reader);
  }

  ValueId new_reals(ValueId id, ValueId scale, NodeId reader) {
    const Tensor &data = *codes_.constant(id);
    const Quant &quant = *quant_of(id);
    FakeQuantized::Stored stored{.codes = id, .scale = scale, .axis = quant.axis, .block = quant.block};
    stored.reals = graph_.add_constant(edgec::dequantize(data, quant), codes_.value(id).name);
    stored.rounded = data.dtype != DType::int32;
    if (stored.rounded) {
      const auto numbers = to_int64s(data);
      const auto [low, high] = std::ranges::minmax(numbers); // what is not in use may be no code of the grid
      stored.low = low, stored.high = high;
    }
    result_.parameters_.push_back({.value = stored.reals, .keeps_zeros = keeps_zeros_ && stored.rounded});
    ValueId read = stored.reals;
    if (stored.rounded) {
      if (scale.valid()) result_.parameters_.push_back({.value = scale, .is_scale = true});
      const ValueId steps = scale.valid() ? scale : graph_.add_constant(scales(quant));
      read = fake_quantized(stored.reals, {steps, quant.zero_points, stored.low, stored.high, quant.axis, quant.block},
                            reader);
    }
    result_.stored_.push_back(stored);
    return read;
  }

  /// Whether a Clip keeps codes within fewer than their type has: `border` gets its bounds.
  [[nodiscard]] bool is_clipped(const Node &quantize, const Quant &quant, FakeQuantized::Border &border) const {
    const Node *clip = codes_.producer(quantize.inputs[0]);
    if (clip == nullptr || !clip->is("Clip") || clip->inputs.size() < 3) return false;
    const Tensor *low = codes_.constant(clip->inputs[1]), *high = codes_.constant(clip->inputs[2]);
    if (low == nullptr || high == nullptr || !codes_.sole_user(clip->outputs[0]).valid()) return false;
    const auto code = [&](const Tensor &bound) {
      return static_cast<std::int64_t>(std::clamp(std::nearbyint(to_floats(bound)[0] / quant.scale()), -1e6F, 1e6F)) +
             quant.zero_point();
    };
    const std::int64_t first = std::max(border.low, code(*low)), last = std::min(border.high, code(*high));
    if (first == border.low && last == border.high) return false;
    border.low = first, border.high = last;
    return true;
  }

  /// Whether the scale of a QuantizeLinear, of what reads its codes, and of the Clip before it, are theirs alone, and
  /// no integer kernel relies on it.
  [[nodiscard]] bool is_own_scale(const Node &quantize, bool clipped) const {
    const auto restores = [&](const Use &use) {
      const Node &reader = codes_.node(use.node);
      return reader.is("DequantizeLinear") && use.index == 0 && is_own(reader.inputs[1]);
    };
    if (!is_own(quantize.inputs[1]) || codes_.is_output(quantize.outputs[0])) return false;
    if (!std::ranges::all_of(codes_.value(quantize.outputs[0]).uses, restores)) return false;
    if (!clipped) return true;
    const Node &clip = *codes_.producer(quantize.inputs[0]);
    return is_own(clip.inputs[1]) && is_own(clip.inputs[2]);
  }

  Status quantize(NodeId id) {
    const Node &node = codes_.node(id);
    const ValueId codes = node.outputs[0];
    const Quant &quant = *quant_of(codes);
    const auto [low, high] = integer_range(codes_.value(codes).type.dtype);
    FakeQuantized::Border border{.quantize = id, .low = low, .high = high};
    ValueId reals = graph_.node(id).inputs[0];
    const bool clipped = is_clipped(node, quant, border);
    if (clipped) reals = graph_.node(graph_.value(reals).producer).inputs[0];
    if (quant.is_per_tensor() && is_own_scale(node, clipped)) {
      result_.parameters_.push_back({.value = node.inputs[1], .is_scale = true});
      result_.borders_.push_back(border);
    }
    const Grid grid{node.inputs[1], quant.zero_points, border.low, border.high, quant.axis, quant.block};
    graph_.replace_uses(codes, fake_quantized(reals, grid, id));
    graph_.remove(id);
    return {};
  }

  Status dequantize(NodeId id) {
    const Node &node = codes_.node(id);
    ValueId reals = graph_.node(id).inputs[0];
    if (codes_.constant(node.inputs[0]) != nullptr)
      reals = reals_of(node.inputs[0], is_own(node.inputs[1]) ? node.inputs[1] : ValueId{}, id);
    graph_.replace_uses(node.outputs[0], reals);
    graph_.remove(id);
    return {};
  }

  /// An operator of the same name computes on reals.
  Status compute(NodeId id) {
    const Node &node = codes_.node(id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId x = node.inputs[i];
      if (!x.valid() || codes_.constant(x) == nullptr || !quant_of(x)) continue;
      graph_.set_input(id, i, reals_of(x, {}, id));
    }
    const OpDef *op = ops_.find(node);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId y = node.outputs[i];
      if (!y.valid() || !quant_of(y)) continue;
      const Type reals = Type::tensor(DType::float32, codes_.value(y).type.shape);
      graph_.set_type(y, reals);
      if (op != nullptr && op->quant == QuantRule::same_scale) continue;
      const Quant &quant = *quant_of(y);
      const auto [low, high] = integer_range(codes_.value(y).type.dtype);
      const ValueId raw = graph_.detach_output(id, i, reals);
      fake_quantized(raw, {graph_.add_constant(scales(quant)), quant.zero_points, low, high, quant.axis, 0}, {}, y);
    }
    return {};
  }
};

Result<FakeQuantized> FakeQuantized::of(const Graph &codes, const OpRegistry &ops, bool keeps_zeros) {
  return FakeQuantizer(codes, ops, keeps_zeros).run();
}

void FakeQuantized::write_back(Graph &codes) const {
  for (const Stored &stored : stored_) {
    Quant quant = *codes.value(stored.codes).type.quant;
    if (stored.scale.valid() && stored.rounded) {
      quant.scales = to_floats(*graph_.constant(stored.scale));
      codes.set_data(stored.scale, *graph_.constant(stored.scale));
    }
    const Tensor &before = *codes.constant(stored.codes), &reals = *graph_.constant(stored.reals);
    if (identical(reals, dequantize(before, quant))) continue; // float32 does not hold every int32
    const Tensor rounded = quantize(reals, DType::int32, quant);
    auto numbers = to_int64s(rounded);
    if (stored.rounded)
      for (std::int64_t &number : numbers) number = std::clamp(number, stored.low, stored.high);
    codes.set_data(stored.codes, from_int64s(before.dtype, before.dims, numbers), std::move(quant));
  }
  for (const Border &border : borders_) {
    const Node node = codes.node(border.quantize);
    const Tensor &scale = *graph_.constant(node.inputs[1]);
    Type type = codes.value(node.outputs[0]).type;
    type.quant->scales = to_floats(scale);
    const Quant quant = *type.quant;
    codes.set_type(node.outputs[0], std::move(type));
    codes.set_data(node.inputs[1], scale);
    for (const Use &use : codes.value(node.outputs[0]).uses) codes.set_data(codes.node(use.node).inputs[1], scale);
    const auto [low, high] = integer_range(codes.value(node.outputs[0]).type.dtype);
    if (border.low == low && border.high == high) continue;
    const Node &clip = *codes.producer(node.inputs[0]);
    const auto real = [&](std::int64_t code) {
      return Tensor::scalar(static_cast<float>(code - quant.zero_point()) * quant.scale());
    };
    codes.set_data(clip.inputs[1], real(border.low));
    codes.set_data(clip.inputs[2], real(border.high));
  }
}

} // namespace edgec
