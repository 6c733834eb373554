// Weight sharing with calibration samples: `--share BITS`. As share-weights (2^BITS values a tensor and indices), but
// layer by layer on what the compressed layers before give: the weights are refit to the original's outputs, values and
// indices chosen so that those outputs suffer least (compress/sharing.h), the bias so that the means behind the
// activation stay. Weights that pruning made zero stay zero.
#include <fmt/format.h>
#include <map>

#include "compress/sharing.h"
#include "passes/share/_lookup.h"
#include "passes/share/_refit_layer.h"
#include "support/cancel.h"

namespace edgec::passes {
namespace {

constexpr std::string_view name = "share-second-order";
constexpr std::size_t positions = 256;

struct Lookup {
  std::vector<float> values;
  std::vector<std::uint8_t> codes; // as the weight lies
};

class Sharer {
public:
  Sharer(Graph &graph, const PassContext &context)
      : graph_(graph), context_(context), original_(context.original != nullptr ? *context.original : graph) {
    layers_ = float_layers_in_scope(graph_, context_, name);
  }

  Result<bool> run() {
    if (layers_.empty()) return false;
    EDGEC_ASSIGN(const Calibration means, target_means(original_, layers_, context_));
    LayerSteps steps;
    steps.positions = positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) { return fit(layer, groups); };
    steps.store_bias = [&](Layer &layer) { store_float_bias(graph_, layer); };
    steps.progress = layer_progress(context_, "sharing weights");
    std::vector<Layer *> all;
    for (Layer &layer : layers_) all.push_back(&layer);
    const int both[] = {0, 1};
    EDGEC_CHECK(compress_layers(graph_, original_, all, means.merged(both), context_, steps));
    for (const Layer &layer : layers_) look_up(layer);
    return true;
  }

private:
  Graph &graph_;
  const PassContext &context_;
  Graph original_;
  std::vector<Layer> layers_;
  std::map<NodeId, Lookup> lookups_;

  Result<Matrix> fit(Layer &layer, std::span<const FitGroup> groups) {
    const std::vector<Matrix> fitted = refit_layer(layer, groups, context_.threads);
    const SharedWeights shared = fit_codebook(fitted, groups, masks_of(layer), context_.lossy.share_bits, context_.threads);
    EDGEC_CHECK(check_interrupted());
    Matrix all(layer.original.rows, layer.original.columns);
    std::vector<std::uint8_t> codes;
    for (const auto &part : shared.codes) codes.insert(codes.end(), part.begin(), part.end());
    for (std::size_t i = 0; i < codes.size(); ++i) all.data[i] = static_cast<double>(shared.values[codes[i]]);
    store_float_weight(graph_, layer, all);
    lookups_[layer.node] = {shared.values, as_stored(std::move(codes), layer.dims, layer.weights)};
    return all;
  }

  void look_up(const Layer &layer) {
    const auto found = lookups_.find(layer.node);
    if (found == lookups_.end()) return;
    const auto &[values, codes] = found->second;
    const std::string label = graph_.node(layer.node).label();
    const ValueId weight = graph_.node(layer.node).inputs[layer.weights.weight];
    const auto shared = add_lookup(graph_, weight, values, codes, index_type(graph_, context_.lossy.share_bits), context_, name, label);
    if (!shared) return;
    graph_.set_input(layer.node, layer.weights.weight, *shared);
    graph_.remove(weight);
    context_.say(name, label, fmt::format("{} weights share {} values", codes.size(), values.size()));
  }
};

Result<bool> run(Graph &graph, const PassContext &context) {
  if (context.lossy.share_bits == 0 || context.lossy.share_network) return false;
  if (context.calibration == nullptr || context.samples.empty())
    return usage_error("sharing by second order needs calibration samples (--calib)");
  Graph shared = graph;
  EDGEC_ASSIGN(const bool changed, Sharer(shared, context).run());
  if (changed) graph = std::move(shared);
  return changed;
}

} // namespace

extern const PassDef share_second_order;
const PassDef share_second_order{name, "2^BITS values a tensor, chosen so that its layer's outputs suffer least",
                                 PassKind::lossy, run};

} // namespace edgec::passes
