#include "passes/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "measure/logits.h"
#include "passes/float_layers.h"
#include "runtime/plan.h"
#include "support/parallel.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr double noise_share = 0.02; // of the layer's rms output

class Measurement {
public:
  Measurement(const Graph &graph, const PassContext &context, std::size_t samples) : graph_(graph), context_(context) {
    const std::size_t step = std::max<std::size_t>(1, context.samples.size() / std::max<std::size_t>(samples, 1));
    for (std::size_t i = 0; i < context.samples.size() && which_.size() < samples; i += step) which_.push_back(context.samples[i]);
    if (graph.outputs().size() == 1) fetches_ = {find_logits(graph)};
    else
      for (const GraphOutput &output : graph.outputs()) fetches_.push_back(output.value);
  }

  Status prepare() { 
    EDGEC_ASSIGN(reference_, outputs(graph_));
    for (std::size_t k = 0; k < fetches_.size(); ++k) {
      double power = 0;
      for (const auto &sample : reference_)
        for (const float value : sample[k]) power += static_cast<double>(value) * static_cast<double>(value);
      powers_.push_back(std::max(power, 1e-30));
    }
    return {};
  }

  Result<double> of(const Layer &layer, const Covariance &inputs) const {
    const auto &[noise, power] = make_noise(layer, inputs);
    if (power <= 0) return 0.0;
    Graph noisy = graph_;
    Matrix weights = layer.original;
    for (std::size_t i = 0; i < weights.data.size(); ++i) weights.data[i] += noise.data[i];
    Layer changed = layer;
    for (std::size_t row = 0; row < changed.bias.size(); ++row)
      for (std::size_t k = 0; k < noise.columns; ++k) changed.bias[row] -= noise(row, k) * inputs.mean_y[k];
    store_float_weight(noisy, layer, weights);
    store_float_bias(noisy, changed);
    EDGEC_ASSIGN(const auto found, outputs(noisy));
    return error(found) / power;
  }

private:
  using Outputs = std::vector<std::vector<std::vector<float>>>; // by sample, by fetch

  const Graph &graph_;
  const PassContext &context_;
  std::vector<std::size_t> which_;
  std::vector<ValueId> fetches_;
  Outputs reference_;
  std::vector<double> powers_;

  Result<Outputs> outputs(const Graph &graph) const {
    PlanOptions plan;
    plan.isa = context_.isa;
    plan.fetches = fetches_;
    Runner runner(graph, context_.ops, plan);
    Outputs all(which_.size());
    EDGEC_CHECK(parallel_for(which_.size(), context_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const Sample sample, context_.calibration->load(which_[i]));
      EDGEC_ASSIGN(const auto results, runner.run_tensors(sample, worker));
      for (const Tensor &tensor : results) all[i].push_back(to_floats(tensor));
      return {};
    }));
    return all;
  }

  /// The same noise level in every output channel, and its power summed over them.
  std::pair<Matrix, double> make_noise(const Layer &layer, const Covariance &inputs) const {
    const double wanted = noise_share * noise_share * inner_product(layer.original, product(layer.original, inputs.h)) /
                          static_cast<double>(std::max<std::size_t>(layer.original.rows, 1));
    Matrix noise(layer.original.rows, layer.original.columns);
    Random random(context_.seed + layer.node.index);
    for (double &value : noise.data) value = random.normal();
    const Matrix through = product(noise, inputs.h);
    double total = 0;
    for (std::size_t row = 0; row < noise.rows; ++row) {
      double power = 0;
      for (std::size_t k = 0; k < noise.columns; ++k) power += noise(row, k) * through(row, k);
      const double factor = power > 0 ? std::sqrt(wanted / power) : 0;
      for (std::size_t k = 0; k < noise.columns; ++k) noise(row, k) *= factor;
      total += power > 0 ? wanted : 0;
    }
    return {std::move(noise), total};
  }

  double error(const Outputs &found) const {
    double sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i)
      for (std::size_t k = 0; k < found[i].size(); ++k) {
        const auto &a = reference_[i][k], &b = found[i][k];
        double mean = 0, squares = 0;
        for (std::size_t j = 0; j < a.size() && j < b.size(); ++j) {
          const double difference = static_cast<double>(b[j]) - static_cast<double>(a[j]);
          mean += difference;
          squares += difference * difference;
        }
        const auto size = static_cast<double>(std::max<std::size_t>(a.size(), 1));
        sum += fetches_.size() == 1 ? squares - mean * mean / size : squares / powers_[k];
      }
    return sum / static_cast<double>(std::max<std::size_t>(found.size(), 1));
  }
};

} // namespace

Result<std::vector<double>> sensitivities(const Graph &graph, const std::vector<Layer> &layers,
                                          const std::vector<Covariance> &inputs, const PassContext &context,
                                          std::size_t samples) {
  Measurement measurement(graph, context, samples);
  EDGEC_CHECK(measurement.prepare());
  std::vector<double> found(layers.size(), 0.0);
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (inputs[i].h.rows > 0) {
      EDGEC_ASSIGN(found[i], measurement.of(layers[i], inputs[i]));
    }
  return found;
}

} // namespace edgec
