// One codebook for the network: `--share BITS --share-codebook network`. Each weight is scale * codebook[index], a
// scale per tensor, so that many small tensors do not store a codebook each: W becomes Mul(Gather(codebook,
// Cast(indices)), scale) with one codebook initializer for all. Values are fitted in rounds over the whole network
// (compress/sharing.h): in each one layer after another is refit on what the compressed layers before it give, finds
// its scale and its indices, and says which values would serve it, by its H and by what its error means to the answers.
// Pruned weights stay zero.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "compress/sharing.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/scheme.h"
#include "schemes/share/lookup.h"
#include "schemes/share/options.h"
#include "schemes/share/refit_layer.h"
#include "support/cancel.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view pass_name = "share-network";
constexpr std::size_t positions = 256;
constexpr int rounds = 3; // the last one only fits layers

class NetworkSharer {
public:
  NetworkSharer(const Graph &graph, const Job &job)
      : graph_(graph), job_(job), original_(job.original != nullptr ? *job.original : graph) {
    layers_ = float_layers_in_scope(graph_, job_, pass_name);
    masks_ = aim_at_original(layers_, original_, job_);
  }

  Result<std::optional<Graph>> run() {
    if (layers_.empty()) return std::optional<Graph>();
    std::vector<NodeId> nodes;
    for (const Layer &layer : layers_) nodes.push_back(layer.node);
    EDGEC_ASSIGN(sensitivities_, layer_sensitivities(original_, nodes, job_));
    EDGEC_ASSIGN(const Calibration calibrated, target_means(original_, layers_, job_));
    const int both[] = {0, 1};
    const RangeStatistics means = calibrated.merged(both);
    values_ = start();
    for (int round = 1; round < rounds; ++round) {
      EDGEC_ASSIGN(const Graph ignored, fitted(means));
      values_ = solve_values(equations_, std::move(values_), keep_zero_);
    }
    EDGEC_ASSIGN(Graph graph, fitted(means));
    look_up(graph);
    return std::optional<Graph>(std::move(graph));
  }

private:
  Graph graph_; // its layers normalized
  const Job &job_;
  Graph original_;
  std::vector<Layer> layers_;
  LayerMasks masks_;
  std::map<NodeId, double> sensitivities_;
  bool keep_zero_ = false;
  std::vector<float> values_;
  ValueEquations equations_;           // of the last round
  std::map<NodeId, CodedLayer> coded_; // the same

  std::vector<float> start() {
    std::vector<float> numbers;
    for (const Layer &layer : layers_) {
      keep_zero_ = keep_zero_ || !mask_of(masks_, layer).empty();
      const double power = inner_product(layer.original, layer.original);
      const double rms = std::sqrt(power / static_cast<double>(std::max<std::size_t>(layer.original.data.size(), 1)));
      for (const double w : layer.original.data) numbers.push_back(rms > 0 ? static_cast<float>(w / rms) : 0.0F);
    }
    return first_values(numbers, job_.options<ShareOptions>().bits, keep_zero_);
  }

  /// The network with each layer fitted to the present values.
  Result<Graph> fitted(const RangeStatistics &means) {
    Graph graph = graph_;
    equations_ = ValueEquations(values_.size());
    std::vector<Layer> layers = layers_;
    LayerSteps steps;
    steps.positions = positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) { return fit(graph, layer, groups); };
    EDGEC_CHECK(fit_float_layers(graph, pointers_to(layers), {original_, means}, job_, "sharing weights", steps));
    return graph;
  }

  Result<Matrix> fit(Graph &graph, const Layer &layer, std::span<const FitGroup> groups) {
    const std::span<const Mask> kept = mask_of(masks_, layer);
    EDGEC_ASSIGN(const auto weights, refit_layer(groups, kept, job_.threads));
    EDGEC_ASSIGN(CodedLayer coded, fit_codes(weights, groups, kept, values_, job_.threads));
    const double scale = static_cast<double>(coded.scale);
    equations_.add(coded.equations, sensitivities_.at(layer.node) * scale * scale);
    Matrix all(layer.original.rows, layer.original.columns);
    std::size_t place = 0;
    for (const auto &part : coded.codes)
      for (const std::uint8_t code : part) all.data[place++] = static_cast<double>(coded.scale * values_[code]);
    store_float_weight(graph, layer, all);
    coded.equations = ValueEquations();
    coded_[layer.node] = std::move(coded);
    return all;
  }

  void look_up(Graph &graph) {
    const ValueId codebook =
        graph.add_constant(Tensor::of({static_cast<std::int64_t>(values_.size())}, values_), "codebook");
    std::size_t tensors = 0;
    for (const Layer &layer : layers_) {
      const auto found = coded_.find(layer.node);
      if (found == coded_.end()) continue;
      std::vector<std::uint8_t> codes;
      for (const auto &part : found->second.codes) codes.insert(codes.end(), part.begin(), part.end());
      codes = as_stored(std::move(codes), layer.dims, layer.weights);
      const std::string label = graph.node(layer.node).label();
      const ValueId weight = graph.node(layer.node).inputs[layer.weights.weight];
      const auto shared =
          add_scaled_lookup(graph, weight, codebook, found->second.scale, codes,
                            index_type(graph, job_.options<ShareOptions>().bits), job_, pass_name, label);
      if (!shared) continue;
      graph.set_input(layer.node, layer.weights.weight, *shared);
      graph.remove(weight);
      job_.say(pass_name, label, fmt::format("{} weights, scale {:.4g}", codes.size(), found->second.scale));
      ++tensors;
    }
    if (tensors == 0)
      graph.remove(codebook);
    else
      job_.say(pass_name, "", fmt::format("{} tensors share {} values", tensors, values_.size()));
  }
};

/// Whether a node reads another constant than before: where there are no more weights than shared values, and a table
/// would be larger than they are, all may stay.
bool reads_others(const Graph &before, const Graph &after) {
  return std::ranges::any_of(before.nodes(), [&](NodeId id) {
    const std::size_t operands = std::max(before.node(id).inputs.size(), after.node(id).inputs.size());
    for (std::size_t i = 0; i < operands; ++i) {
      const Tensor *was = before.constant(before.node(id).input(i)), *is = after.constant(after.node(id).input(i));
      if ((was == nullptr) != (is == nullptr) || (was != nullptr && !identical(*was, *is))) return true;
    }
    return false;
  });
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  EDGEC_ASSIGN(auto shared, NetworkSharer(graph, job).run());
  if (!shared || !reads_others(graph, *shared)) return SchemeOutcome{};
  graph = std::move(*shared);
  return SchemeOutcome{.changed = true};
}

bool wanted(const Settings &settings) {
  const auto &share = settings.get<ShareOptions>();
  return share.bits > 0 && share.one_for_all();
}

} // namespace

extern const SchemeDef share_network;
const SchemeDef share_network{.name = pass_name,
                              .flag = "--share-codebook network",
                              .summary = "2^BITS values for all tensors together, each with a scale",
                              .place = 60,
                              .needs = Needs::data,
                              .fits = true,
                              .learns = Learns::codes,
                              .uncodes = always,
                              .wanted = wanted,
                              .least_opset = lookup_opset,
                              .run = run};

} // namespace edgec::schemes
