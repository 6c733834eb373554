// Hashed weight sharing: `--share-hash RATIO` (Chen et al. 2015). Of N weights RATIO * N values are stored; which one a
// weight has says a hash of its place (codec/hashed.h), so that no indices are stored. The values are those that serve
// the layer's outputs best (compress/hashing.h), given what the layers before give. Weights that are thrown together at
// random have little in common: a network that was not trained for it loses much. Weights that pruning made zero share
// values as all others, so layers are fitted to what they were before it. The first layer and depthwise ones
// are few and sensitive: they stay unless --include names them.
//
// In the graph the weight stays a plain constant; its metadata says how an .edgec file may keep the stored values only.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "codec/hashed.h"
#include "compress/hashing.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/options.h"
#include "schemes/scheme.h"
#include "schemes/share/refit_layer.h"
#include "support/cancel.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view pass_name = "share-hash";
constexpr int mantissa_bits = 8; ///< of stored values: an .edgec file codes those only, and the hash costs far more
constexpr std::size_t side_bytes = 32; ///< that a hashed tensor takes besides its values, roughly

struct HashOptions {
  std::optional<double> ratio; ///< stored values per weight, 0 .. 1
};

double shortened(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, mantissa_bits + 1)), exponent - mantissa_bits - 1);
}

class Hasher {
public:
  Hasher(const Graph &graph, const Job &job)
      : graph_(graph), job_(job), original_(job.original != nullptr ? *job.original : graph) {
    layers_ = float_layers_in_scope(graph_, job_, pass_name);
    std::erase_if(layers_, [&](const Layer &layer) { return is_spared(layer); });
    pruned_ = aim_at_original(layers_, original_, job_);
  }

  Result<std::optional<Graph>> run() {
    if (layers_.empty()) return std::optional<Graph>();
    EDGEC_ASSIGN(const Calibration means, target_means(original_, layers_, job_));
    LayerSteps steps;
    steps.positions = job_.options<FitOptions>().positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) { return fit(layer, groups); };
    const int both[] = {0, 1};
    EDGEC_CHECK(fit_float_layers(graph_, pointers_to(layers_), {original_, means.merged(both)}, job_, "sharing weights",
                                 steps));
    if (places_.empty()) return std::optional<Graph>();
    for (const Layer &layer : layers_) mark(layer);
    return std::optional<Graph>(std::move(graph_));
  }

private:
  Graph graph_; // its layers normalized
  const Job &job_;
  Graph original_;
  std::vector<Layer> layers_;
  std::map<NodeId, HashedPlaces> places_;
  LayerMasks pruned_; // which no hash can keep

  [[nodiscard]] std::size_t stored(const Layer &layer) const {
    const auto count = static_cast<double>(layer.original.data.size());
    return std::max<std::size_t>(
        1, static_cast<std::size_t>(std::nearbyint(job_.options<HashOptions>().ratio.value_or(0) * count)));
  }

  [[nodiscard]] bool is_spared(const Layer &layer) const {
    const Node &node = graph_.node(layer.node);
    const bool asked = job_.scope.names(node);
    const bool first = graph_.is_input(layer.original_data), depthwise = layer.groups() > 1 && layer.group_rows() == 1;
    std::string why;
    if (stored(layer) * sizeof(float) + side_bytes >= layer.original.data.size() * sizeof(float))
      why = "it would not be smaller";
    else if (!asked && first)
      why = "the first layer: hashed only where --include names it";
    else if (!asked && depthwise)
      why = "depthwise: hashed only where --include names it";
    if (why.empty()) return false;
    job_.skip(pass_name, node.label(), why);
    return true;
  }

  /// Each weight's slot, a row per output channel: the hash counts places as the tensor lies.
  static std::vector<std::uint32_t> slots(const Layer &layer, HashedPlaces places) {
    const std::size_t rows = layer.original.rows, columns = layer.original.columns;
    std::vector<std::uint32_t> found(rows * columns);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j)
        found[i * columns + j] = hashed_slot(places, layer.weights.channel_axis == 0 ? i * columns + j : j * rows + i);
    return found;
  }

  Result<Matrix> fit(Layer &layer, std::span<const FitGroup> groups) {
    constexpr std::uint64_t most_layers = std::uint64_t{1} << 20; // seeds of two runs meet nowhere
    const HashedPlaces places{job_.seed * most_layers + places_.size(), static_cast<std::uint32_t>(stored(layer))};
    const std::vector<std::uint32_t> slot = slots(layer, places);
    EDGEC_ASSIGN(const Refit fitted, refit(groups, job_.threads));
    std::vector<double> values = fit_hashed(fitted.weights, groups, slot, places.count);
    for (double &value : values) value = shortened(value);
    EDGEC_CHECK(check_interrupted());
    Matrix all(layer.original.rows, layer.original.columns);
    for (std::size_t i = 0; i < all.data.size(); ++i) all.data[i] = values[slot[i]];
    store_float_weight(graph_, layer, all);
    places_[layer.node] = places;
    return all;
  }

  void mark(const Layer &layer) {
    const auto found = places_.find(layer.node);
    if (found == places_.end()) return;
    const ValueId weight = graph_.node(layer.node).inputs[layer.weights.weight];
    Metadata metadata = graph_.value(weight).metadata;
    std::erase_if(metadata, [](const auto &pair) { return pair.first == hashed_key; });
    metadata.emplace_back(std::string(hashed_key), to_text(found->second));
    graph_.set_metadata(weight, std::move(metadata), std::string(graph_.value(weight).doc));
    job_.say(pass_name, graph_.node(layer.node).label(),
             fmt::format("{} weights share {} values by a hash{}", layer.original.data.size(), found->second.count,
                         pruned_.contains(layer.node) ? ", those that were 0 too" : ""));
  }
};

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  EDGEC_ASSIGN(auto hashed, Hasher(graph, job).run());
  if (!hashed) return SchemeOutcome{};
  graph = std::move(*hashed);
  return SchemeOutcome{.changed = true};
}

void declare(Options &options, Settings &settings) {
  auto &hash = settings.edit<HashOptions>();
  options.group("Sharing weights");
  options
      .add("--share-hash", "RATIO", &hash.ratio,
           "hashed weight sharing: store RATIO x N values and pick one per weight by a hash of its position; fitted to "
           "the samples of --calib; only .edgec files get smaller")
      .between(0, 1)
      .in(Unit::fraction)
      .loses()
      .records();
}

bool wanted(const Settings &settings) { return settings.get<HashOptions>().ratio.value_or(0) > 0; }

Status check(const Settings &settings) {
  for (const SchemeDef *other : wanted_schemes(settings))
    if (other->phase != Phase::structure && other->name != pass_name)
      return usage_error(
          "--share-hash: stored values stand for weights anywhere in a layer, which --int8, --prune, --share "
          "and --rate would part");
  return {};
}

} // namespace

extern const SchemeDef share_hash;
const SchemeDef share_hash{.name = pass_name,
                           .flag = "--share-hash",
                           .summary = "a hash says which of few stored values a weight is",
                           .place = 70,
                           .needs = Needs::data,
                           .fits = true,
                           .only_flat = "an .onnx file stores every weight",
                           .uncodes = always,
                           .declare = declare,
                           .wanted = wanted,
                           .check = check,
                           .run = run};

} // namespace edgec::schemes
