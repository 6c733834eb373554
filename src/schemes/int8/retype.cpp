#include "schemes/int8/retype.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "compress/int8.h"
#include "ir/evaluate.h"
#include "schemes/fitting/channel_bias.h"
#include "schemes/int8/border.h"

namespace edgec {
namespace {

/// Codes of 16 bits have steps to spare for every value that was seen; those of 4 have too few for rare ones.
RangeMethod method_of(const Int8Options &options, NumberSpec number) {
  if (number.bits > 8) return RangeMethod::minmax;
  if (number.bits < 8) return RangeMethod::mse;
  if (options.range == "percentile") return RangeMethod::percentile;
  if (options.range == "entropy") return RangeMethod::entropy;
  return options.range == "mse" ? RangeMethod::mse : RangeMethod::minmax;
}

Tensor scales_tensor(const Quant &quant) {
  if (quant.is_per_tensor()) return Tensor::scalar(quant.scale());
  return Tensor::of({static_cast<std::int64_t>(quant.scales.size())}, quant.scales);
}

/// The codes that cover a range.
Quant quant_of(Range range, NumberSpec number) {
  if (number.symmetric) {
    const float most = std::max(std::abs(range.low), std::abs(range.high));
    const float scale = most / static_cast<float>(number.levels());
    return Quant::per_tensor(scale > 1e-30F ? scale : 1.0F, 0);
  }
  Quant quant = asymmetric_quant(range, number.bits);
  quant.zero_points.front() += number.low();
  return quant;
}

Result<Range> range_of(ValueId id, const Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics,
                       const Int8Options &options) {
  if (const auto fixed = plan.fixed_ranges.find(id); fixed != plan.fixed_ranges.end())
    return Range{fixed->second.first, fixed->second.second};
  if (const Tensor *data = graph.constant(id)) {
    Range range;
    for (const float value : data->as<float>())
      if (std::isfinite(value)) range = {std::min(range.low, value), std::max(range.high, value)};
    return range;
  }
  const auto found = statistics.find(id);
  if (found == statistics.end())
    return internal_error(fmt::format("value {} was not calibrated", graph.value(id).name));
  const NumberSpec number = plan.quantized.at(id);
  return choose_range(found->second, method_of(options, number), options.percentile, number.bits);
}

/// The numbers of the type that a value's codes have: of 3 bits, all 8, since onnxruntime (1.31) loads no Clip before a
/// QuantizeLinear to 4.
NumberSpec stored(NumberSpec number) {
  if (number.bits < 8 && number.bits != bits(number.storage())) number.bits = 8;
  return number;
}

class Retyper {
public:
  Retyper(Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics, const Job &job)
      : graph_(graph), plan_(plan), statistics_(statistics), job_(job) {}

  Result<std::vector<Int8LayerState>> run() {
    EDGEC_ASSIGN(quants_, choose_quants(graph_, plan_, statistics_, job_.options<Int8Options>()));
    for (const auto &[id, number] : plan_.quantized) make_codes(id, number);
    for (const auto &[id, number] : plan_.quantized) connect(id, number);
    for (const auto &[activation, producer] : plan_.absorbed_by) absorb(activation, producer);
    std::vector<Int8LayerState> layers;
    for (const Int8Layer &layer : plan_.layers) layers.push_back(make_layer(layer));
    EDGEC_CHECK(graph_.sort());
    return layers;
  }

private:
  Graph &graph_;
  const Int8Plan &plan_;
  const RangeStatistics &statistics_;
  const Job &job_;
  std::map<ValueId, Quant> quants_;  // of float values
  std::map<ValueId, ValueId> codes_; // float value -> its codes
  std::map<NodeId, ValueId> clamped_outputs_;
  std::set<NodeId> saturating_;

  const Quant &quant_of(ValueId id) const { return quants_.at(id); }

  void make_codes(ValueId id, NumberSpec number) {
    const Quant quant = quant_of(id);
    if (const Tensor *data = graph_.constant(id)) {
      codes_[id] = graph_.add_constant(quantize(*data, stored(number).storage(), quant), graph_.value(id).name, quant);
      return;
    }
    const NodeId producer = graph_.value(id).producer;
    const bool gives_codes = number.has_integer_kernels() && producer.valid() && plan_.integer.contains(producer);
    codes_[id] = gives_codes ? id : add_quantize(graph_, clipped(id, number, quant), stored(number), quant);
  }

  /// QuantizeLinear saturates at the ends of a type: where fewer codes are to be used, Clip does before it.
  ValueId clipped(ValueId id, NumberSpec number, const Quant &quant) {
    if (number == stored(number)) return id;
    const auto real = [&](int code) {
      return graph_.add_constant(Tensor::scalar(static_cast<float>(code - quant.zero_point()) * quant.scale()));
    };
    Node clip{.op = "Clip", .inputs = {id, real(number.low()), real(number.high())}};
    return graph_.add_op(std::move(clip), graph_.value(id).type);
  }

  bool reads_codes(const Use &use) const { return edgec::reads_codes(plan_, job_.ops, graph_, use); }

  void give_reals(const std::vector<Use> &uses, ValueId codes, ValueId reals) {
    const NodeId quantize = graph_.value(codes).producer; // of codes that their producer gives: that one
    const std::array makers{quantize, graph_.value(graph_.node(quantize).inputs[0]).producer};
    for (const Use &use : uses) {
      const Node &reader = graph_.node(use.node);
      if (reads_codes(use) || use.node == makers.front() || use.node == makers.back()) continue;
      if (use.index < reader.inputs.size())
        graph_.set_input(use.node, use.index, reals);
      else
        graph_.set_capture(use.node, use.index - reader.inputs.size(), reals);
    }
  }

  /// Integer readers get the codes, float readers and graph outputs the reals: those that were computed, where nobody
  /// made codes of them, but where codes are for nothing but their reals.
  void connect(ValueId id, NumberSpec number) {
    const ValueId codes = codes_.at(id);
    const auto uses = graph_.value(id).uses;
    const Type reals = graph_.value(id).type;
    if (codes != id) {
      for (const Use &use : uses)
        if (reads_codes(use)) graph_.set_input(use.node, use.index, codes);
      if (!number.has_integer_kernels())
        give_reals(uses, codes, add_dequantize(graph_, codes, stored(number), quant_of(id), reals));
      return;
    }
    const bool float_reader = std::ranges::any_of(uses, [&](const Use &use) { return !reads_codes(use); });
    Type codes_type = reals;
    codes_type.dtype = number.storage();
    codes_type.quant = quant_of(id);
    graph_.set_type(id, std::move(codes_type));
    if (!float_reader && !graph_.is_output(id)) return;
    const ValueId dequantized = add_dequantize(graph_, id, number, quant_of(id), reals);
    give_reals(uses, id, dequantized);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i)
      if (graph_.outputs()[i].value == id) graph_.set_output(i, dequantized);
  }

  /// Relu and Clip: gone where saturation of the codes does the same, else an integer operator of its own.
  void absorb(NodeId activation, NodeId producer) {
    if (!plan_.integer.contains(activation)) return;
    const ValueId inner = graph_.node(activation).inputs[0];
    const ValueId outer = graph_.node(activation).outputs[0];
    const Type type = graph_.value(outer).type;
    graph_.set_type(inner, type);
    if (!saturates_within(type, *as_clamp(graph_, graph_.node(activation)))) {
      clamped_outputs_[producer] = outer;
      return;
    }
    const auto origins = graph_.node(activation).origins;
    graph_.replace_uses(outer, inner);
    graph_.remove(activation);
    graph_.add_origins(producer, origins);
    saturating_.insert(producer);
  }

  Int8LayerState make_layer(const Int8Layer &layer) {
    const Node &node = graph_.node(layer.node);
    Int8LayerState state;
    state.node = layer.node;
    state.weights = layer.weights;
    state.weight = node.inputs[layer.weights.weight];
    state.number = layer.number;
    state.original_data = layer.data;
    state.output = node.outputs[0];
    state.target = layer.target;
    if (const auto found = clamped_outputs_.find(layer.node); found != clamped_outputs_.end())
      state.output = found->second;
    if (saturating_.contains(layer.node) || clamped_outputs_.contains(layer.node)) state.clamp = layer.clamp;
    if (layer.reads_reals || layer.fused) {
      state.clamp = layer.clamp;
      const auto codes = codes_.find(layer.target);
      const bool observed = codes != codes_.end() && bits(graph_.value(codes->second).type.dtype) >= 8;
      state.output = observed ? codes->second : layer.target;
    }
    if (layer.origin.valid())
      state.input_scale = quant_of(layer.origin).scale();
    else if (!layer.reads_reals)
      state.input_scale = graph_.value(node.inputs[layer.weights.data]).type.quant->scale();
    const Tensor weight = *graph_.constant(node.inputs[layer.weights.weight]);
    std::vector<float> values(weight.as<float>().begin(), weight.as<float>().end());
    fold_alpha_beta(layer, values, state);
    state.dims = weight.dims;
    if (auto rows = weight_rows(Tensor::of(weight.dims, values), layer.weights)) state.original = std::move(*rows);
    const ChannelSpan span = scaled_channels(weight, layer.weights);
    const bool per_tensor = has_one_scale(layer.weights);
    std::vector<double> scale_bias = state.bias;
    if (per_tensor && !scale_bias.empty())
      scale_bias = {*std::ranges::max_element(scale_bias, {}, [](double b) { return std::abs(b); })};
    state.scales = symmetric_scales(channel_maxima(values, span), scale_bias, state.input_scale, layer.number.levels());
    Quant quant{state.scales, std::vector<std::int32_t>(state.scales.size(), 0),
                per_tensor ? -1 : layer.weights.channel_axis, 0};
    const std::string name = graph_.value(node.inputs[layer.weights.weight]).name;
    const Tensor codes =
        weight_codes(weight.dims, quantize_symmetric(values, span, state.scales, layer.number.levels()), layer.number);
    const ValueId stored = graph_.add_constant(codes, name, quant);
    graph_.set_input(layer.node, layer.weights.weight,
                     layer.reads_reals ? reals_of(stored, quant, layer.node) : stored);
    if (!state.bias.empty()) {
      const Dims dims{static_cast<std::int64_t>(state.bias.size())};
      ValueId bias =
          graph_.add_constant(state.has_real_bias() ? Tensor::of(dims, std::vector<float>(state.bias.size()))
                                                    : Tensor::of(dims, std::vector<std::int32_t>(state.bias.size())));
      quant.axis = quant.scales.size() == 1 ? -1 : 0;
      if (layer.origin.valid()) bias = reals_of(bias, quant, layer.node);
      graph_.set_input(layer.node, *layer.weights.bias, bias);
      store_bias(graph_, state);
    }
    return state;
  }

  /// The reals that constant codes stand for, computed before `reader`.
  ValueId reals_of(ValueId codes, const Quant &quant, NodeId reader) {
    Node node{.op = "DequantizeLinear", .inputs = {codes, graph_.add_constant(scales_tensor(quant))}};
    if (quant.axis >= 0) node.attributes = {{"axis", std::int64_t{quant.axis}}};
    const Dims dims = graph_.constant(codes)->dims;
    return graph_.add_op(std::move(node), Type::tensor(DType::float32, dims), reader);
  }

  /// Reads the bias; Gemm's alpha and beta go into weight and bias, so that the integer form has neither.
  void fold_alpha_beta(const Int8Layer &layer, std::vector<float> &values, Int8LayerState &state) {
    const Node &node = graph_.node(layer.node);
    if (const float alpha = node.get_float("alpha", 1); alpha != 1)
      for (float &value : values) value *= alpha;
    state.bias = *channel_bias(graph_, node, layer.weights);
    graph_.remove_attribute(layer.node, "alpha");
    graph_.remove_attribute(layer.node, "beta");
  }
};

} // namespace

bool has_one_scale(const WeightInfo &info) {
  return (info.groups > 1 && info.channel_axis != 0) || info.channel_axis > 1;
}

ChannelSpan scaled_channels(const Tensor &weight, const WeightInfo &info) {
  return has_one_scale(info) ? ChannelSpan{1, 1, weight.size()} : ChannelSpan::of(weight.dims, info.channel_axis);
}

Result<std::map<ValueId, Quant>> choose_quants(const Graph &graph, const Int8Plan &plan,
                                               const RangeStatistics &statistics, const Int8Options &options) {
  std::map<ValueId, Range> ranges; // by representative
  for (const auto &[id, root] : plan.group) {
    EDGEC_ASSIGN(const Range range, range_of(id, graph, plan, statistics, options));
    Range &all = ranges[root];
    all = {std::min(all.low, range.low), std::max(all.high, range.high)};
  }
  std::map<ValueId, Quant> shared;
  for (const auto &[root, range] : ranges) shared[root] = quant_of(range, plan.quantized.at(root));
  for (const auto &[input, quant] : plan.exact)
    if (plan.group.contains(input)) shared[plan.group.at(input)] = quant;
  std::map<ValueId, Quant> quants;
  for (const auto &[id, root] : plan.group) quants[id] = shared.at(root);
  return quants;
}

Tensor weight_codes(const Dims &dims, std::vector<std::int8_t> codes, NumberSpec spec) {
  if (spec.storage() == DType::int8) return Tensor::of(dims, std::move(codes));
  const std::vector<std::int64_t> numbers(codes.begin(), codes.end());
  return from_int64s(spec.storage(), dims, numbers);
}

void set_codes(Graph &graph, ValueId operand, Tensor codes, Quant quant) {
  const Node *dequantize = graph.producer(operand);
  if (dequantize == nullptr) return graph.set_data(operand, std::move(codes), std::move(quant));
  const ValueId stored = dequantize->inputs[0], scales = dequantize->inputs[1];
  graph.set_data(scales, scales_tensor(quant));
  graph.set_data(stored, std::move(codes), std::move(quant));
}

void store_bias(Graph &graph, const Int8LayerState &layer) {
  const ValueId id = graph.node(layer.node).inputs[*layer.weights.bias];
  if (layer.has_real_bias()) {
    const std::vector<float> values(layer.bias.begin(), layer.bias.end());
    return graph.set_data(id, Tensor::of({static_cast<std::int64_t>(values.size())}, values));
  }
  std::vector<float> scales;
  for (const float scale : layer.scales) scales.push_back(layer.input_scale * scale);
  const int axis = scales.size() == 1 ? -1 : 0;
  Quant quant{std::move(scales), std::vector<std::int32_t>(layer.scales.size(), 0), axis, 0};
  auto codes = quantize_bias(layer.bias, layer.input_scale, layer.scales);
  const Dims dims{static_cast<std::int64_t>(codes.size())};
  set_codes(graph, id, Tensor::of(dims, std::move(codes)), std::move(quant));
}

Result<std::vector<Int8LayerState>> retype_int8(Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics,
                                                const Job &job) {
  return Retyper(graph, plan, statistics, job).run();
}

} // namespace edgec
