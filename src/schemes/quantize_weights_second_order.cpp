// Weights as codes with calibration samples: `--weights TYPE`. As quantize-weights, but layer by layer on what the
// layers before give with their codes: weights are refit to the original's outputs, scales chosen by the error that
// they leave there, and codes rounded so that those outputs suffer least (compress/grid.h). What is not a layer
// (tables, recurrent networks, bodies), or a weight that several layers share, is rounded to nearest.
#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "schemes/fitting/options.h"
#include "schemes/scheme.h"
#include "schemes/share/refit_layer.h"
#include "schemes/stored/constants.h"
#include "support/parallel.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "quantize-weights-second-order";
/// Share of H's mean diagonal that is added before it is inverted (GPTQ's default).
constexpr double damping = 0.01;

struct Fitted {
  Grid grid;
  std::vector<std::int16_t> codes; // line by line
};

class WeightFitter {
public:
  WeightFitter(Graph &graph, const Job &job)
      : graph_(graph), job_(job), original_(job.original != nullptr ? *job.original : graph),
        request_(store_request(graph, job)) {
    find_layers();
  }

  Result<bool> run() {
    if (!layers_.empty()) {
      EDGEC_ASSIGN(const Calibration means, target_means(original_, layers_, job_));
      LayerSteps steps;
      steps.positions = job_.options<FitOptions>().positions;
      steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) { return fit(layer, groups); };
      const int both[] = {0, 1};
      EDGEC_CHECK(fit_float_layers(graph_, pointers_to(layers_), {original_, means.merged(both)}, job_,
                                   "fitting layers", steps));
    }
    for (const Layer &layer : layers_) store(layer);
    EDGEC_ASSIGN(const bool more, store_constants(graph_, request_, job_, name));
    if (fitted_.empty() && !more) return false;
    EDGEC_CHECK(graph_.sort());
    EDGEC_CHECK(infer_types(graph_, job_.ops));
    return true;
  }

private:
  Graph &graph_;
  const Job &job_;
  Graph original_;
  StoreRequest request_;
  std::vector<Layer> layers_;
  std::map<NodeId, StoredPlace> places_;
  LayerMasks masks_;
  std::map<NodeId, Fitted> fitted_;

  [[nodiscard]] ValueId weight_of(const Layer &layer) const {
    return graph_.node(layer.node).inputs[layer.weights.weight];
  }

  /// Those whose weight is worth codes and their own. Others read what they did: it is stored once.
  void find_layers() {
    Job quiet = job_;
    quiet.note = nullptr;
    const Graph before = graph_;
    const auto places = storable_constants(before, request_, quiet, name);
    layers_ = float_layers_in_scope(graph_, quiet, name);
    masks_ = aim_at_original(layers_, original_, job_);
    std::erase_if(layers_, [&](const Layer &layer) {
      const ValueId weight = before.node(layer.node).inputs[layer.weights.weight];
      const auto place = places.find(weight);
      if (place != places.end() && before.sole_user(weight).valid()) {
        places_[layer.node] = place->second;
        return false;
      }
      if (identical(*graph_.constant(weight_of(layer)), *before.constant(weight)))
        graph_.set_input(layer.node, layer.weights.weight, weight);
      return true;
    });
    graph_.remove_dead();
  }

  Result<Matrix> fit(Layer &layer, std::span<const FitGroup> groups) {
    const std::span<const Mask> kept = mask_of(masks_, layer);
    EDGEC_ASSIGN(const auto targets, refit_layer(groups, kept, job_.threads));
    const StoredPlace &place = places_.at(layer.node);
    const std::size_t rows = layer.group_rows(), columns = layer.original.columns;
    const auto block = place.layout.along ? static_cast<std::size_t>(place.number.block) : 0;
    Fitted all{Grid(layer.original.rows, columns, block), std::vector<std::int16_t>(layer.original.data.size())};
    const int inner = groups.size() == 1 ? job_.threads : 1;
    EDGEC_CHECK(parallel_for(groups.size(), job_.threads, [&](std::size_t g, int) -> Status {
      const Lines lines{rows, columns, {targets[g].data.begin(), targets[g].data.end()}};
      const NumberSpec &number = place.number;
      std::vector<float> power(columns);
      for (std::size_t k = 0; k < columns; ++k) power[k] = static_cast<float>(groups[g].all.h(k, k));
      Grid grid = searched_grid(lines, number, block, power, inner);
      const int sweeps = job_.options<FitOptions>().rounding_sweeps;
      const RoundingMetric metric(groups[g].all.h, damping);
      EDGEC_ASSIGN(const auto codes, round_on_grid(lines, grid, number, metric, sweeps, inner, !kept.empty()));
      const auto at = static_cast<std::ptrdiff_t>(g * rows);
      std::ranges::copy(codes, all.codes.begin() + at * static_cast<std::ptrdiff_t>(columns));
      const auto steps = at * static_cast<std::ptrdiff_t>(grid.blocks);
      std::ranges::copy(grid.scales, all.grid.scales.begin() + steps);
      std::ranges::copy(grid.zeros, all.grid.zeros.begin() + steps);
      return {};
    }));
    const std::vector<float> numbers = reals_on_grid(all.codes, all.grid, columns);
    Matrix reals(layer.original.rows, columns);
    reals.data.assign(numbers.begin(), numbers.end());
    store_float_weight(graph_, layer, reals);
    fitted_.insert_or_assign(layer.node, std::move(all));
    return reals;
  }

  /// Codes instead of the reals that they stand for.
  void store(const Layer &layer) {
    const auto found = fitted_.find(layer.node);
    if (found == fitted_.end()) return;
    const ValueId weight = weight_of(layer);
    const StoredPlace &place = places_.at(layer.node);
    const ValueId reals =
        add_codes(graph_, weight, place.layout, place.number, found->second.grid, found->second.codes);
    graph_.replace_uses(weight, reals);
    graph_.remove(weight);
  }
};

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  Graph stored = graph;
  EDGEC_ASSIGN(const bool changed, WeightFitter(stored, job).run());
  if (changed) graph = std::move(stored);
  return SchemeOutcome{.changed = changed};
}

bool wanted(const Settings &settings) {
  const auto &stored = settings.get<StoredOptions>();
  return stored.wanted() && stored.fitted(settings);
}

std::vector<SchemeStep> steps(const Job &) { return {{"fitting layers", 8}}; }

} // namespace

extern const SchemeDef quantize_weights_second_order;
const SchemeDef quantize_weights_second_order{
    .name = name,
    .flag = "--weights",
    .summary = "weights as codes behind DequantizeLinear, chosen so that their layers' outputs suffer least",
    .phase = Phase::numbers,
    .place = 85,
    .needs = Needs::samples,
    .fits = true,
    .learns = Learns::codes,
    .uncodes = always,
    .wanted = wanted,
    .check = check_stored,
    .least_opset = stored_opset,
    .steps = steps,
    .run = run};

} // namespace edgec::schemes
