#include "diagnose/trials.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "formats/onnx/onnx.h"
#include "ir/evaluate.h"
#include "ir/node_view.h"
#include "kernels/half.h"
#include "passes/pipeline.h"

namespace edgec {
namespace {

constexpr int longest_chain = 3; // from a layer to the activation that belongs to it

/// The network with QuantizeLinear and DequantizeLinear as nodes, as the ONNX writer spells it.
Result<Graph> written_out(const Model &model, const OpRegistry &ops) {
  EDGEC_ASSIGN(std::string bytes, serialize_onnx(model, {}));
  std::vector<std::byte> copy(bytes.size());
  std::ranges::transform(bytes, copy.begin(), [](char c) { return static_cast<std::byte>(c); });
  EDGEC_ASSIGN(Model again, parse_onnx(Storage::take(std::move(copy)), "."));
  EDGEC_CHECK(infer_types(again.graph, ops));
  return std::move(again.graph);
}

std::map<std::string, NodeId> by_label(const Graph &graph) {
  std::map<std::string, NodeId> found;
  for (const NodeId id : graph.nodes()) found.emplace(graph.node(id).label(), id);
  return found;
}

/// A float network in which constants are looked for.
struct Source {
  Graph graph;
  std::map<std::string, NodeId> labels;

  explicit Source(Graph from) : graph(std::move(from)), labels(by_label(graph)) {}

  [[nodiscard]] const Node *find(const std::string &label) const {
    const auto found = labels.find(label);
    return found == labels.end() ? nullptr : &graph.node(found->second);
  }

  [[nodiscard]] const Tensor *constant(const std::string &label, std::size_t operand, const Dims &dims) const {
    const Node *node = find(label);
    const Tensor *data = node == nullptr ? nullptr : graph.constant(node->input(operand));
    return data != nullptr && data->dtype == DType::float32 && data->dims == dims ? data : nullptr;
  }
};

/// Squared error of a constant beside its power, at most 1.
double unlike(const Tensor &original, const Tensor &rounded) {
  const auto a = to_doubles(original), b = to_doubles(rounded);
  double power = 0, error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) power += a[i] * a[i], error += (a[i] - b[i]) * (a[i] - b[i]);
  return error == 0 ? 0 : std::isfinite(error) && error < power ? error / power : 1;
}

/// What equalization multiplied the weights of each output and of each input channel with.
struct Factors {
  std::vector<double> out, in;
  std::size_t out_axis = 0, in_axis = 0;
  Dims dims;

  Factors(const Dims &shape, const WeightInfo &info)
      : out_axis(static_cast<std::size_t>(info.channel_axis)), in_axis(out_axis == 0 ? 1 : 0), dims(shape) {
    out.assign(static_cast<std::size_t>(dims[out_axis]), 1);
    in.assign(info.groups == 1 ? static_cast<std::size_t>(dims[in_axis]) : 1, 1);
  }
  [[nodiscard]] std::size_t place(std::size_t i, std::size_t axis) const {
    std::size_t inner = 1;
    for (std::size_t d = axis + 1; d < dims.size(); ++d) inner *= static_cast<std::size_t>(dims[d]);
    return i / inner % static_cast<std::size_t>(dims[axis]);
  }
  [[nodiscard]] double &out_of(std::size_t i) { return out[place(i, out_axis)]; }
  [[nodiscard]] double &in_of(std::size_t i) { return in[in.size() == 1 ? 0 : place(i, in_axis)]; }

  /// Alternating least squares of b = out * a * in; false: a factor is none.
  bool fit(const std::vector<double> &a, const std::vector<double> &b) {
    constexpr int rounds = 12;
    for (int round = 0; round < rounds; ++round)
      for (const bool of_out : {true, false}) {
        std::vector<double> &mine = of_out ? out : in;
        std::vector<double> above(mine.size()), below(mine.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
          const double m = a[i] * (of_out ? in_of(i) : out_of(i));
          const std::size_t k = of_out ? place(i, out_axis) : in.size() == 1 ? 0 : place(i, in_axis);
          above[k] += m * b[i], below[k] += m * m;
        }
        for (std::size_t k = 0; k < mine.size(); ++k) {
          if (below[k] > 0) mine[k] = above[k] / below[k];
          if (!(mine[k] > 0)) return false;
        }
      }
    return true;
  }
};

/// The factors that make of a constant one much more like the file's; nothing: there are none.
std::optional<Factors> factors_of(const Tensor &original, const Tensor &rounded, const WeightInfo &info) {
  constexpr double much = 4;
  if (original.rank() < 2 || info.channel_axis > 1) return std::nullopt;
  Factors factors(original.dims, info);
  std::vector<double> a = to_doubles(original);
  if (!factors.fit(a, to_doubles(rounded))) return std::nullopt;
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= factors.out_of(i) * factors.in_of(i);
  const double left = unlike(from_doubles(DType::float32, original.dims, a), rounded);
  if (!(much * left < unlike(original, rounded))) return std::nullopt;
  return factors;
}

} // namespace

class TrialBuilder {
public:
  TrialBuilder(Graph graph, const OpRegistry &ops) : graph_(std::move(graph)), ops_(ops) {}

  Trials build(const std::vector<Source> &sources) {
    widen_halves();
    for (const NodeId id : graph_.nodes()) {
      if (!graph_.alive(id)) continue;
      if (graph_.node(id).is("QuantizeLinear")) take_value(id);
      if (graph_.node(id).is("DequantizeLinear")) take_constant(id);
    }
    const Source &source = find_originals(sources);
    for (RoundedTensor &tensor : tensors_) tensor.clamp = clamp_of(tensor, source);
    Trials trials;
    trials.graph_ = std::move(graph_);
    trials.tensors_ = std::move(tensors_);
    return trials;
  }

private:
  struct Read {
    std::size_t operand = 0;
  };
  Graph graph_;
  const OpRegistry &ops_;
  std::vector<RoundedTensor> tensors_;
  std::vector<std::size_t> operands_; // of the nodes that read constants, beside tensors_
  std::set<std::string> labels_;

  [[nodiscard]] std::string name_of(ValueId id) const { return graph_.value(id).name; }

  [[nodiscard]] std::optional<Quant> quant_of(const Node &border) const {
    const Tensor *scale = graph_.constant(border.input(1));
    const Tensor *zero = graph_.constant(border.input(2));
    if (scale == nullptr || (border.input(2).valid() && zero == nullptr)) return std::nullopt;
    Quant quant;
    quant.scales = to_floats(*scale);
    quant.zero_points.assign(quant.scales.size(), 0);
    if (zero != nullptr)
      for (std::size_t i = 0; i < quant.scales.size(); ++i)
        quant.zero_points[i] = static_cast<std::int32_t>(to_int64s(*zero)[i]);
    quant.block = border.get_int("block_size", 0);
    const auto rank = graph_.value(border.inputs[0]).type.rank();
    const auto axis = static_cast<int>(border.get_int("axis", 1));
    quant.axis = quant.scales.size() == 1 ? -1 : axis < 0 && rank ? axis + *rank : axis;
    return quant;
  }

  /// A value between QuantizeLinear and the DequantizeLinears that read it.
  void take_value(NodeId id) {
    const Node &node = graph_.node(id);
    const ValueId codes = node.outputs[0];
    const auto quant = quant_of(node);
    if (!quant || graph_.constant(node.inputs[0]) != nullptr || graph_.is_output(codes)) return;
    RoundedTensor tensor{.name = name_of(node.inputs[0]), .dtype = graph_.value(codes).type.dtype, .quant = *quant};
    for (const Use &use : graph_.value(codes).uses) {
      if (!graph_.node(use.node).is("DequantizeLinear")) return;
      tensor.results.push_back(graph_.node(use.node).outputs[0]);
    }
    tensor.reals = node.inputs[0];
    add_value(std::move(tensor));
  }

  void add_value(RoundedTensor tensor) {
    const Node *producer = graph_.producer(tensor.reals);
    tensor.node = producer != nullptr ? producer->label() : "input " + tensor.name;
    tensor.op = producer != nullptr ? producer->op : "";
    if (producer != nullptr && producer->is("Concat"))
      for (const ValueId part : producer->inputs) {
        ValueId real = part; // before its own rounding
        while (graph_.producer(real) != nullptr && is_border(*graph_.producer(real)))
          real = graph_.producer(real)->inputs[0];
        const Node *gives = graph_.producer(real);
        tensor.parts.push_back(gives != nullptr ? gives->label() : name_of(real));
        tensor.part_reals.push_back(real);
      }
    for (const ValueId result : tensor.results)
      for (const Use &use : graph_.value(result).uses) {
        const Node &reader = graph_.node(use.node);
        tensor.softmax = tensor.softmax || reader.is("Softmax") || reader.is("LogSoftmax");
      }
    tensors_.push_back(std::move(tensor));
    operands_.push_back(0);
  }

  static bool is_border(const Node &node) {
    return node.is("QuantizeLinear") || node.is("DequantizeLinear") || node.is("Cast");
  }

  void take_constant(NodeId id) {
    const Node &node = graph_.node(id);
    const Tensor *codes = graph_.constant(node.inputs[0]);
    const auto quant = quant_of(node);
    if (codes == nullptr || !quant || (quant->scales.size() > 1 && quant->axis < 0)) return;
    RoundedTensor tensor{.name = name_of(node.inputs[0]), .dtype = codes->dtype, .quant = *quant};
    tensor.rounded = dequantize(*codes, *quant);
    tensor.reals = node.outputs[0];
    add_constant(std::move(tensor), node.outputs[0]);
  }

  /// `reals` is what readers see, perhaps through a Cast.
  void add_constant(RoundedTensor tensor, ValueId reals) {
    tensor.role = RoundedTensor::Role::weight;
    tensor.results = {reals};
    while (graph_.value(reals).uses.size() == 1 && graph_.node(graph_.value(reals).uses[0].node).is("Identity"))
      reals = graph_.node(graph_.value(reals).uses[0].node).outputs[0];
    if (graph_.value(reals).uses.empty()) return;
    const Use use = graph_.value(reals).uses.front();
    const Node &reader = graph_.node(use.node);
    tensor.node = reader.label();
    tensor.op = reader.op;
    tensor.info = weights_of(graph_, reader, ops_);
    if (tensor.info && tensor.info->bias == use.index) tensor.role = RoundedTensor::Role::bias;
    tensors_.push_back(std::move(tensor));
    operands_.push_back(use.index);
  }

  /// A network of half precision becomes one of float32 with a pair of Casts behind each value that was rounded.
  void widen_halves() {
    std::vector<std::pair<ValueId, DType>> values;
    for (const ValueId id : graph_.values()) {
      const DType dtype = graph_.value(id).type.dtype;
      if (!graph_.value(id).type.is_tensor() || !is_half(dtype)) continue;
      if (const Tensor *data = graph_.constant(id)) {
        const Tensor reals = Tensor::of(data->dims, to_floats(*data));
        RoundedTensor tensor{.name = name_of(id), .dtype = dtype, .rounded = reals};
        tensor.reals = graph_.add_constant(reals, name_of(id));
        graph_.replace_uses(id, tensor.reals);
        halves_.push_back(std::move(tensor));
        continue;
      }
      Type type = graph_.value(id).type;
      type.dtype = DType::float32;
      graph_.set_type(id, std::move(type));
      values.emplace_back(id, dtype);
    }
    for (const NodeId id : graph_.nodes())
      if (graph_.node(id).is("Cast") && is_float(graph_.value(graph_.node(id).inputs[0]).type.dtype) &&
          graph_.value(graph_.node(id).outputs[0]).type.dtype == DType::float32) {
        graph_.set_op(id, "Identity");
        graph_.remove_attribute(id, "to");
      }
    for (RoundedTensor &tensor : halves_) {
      const ValueId reals = tensor.reals;
      add_constant(std::move(tensor), reals);
    }
    for (const auto &[id, dtype] : values) round_half(id, dtype);
  }

  void round_half(ValueId id, DType dtype) {
    const Node *producer = graph_.producer(id);
    const OpDef *op = producer != nullptr ? ops_.find(*producer) : nullptr;
    const bool narrows = producer != nullptr && producer->is("Identity");
    if (op != nullptr && op->moves_data && !narrows) return; // it gives what was rounded before
    const std::vector<Use> uses = graph_.value(id).uses;
    Type type = graph_.value(id).type;
    const auto cast = [&](ValueId from, DType to) {
      Node node{.op = "Cast", .inputs = {from}, .attributes = {{"to", static_cast<std::int64_t>(to)}}};
      type.dtype = to;
      return graph_.add_op(std::move(node), type);
    };
    RoundedTensor tensor{.name = name_of(id), .dtype = dtype};
    tensor.reals = id;
    tensor.results = {cast(cast(id, dtype), DType::float32)};
    for (const Use &use : uses) {
      const std::size_t inputs = graph_.node(use.node).inputs.size();
      if (use.index < inputs)
        graph_.set_input(use.node, use.index, tensor.results[0]);
      else
        graph_.set_capture(use.node, use.index - inputs, tensor.results[0]);
    }
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i)
      if (graph_.outputs()[i].value == id) graph_.set_output(i, tensor.results[0]);
    add_value(std::move(tensor));
  }

  /// The source whose constants are more like the file's, after they were looked up there.
  const Source &find_originals(const std::vector<Source> &sources) {
    const Source *best = nullptr;
    double least = 0;
    for (const Source &source : sources) {
      double sum = 0;
      for (std::size_t i = 0; i < tensors_.size(); ++i) {
        if (!tensors_[i].is_constant()) continue;
        const Tensor *data = source.constant(tensors_[i].node, operands_[i], tensors_[i].rounded.dims);
        sum += data == nullptr ? 1 : unlike(*data, tensors_[i].rounded);
      }
      if (best == nullptr || sum < least) best = &source, least = sum;
    }
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (tensors_[i].is_constant())
        if (const Tensor *data = best->constant(tensors_[i].node, operands_[i], tensors_[i].rounded.dims))
          tensors_[i].original = *data;
    for (RoundedTensor &tensor : tensors_)
      if (tensor.original && tensor.info && tensor.role == RoundedTensor::Role::weight) follow_equalization(tensor);
    for (const NodeId id : graph_.nodes()) labels_.insert(graph_.node(id).label());
    return *best;
  }

  /// An equalized layer's float weights and bias are those of the float network times its factors.
  void follow_equalization(RoundedTensor &weight) {
    if (weight.original->rank() < 2 || weight.info->channel_axis > 1) return;
    const std::vector<double> before = factors_before(weight.node);
    auto factors = factors_of(*weight.original, weight.rounded, *weight.info);
    if (!factors && (weight.info->groups == 1 || before.empty())) return;
    if (!factors) factors.emplace(weight.original->dims, *weight.info); // a depthwise layer hands on what it reads
    std::vector<double> values = to_doubles(*weight.original);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= factors->out_of(i) * factors->in_of(i);
    weight.original = from_doubles(DType::float32, weight.original->dims, values);
    std::vector<double> out = factors->out;
    // Inputs are divided by what the layer before them was multiplied with: that tells the factor of all.
    const bool known = before.size() == factors->in.size();
    double common = 0;
    for (std::size_t k = 0; k < factors->in.size(); ++k) common += factors->in[k] * (known ? before[k] : 1);
    common /= static_cast<double>(factors->in.size());
    const bool depthwise = factors->in.size() == 1 && before.size() == out.size();
    for (std::size_t k = 0; k < out.size(); ++k) out[k] *= depthwise ? factors->in[0] * before[k] : common;
    for (RoundedTensor &bias : tensors_) {
      if (bias.role != RoundedTensor::Role::bias || bias.node != weight.node || !bias.original) continue;
      std::vector<double> reals = to_doubles(*bias.original);
      for (std::size_t k = 0; k < reals.size() && reals.size() == out.size(); ++k) reals[k] *= out[k];
      bias.original = from_doubles(DType::float32, bias.original->dims, reals);
    }
    layer_factors_[weight.node] = std::move(out);
  }

  /// Of the outputs of the layer whose values, perhaps rounded and activated, this one reads; empty: it has none.
  [[nodiscard]] std::vector<double> factors_before(const std::string &label) const {
    constexpr int longest = 12;
    const auto ids = graph_.nodes();
    const auto layer = std::ranges::find_if(ids, [&](NodeId id) { return graph_.node(id).label() == label; });
    if (layer == ids.end()) return {};
    const Node *node = &graph_.node(*layer);
    for (int step = 0; step < longest; ++step) {
      node = graph_.producer(node->input(0));
      if (node == nullptr) return {};
      if (const auto found = layer_factors_.find(node->label()); found != layer_factors_.end()) return found->second;
      const OpDef *op = ops_.find(*node);
      if (op == nullptr || op->weights != nullptr) return {};
    }
    return {};
  }

  /// The activation behind the node in the float network that the file does not have.
  std::optional<Clamp> clamp_of(const RoundedTensor &tensor, const Source &source) const {
    const Node *node = tensor.is_constant() ? nullptr : source.find(tensor.node);
    for (int step = 0; node != nullptr && step < longest_chain; ++step) {
      const NodeId next = source.graph.sole_user(node->outputs[0]);
      if (!next.valid()) return std::nullopt;
      node = &source.graph.node(next);
      if (labels_.contains(node->label())) return std::nullopt;
      if (const auto clamp = as_clamp(source.graph, *node)) return clamp;
    }
    return std::nullopt;
  }

  std::vector<RoundedTensor> halves_;
  std::map<std::string, std::vector<double>> layer_factors_; // of equalized layers' outputs, by label
};

namespace {

ValueId clamped(Graph &graph, ValueId value, Clamp clamp) {
  const Type type = graph.value(value).type;
  for (const auto &[op, bound] : {std::pair{"Max", clamp.low}, {"Min", clamp.high}}) {
    if (std::isinf(bound)) continue;
    Node node{.op = op, .inputs = {value, graph.add_constant(Tensor::scalar(static_cast<float>(bound)))}};
    value = graph.add_op(std::move(node), type);
  }
  return value;
}

} // namespace

Graph Trials::with(const std::vector<bool> &rounded) const {
  Graph graph = graph_;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const RoundedTensor &tensor = tensors_[i];
    if (rounded[i] || !tensor.can_be_real()) continue;
    const ValueId real = tensor.is_constant() ? graph.add_constant(*tensor.original)
                         : tensor.clamp       ? clamped(graph, tensor.reals, *tensor.clamp)
                                              : tensor.reals;
    for (const ValueId result : tensor.results) graph.replace_uses(result, real);
  }
  graph.remove_dead();
  [[maybe_unused]] const Status sorted = graph.sort(); // it had no cycle before
  return graph;
}

Result<Trials> Trials::make(const Model &reference, const Model &test, const OpRegistry &ops) {
  EDGEC_ASSIGN(Graph graph, written_out(test, ops));
  std::vector<Source> sources;
  sources.emplace_back(reference.graph);
  Graph optimized = reference.graph;
  if (run_pipeline(optimized, exact_pipeline(), PassContext{.ops = ops})) sources.emplace_back(std::move(optimized));
  return TrialBuilder(std::move(graph), ops).build(sources);
}

} // namespace edgec
