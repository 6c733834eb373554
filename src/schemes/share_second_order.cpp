// Weight sharing with calibration samples: `--share BITS`. As share-weights (2^BITS values per tensor and indices), but
// layer by layer on what the compressed layers before give: the weights are refit to the original's outputs, values and
// indices chosen so that those outputs suffer least (compress/sharing.h), the bias so that the means behind the
// activation stay. Weights that pruning made zero stay zero.
#include <fmt/format.h>
#include <map>

#include "compress/kmeans.h"
#include "compress/sharing.h"
#include "schemes/fitting/options.h"
#include "schemes/scheme.h"
#include "schemes/share/lookup.h"
#include "schemes/share/options.h"
#include "schemes/share/refit_layer.h"
#include "support/cancel.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "share-second-order";
constexpr std::size_t positions = 256;

struct Lookup {
  std::vector<float> values;
  std::vector<std::uint8_t> codes; // as the weight lies
};

class Sharer {
public:
  Sharer(Graph &graph, const Job &job)
      : graph_(graph), job_(job), original_(job.original != nullptr ? *job.original : graph) {
    layers_ = float_layers_in_scope(graph_, job_, name);
    masks_ = aim_at_original(layers_, original_, job_);
  }

  Result<bool> run() {
    if (layers_.empty()) return false;
    EDGEC_ASSIGN(const Calibration means, target_means(original_, layers_, job_));
    LayerSteps steps;
    steps.positions = positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) { return fit(layer, groups); };
    const int both[] = {0, 1};
    EDGEC_CHECK(fit_float_layers(graph_, pointers_to(layers_), {original_, means.merged(both)}, job_, "sharing weights",
                                 steps));
    for (const Layer &layer : layers_) look_up(layer);
    return true;
  }

private:
  Graph &graph_;
  const Job &job_;
  Graph original_;
  std::vector<Layer> layers_;
  LayerMasks masks_;
  std::map<NodeId, Lookup> lookups_;

  Result<Matrix> fit(Layer &layer, std::span<const FitGroup> groups) {
    const std::span<const Mask> kept = mask_of(masks_, layer);
    EDGEC_ASSIGN(const auto fitted, refit_layer(groups, kept, job_.threads));
    EDGEC_ASSIGN(SharedWeights shared,
                 fit_codebook(fitted, groups, kept, job_.options<ShareOptions>().bits, job_.threads));
    if (SharedWeights plain = plain_codebook(groups, kept); !(error_of(shared, groups) <= error_of(plain, groups)))
      shared = std::move(plain);
    Matrix all(layer.original.rows, layer.original.columns);
    std::vector<std::uint8_t> codes;
    for (const auto &part : shared.codes) codes.insert(codes.end(), part.begin(), part.end());
    for (std::size_t i = 0; i < codes.size(); ++i) all.data[i] = static_cast<double>(shared.values[codes[i]]);
    store_float_weight(graph_, layer, all);
    lookups_[layer.node] = {shared.values, as_stored(std::move(codes), layer.dims, layer.weights)};
    return all;
  }

  /// Of the layer's outputs on the samples, up to a constant.
  static double error_of(const SharedWeights &shared, std::span<const FitGroup> groups) {
    double error = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      Matrix weights = groups[g].weights;
      for (std::size_t i = 0; i < weights.data.size(); ++i)
        weights.data[i] = static_cast<double>(shared.values[shared.codes[g][i]]);
      error += output_error(weights, groups[g].weights, groups[g].all);
    }
    return error;
  }

  /// k-means of the weights as they are.
  [[nodiscard]] SharedWeights plain_codebook(std::span<const FitGroup> groups, std::span<const Mask> kept) const {
    std::vector<float> numbers;
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (std::size_t i = 0; i < groups[g].weights.data.size(); ++i)
        numbers.push_back(kept.empty() || kept[g][i] != 0 ? static_cast<float>(groups[g].weights.data[i]) : 0.0F);
    Codebook book = kmeans_codebook(numbers, job_.options<ShareOptions>().bits);
    SharedWeights plain{std::move(book.values), {}};
    auto from = book.codes.begin();
    for (const FitGroup &group : groups) {
      const auto size = static_cast<std::ptrdiff_t>(group.weights.data.size());
      plain.codes.emplace_back(from, from + size);
      from += size;
    }
    return plain;
  }

  void look_up(const Layer &layer) {
    const auto found = lookups_.find(layer.node);
    if (found == lookups_.end()) return;
    const auto &[values, codes] = found->second;
    const std::string label = graph_.node(layer.node).label();
    const ValueId weight = graph_.node(layer.node).inputs[layer.weights.weight];
    const auto shared = add_lookup(graph_, weight, values, codes, index_type(graph_, job_.options<ShareOptions>().bits),
                                   job_, name, label);
    if (!shared) return;
    graph_.set_input(layer.node, layer.weights.weight, *shared);
    graph_.remove(weight);
    job_.say(name, label, fmt::format("{} weights share {} values", codes.size(), values.size()));
  }
};

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  Graph shared = graph;
  EDGEC_ASSIGN(const bool changed, Sharer(shared, job).run());
  if (changed) graph = std::move(shared);
  return SchemeOutcome{.changed = changed};
}

void declare(Options &options, Settings &settings) {
  auto &share = settings.edit<ShareOptions>();
  options.group("Sharing weights");
  options
      .add("--share", "BITS", &share.bits, "palettize: 2^BITS distinct values per tensor, and an index for each weight")
      .is_common()
      .between(2, 8)
      .loses()
      .records();
  options
      .add("--share-codebook", "WHAT", &share.codebook,
           "tensor: each has values of its own; network: the same values for all, each tensor with a scale; needs "
           "--calib")
      .one_of({"tensor", "network"})
      .needs("share")
      .records_changes();
}

bool wanted(const Settings &settings) {
  const auto &share = settings.get<ShareOptions>();
  return share.bits > 0 && !share.one_for_all() && settings.get<FitOptions>().second_order;
}

std::vector<SchemeStep> steps(const Job &) { return {{"sharing weights", 8}}; }

} // namespace

extern const SchemeDef share_second_order;
const SchemeDef share_second_order{.name = name,
                                   .flag = "--share",
                                   .summary =
                                       "2^BITS values per tensor, chosen so that its layer's outputs suffer least",
                                   .place = 40,
                                   .needs = Needs::samples,
                                   .fits = true,
                                   .learns = Learns::codes,
                                   .uncodes = always,
                                   .declare = declare,
                                   .wanted = wanted,
                                   .least_opset = lookup_opset,
                                   .steps = steps,
                                   .run = run};

} // namespace edgec::schemes
