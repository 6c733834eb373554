// Removes channels that say nothing: those that are the same number everywhere, because all weights that make them are
// zero (BatchNormalization with a scale of zero, folded, leaves such rows), and those that nobody reads, because all
// weights that read them are zero.
//
//     a = Conv(x, w, b)  y = Relu(a)  z = Conv(y, v, c)
//     becomes, for channels k with w[k] = 0,  w', b', v' without k  and  c' = c + sum over k of Relu(b[k]) * v[:, k]
//
// A constant goes on through what links channels (activations, pools, sums, concatenations) as far as the operators'
// references keep it constant; the reader's bias takes up what it contributes. Not where
//  - a constant other than zero meets the reader's zero padding: it is none at the border then;
//  - the reader has no bias to take it up (MatMul), or something in between cannot lose a channel (ChannelMap says
//  what);
//  - it is the last channel of an axis: one stays, or, where asked, a multiple of some number.
//
// A row counts as zero below 1e-9 of its layer's root mean square: what it does is far below float's own rounding.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "ir/evaluate.h"
#include "measure/sizes.h"
#include "passes/channels.h"
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "eliminate-dead-channels";
constexpr double negligible = 1e-9;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t largest_evaluation = 1 << 24; // elements of an operand or output that a reference is run on

/// For each index of `axis`: is the slice's norm nothing beside the others'?
std::vector<char> zero_slices(const Tensor &tensor, int axis) {
  const auto values = to_doubles(tensor);
  const auto size = static_cast<std::size_t>(tensor.dims[static_cast<std::size_t>(axis)]);
  const auto inner = static_cast<std::size_t>(
      element_count(std::span(tensor.dims).subspan(static_cast<std::size_t>(axis) + 1)).value_or(1));
  std::vector<double> squares(size);
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) squares[i / inner % size] += values[i] * values[i];
  for (const double square : squares) total += square;
  std::vector<char> zero(size);
  for (std::size_t i = 0; i < size; ++i)
    zero[i] = squares[i] <= negligible * negligible * total / static_cast<double>(size); // false for NaN
  return zero;
}

/// Dims with what is unknown in front (a batch) taken as 1; nothing where more is unknown or it is too large.
std::optional<Dims> unit_batch(const Type &type) {
  if (!type.shape) return std::nullopt;
  Dims dims;
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    if (i > 0 && !(*type.shape)[i].is_known()) return std::nullopt;
    dims.push_back(i == 0 ? 1 : (*type.shape)[i].size);
  }
  const auto count = element_count(dims);
  return count && *count <= largest_evaluation ? std::optional(dims) : std::nullopt;
}

/// A tensor of `dims` that is values[i] at index i of `axis`, 0 where that is not known.
Tensor filled(DType dtype, const Dims &dims, int axis, std::span<const double> values) {
  const auto at = static_cast<std::size_t>(axis);
  const auto inner = static_cast<std::size_t>(element_count(std::span(dims).subspan(at + 1)).value_or(1));
  std::vector<double> data(static_cast<std::size_t>(element_count(dims).value_or(0)));
  for (std::size_t i = 0; i < data.size(); ++i) {
    const double value = values[i / inner % static_cast<std::size_t>(dims[at])];
    data[i] = std::isnan(value) ? 0 : value;
  }
  return from_doubles(dtype, dims, data);
}

/// For each index of `axis` the number that all its elements are, to within rounding; NaN: they differ.
std::vector<double> constant_slices(const Tensor &tensor, int axis) {
  const auto values = to_doubles(tensor);
  const auto at = static_cast<std::size_t>(axis);
  const auto size = static_cast<std::size_t>(tensor.dims[at]);
  const auto inner = static_cast<std::size_t>(element_count(std::span(tensor.dims).subspan(at + 1)).value_or(1));
  std::vector<double> low(size, std::numeric_limits<double>::infinity()),
      high(size, -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < values.size(); ++i) {
    double &l = low[i / inner % size], &h = high[i / inner % size];
    l = std::isnan(values[i]) ? values[i] : std::min(l, values[i]);
    h = std::max(h, values[i]);
  }
  std::vector<double> found(size, unknown);
  for (std::size_t i = 0; i < size; ++i)
    if (std::isfinite(low[i]) && high[i] - low[i] <= 1e-6 * std::max(std::abs(low[i]), std::abs(high[i])))
      found[i] = low[i] + (high[i] - low[i]) / 2;
  return found;
}

/// The first output of a node for other operands; null operands are omitted.
std::optional<Tensor> first_output(const Graph &graph, const OpRegistry &ops, const Node &node,
                                   std::span<const Tensor *const> inputs) {
  const OpDef *op = ops.find(node);
  if (!op || !op->reference || !op->deterministic) return std::nullopt;
  auto results = evaluate_node(*op, node, graph.opset(node.domain), inputs);
  if (!results || results->empty() || !results->front().tensor) return std::nullopt;
  return std::move(*results->front().tensor);
}

/// Which places of a map hold one number everywhere, whatever the network's input.
class Constants {
public:
  Constants(const Graph &graph, const OpRegistry &ops, const ChannelMap &map) : graph_(graph), ops_(ops), map_(map) {
    for (const ChannelAxis &axis : map.axes())
      values_.resize(std::max(values_.size(), axis.first + static_cast<std::size_t>(axis.size)), unknown);
    for (const NodeId id : graph.nodes()) {
      zero_rows(id);
      carry(id);
    }
  }
  /// NaN: not known to be constant.
  [[nodiscard]] double operator[](std::size_t place) const { return values_[place]; }

private:
  const Graph &graph_;
  const OpRegistry &ops_;
  const ChannelMap &map_;
  std::vector<double> values_;

  [[nodiscard]] bool free(std::size_t place) const { return map_.wall(map_.set_of(place)).empty(); }

  /// Output channels of weights that are all zero hold the bias.
  void zero_rows(NodeId id) {
    const Node &node = graph_.node(id);
    const auto info = node.outputs.size() == 1 ? weights_of(graph_, node, ops_) : std::nullopt;
    const Tensor *weight = info ? graph_.constant(node.input(info->weight)) : nullptr;
    const ChannelAxis *out = info ? map_.axis(node.outputs[0], info->output_axis) : nullptr;
    if (!weight || !out || !is_wide_float(type_of(graph_, node.inputs[info->weight]))) return;
    const std::vector<char> zero = zero_slices(*weight, info->channel_axis);
    if (static_cast<std::int64_t>(zero.size()) != out->size) return; // a transposed convolution in groups
    const ValueId bias_id = info->bias ? node.input(*info->bias) : ValueId{};
    const auto bias = reals(graph_, bias_id);
    if (bias_id.valid() && (!bias || (bias->size() != 1 && bias->size() != zero.size()))) return;
    if (bias && bias->size() > 1 && graph_.constant(bias_id)->dims.back() != out->size) return;
    for (std::size_t i = 0; i < zero.size(); ++i)
      if (zero[i] && free(out->first + i)) // the factor is Gemm's
        values_[out->first + i] = bias ? (*bias)[bias->size() == 1 ? 0 : i] * node.get_float("beta", 1) : 0;
  }

  /// Output channels that come from constant ones only are what the operator's reference makes of those.
  void carry(NodeId id) {
    const Node &node = graph_.node(id);
    if (node.outputs.size() != 1 || !node.captures.empty()) return;
    const Axes axes = node_axes(graph_, ops_, id);
    for (int axis = 0; const ChannelAxis *out = map_.axis(node.outputs[0], axis); ++axis) {
      if (out->size == 0) continue;
      const auto sources = channel_sources(axes, axis, out->size);
      std::vector<std::size_t> wanted;
      for (std::size_t o = 0; o < sources.size(); ++o)
        if (free(out->first + o) && all_constant(id, sources[o])) wanted.push_back(o);
      if (wanted.empty()) continue;
      const auto made = evaluate(id, sources, axis, *out);
      for (const std::size_t o : wanted)
        if (o < made.size() && !std::isnan(made[o])) values_[out->first + o] = made[o];
    }
  }

  [[nodiscard]] bool all_constant(NodeId id, const std::vector<ChannelSource> &sources) const {
    const Node &node = graph_.node(id);
    std::vector<char> known(node.inputs.size());
    for (std::size_t i = 0; i < known.size(); ++i)
      known[i] = !node.inputs[i].valid() || graph_.constant(node.inputs[i]);
    bool any = false;
    for (const ChannelSource &source : sources) {
      if (graph_.constant(node.inputs[source.operand])) continue;
      const ChannelAxis *from = map_.axis(node.inputs[source.operand], source.axis);
      if (!from || source.index >= from->size ||
          std::isnan(values_[from->first + static_cast<std::size_t>(source.index)]))
        return false;
      known[source.operand] = 1;
      any = true;
    }
    return any && std::ranges::find(known, 0) == known.end();
  }

  std::vector<double> evaluate(NodeId id, const std::vector<std::vector<ChannelSource>> &sources, int axis,
                               const ChannelAxis &out) const {
    const Node &node = graph_.node(id);
    const auto dims_out = unit_batch(graph_.value(node.outputs[0]).type);
    if (!dims_out) return {};
    std::vector<Tensor> tensors(node.inputs.size());
    std::vector<const Tensor *> inputs(node.inputs.size(), nullptr);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!node.inputs[i].valid()) continue;
      if (const Tensor *data = graph_.constant(node.inputs[i])) {
        inputs[i] = data;
        continue;
      }
      const auto linked = std::ranges::find_if(
          sources, [&](const auto &each) { return std::ranges::find(each, i, &ChannelSource::operand) != each.end(); });
      const auto dims = unit_batch(graph_.value(node.inputs[i]).type);
      if (linked == sources.end() || !dims) return {};
      const int from_axis = std::ranges::find(*linked, i, &ChannelSource::operand)->axis;
      const ChannelAxis *from = map_.axis(node.inputs[i], from_axis);
      if (!from || from->size == 0) return {};
      tensors[i] = filled(graph_.value(node.inputs[i]).type.dtype, *dims, from_axis,
                          std::span(values_).subspan(from->first, static_cast<std::size_t>(from->size)));
      inputs[i] = &tensors[i];
    }
    const auto made = first_output(graph_, ops_, node, inputs);
    const bool fits = made && axis < made->rank() && made->dims[static_cast<std::size_t>(axis)] == out.size;
    return fits ? constant_slices(*made, axis) : std::vector<double>();
  }
};

/// What the cut channels of one reader add to its output: [channels]; empty where that differs from place to place.
std::vector<double> contribution(const Graph &graph, const OpRegistry &ops, const ChannelSum &sum,
                                 const std::vector<std::int64_t> &indices, const std::vector<double> &constants) {
  const Node &node = graph.node(sum.node);
  const auto info = weights_of(graph, node, ops);
  auto dims = unit_batch(graph.value(node.inputs[0]).type);
  if (!info || !dims) return {};
  (*dims)[static_cast<std::size_t>(sum.tie.input_axis)] = static_cast<std::int64_t>(indices.size());
  const Tensor weight = take(*graph.constant(node.inputs[1]), sum.tie.other_axis, indices);
  const Tensor data = filled(weight.dtype, *dims, sum.tie.input_axis, constants);
  const Tensor *inputs[] = {&data, &weight};
  const auto made = first_output(graph, ops, node, inputs);
  if (!made || info->output_axis >= made->rank()) return {};
  auto found = constant_slices(*made, info->output_axis);
  return std::ranges::any_of(found, [](double x) { return std::isnan(x); }) ? std::vector<double>() : found;
}

/// Adds to the bias of a node; false where it has none that could take it.
bool add_to_bias(Graph &graph, const OpRegistry &ops, NodeId id, const std::vector<double> &more) {
  const Node &node = graph.node(id);
  const auto info = weights_of(graph, node, ops);
  if (!info || !info->bias) return false;
  const ValueId old = node.input(*info->bias);
  auto values = old.valid() ? reals(graph, old) : std::vector<double>(more.size());
  const DType dtype = graph.value(node.inputs[info->weight]).type.dtype;
  if (!values || (values->size() != 1 && values->size() != more.size())) return false;
  if (old.valid() && values->size() > 1 && graph.constant(old)->dims.back() != static_cast<std::int64_t>(more.size()))
    return false;
  values->resize(more.size(), values->front());
  const double factor = old.valid() ? node.get_float("beta", 1) : 1;
  for (std::size_t i = 0; i < more.size(); ++i) (*values)[i] = (*values)[i] * factor + more[i];
  const std::string name = old.valid() ? graph.value(old).name : "";
  const std::size_t operand = *info->bias;
  graph.set_input(id, operand,
                  graph.add_constant(from_doubles(dtype, {static_cast<std::int64_t>(more.size())}, *values), name));
  graph.remove_attribute(id, "beta");
  return true;
}

/// Finds and removes dead channels of one graph.
class Removal {
public:
  Removal(Graph &graph, const PassContext &context)
      : graph_(graph), context_(context), map_(graph, context.ops), constants_(graph, context.ops, map_) {}

  Result<bool> run() {
    find_readers();
    std::vector<std::size_t> dead;
    for (const auto &[set, readers] : readers_)
      if (map_.wall(set).empty() &&
          std::ranges::all_of(readers, [&](const Reader &reader) { return says_nothing(reader); }))
        dead.push_back(set);
    refuse_varying(dead);
    const auto all = channels_among(dead);
    dead = leave_multiples(map_, std::move(dead), context_.channel_multiple);
    report_kept(all, channels_among(dead));
    if (dead.empty()) return false;
    const auto removed = channels_among(dead);
    Graph changed = graph_;
    move_constants(changed, dead);
    EDGEC_CHECK(cut(changed, dead));
    const auto macs = [&](const Graph &graph) {
      return measure_sizes(with_unit_dims(graph, context_.ops), context_.ops, false).macs;
    };
    const double before = macs(graph_), after = macs(changed);
    graph_ = std::move(changed);
    for (const auto &[label, count, size] : removed)
      context_.say(pass, label, fmt::format("{} of {} channels are dead: removed", count, size));
    if (before > 0)
      context_.say(
          pass, "",
          fmt::format("dead channels took {:.1f} % of the multiply-accumulates", 100 * (before - after) / before));
    return true;
  }

private:
  /// Index `index` of a sum's axis, read from the place `data`.
  struct Reader {
    const ChannelSum *sum;
    std::int64_t index;
    std::size_t data;
    bool weighted; ///< the other operand is a constant
    bool zero;     ///< its weights at the index are all zero
  };

  Graph &graph_;
  const PassContext &context_;
  ChannelMap map_;
  Constants constants_;
  std::map<std::size_t, std::vector<Reader>> readers_; // by set

  void find_readers() {
    for (const ChannelSum &sum : map_.sums()) {
      const Node &node = graph_.node(sum.node);
      for (const bool swapped : {false, true}) {
        const std::size_t from = swapped ? sum.tie.other : sum.tie.input,
                          other = swapped ? sum.tie.input : sum.tie.other;
        const int from_axis = swapped ? sum.tie.other_axis : sum.tie.input_axis,
                  other_axis = swapped ? sum.tie.input_axis : sum.tie.other_axis;
        const ChannelAxis *data = map_.axis(node.inputs[from], from_axis);
        if (!data || data->size == 0) continue;
        const Tensor *weight = graph_.constant(node.inputs[other]);
        const bool wide = weight && is_wide_float(type_of(graph_, node.inputs[other]));
        const auto zero =
            wide ? zero_slices(*weight, other_axis) : std::vector<char>(static_cast<std::size_t>(data->size));
        for (std::int64_t i = 0; i < data->size; ++i) {
          const std::size_t place = data->first + static_cast<std::size_t>(i);
          readers_[map_.set_of(place)].push_back(
              {&sum, i, place, wide && !swapped, zero[static_cast<std::size_t>(i)] != 0});
        }
      }
    }
  }

  /// What the reader sums up of the channel is nothing, or a constant.
  [[nodiscard]] bool says_nothing(const Reader &reader) const {
    if (reader.zero) return true;
    const double constant = constants_[reader.data];
    return constant == 0 || (reader.weighted && !std::isnan(constant));
  }

  /// Indices of each sum that bring a constant other than zero, of the sets in `dead`.
  [[nodiscard]] std::map<const ChannelSum *, std::vector<const Reader *>>
  constant_terms(const std::vector<std::size_t> &dead) const {
    std::map<const ChannelSum *, std::vector<const Reader *>> terms;
    for (const std::size_t set : dead)
      for (const Reader &reader : readers_.at(set))
        if (!reader.zero && constants_[reader.data] != 0) terms[reader.sum].push_back(&reader);
    return terms;
  }

  [[nodiscard]] std::vector<double> contribution_of(const Graph &graph, const ChannelSum &sum,
                                                    const std::vector<const Reader *> &terms) const {
    std::vector<std::pair<std::int64_t, double>> sorted;
    for (const Reader *reader : terms) sorted.emplace_back(reader->index, constants_[reader->data]);
    std::ranges::sort(sorted);
    std::vector<std::int64_t> indices;
    std::vector<double> constants;
    for (const auto &[index, constant] : sorted) indices.push_back(index), constants.push_back(constant);
    return contribution(graph, context_.ops, sum, indices, constants);
  }

  /// Takes off the list what adds no constant to a reader's output, or to one that cannot take it up.
  void refuse_varying(std::vector<std::size_t> &dead) const {
    Graph trial = graph_;
    for (const auto &[sum, terms] : constant_terms(dead)) {
      const auto more = contribution_of(trial, *sum, terms);
      if (!more.empty() && add_to_bias(trial, context_.ops, sum->node, more)) continue;
      for (const Reader *reader : terms) std::erase(dead, map_.set_of(reader->data));
      context_.skip(pass, graph_.node(sum->node).label(),
                    fmt::format("constant channels that it reads: {}, kept, since they {}", terms.size(),
                                more.empty() ? "meet zero padding" : "need a bias to take them up"));
    }
  }

  void move_constants(Graph &graph, const std::vector<std::size_t> &dead) const {
    for (const auto &[sum, terms] : constant_terms(dead))
      add_to_bias(graph, context_.ops, sum->node, contribution_of(graph, *sum, terms));
  }

  /// Cuts the sets of the map from a graph in which biases are new constants, of which the map knows nothing.
  Status cut(Graph &graph, const std::vector<std::size_t> &dead) const {
    const ChannelMap map(graph, context_.ops);
    std::set<std::size_t> found;
    for (const std::size_t set : dead) {
      const std::size_t place = readers_.at(set).front().data;
      const ChannelAxis &old = map_.axis_of(place);
      found.insert(map.set_of(map.axis(old.value, old.axis)->first + place - old.first));
    }
    return cut_channels(graph, context_.ops, map, std::vector<std::size_t>(found.begin(), found.end()));
  }

  /// How many channels of a node with weights are among some sets.
  struct Count {
    std::string label;
    std::int64_t count, size;
  };

  /// In the order of nodes; those that have none are left out.
  [[nodiscard]] std::vector<Count> channels_among(const std::vector<std::size_t> &sets) const {
    std::vector<Count> found;
    for (const NodeId id : graph_.nodes()) {
      const Node &node = graph_.node(id);
      const auto info = weights_of(graph_, node, context_.ops);
      const ChannelAxis *out = info ? map_.axis(node.outputs[0], info->output_axis) : nullptr;
      if (!out) continue;
      std::int64_t count = 0;
      for (std::int64_t i = 0; i < out->size; ++i)
        count += std::ranges::find(sets, map_.set_of(out->first + static_cast<std::size_t>(i))) != sets.end() ? 1 : 0;
      if (count > 0) found.push_back({node.label(), count, out->size});
    }
    return found;
  }

  /// Dead channels that stay because runtimes are slow on other numbers of them.
  void report_kept(const std::vector<Count> &dead, const std::vector<Count> &removed) const {
    if (context_.channel_multiple == 1) return;
    for (const auto &[label, count, size] : dead) {
      const auto found = std::ranges::find(removed, label, &Count::label);
      const std::int64_t kept = count - (found == removed.end() ? 0 : found->count);
      if (kept > 0)
        context_.skip(
            pass, label,
            fmt::format("{} of {} channels are dead, {} of them kept: all or a multiple of {} stay, which runtimes "
                        "compute faster (--channel-multiple 1 removes them)",
                        count, size, kept, context_.channel_multiple));
    }
  }
};

Result<bool> run(Graph &graph, const PassContext &context) { return Removal(graph, context).run(); }

} // namespace

extern const PassDef eliminate_dead_channels;
const PassDef eliminate_dead_channels{"eliminate-dead-channels",
                                      "Remove channels that are constant, or that nobody reads", run};

} // namespace edgec::passes
