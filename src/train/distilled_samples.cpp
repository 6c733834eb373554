#include "train/distilled_samples.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "autodiff/differentiate.h"
#include "runtime/plan.h"
#include "support/cancel.h"
#include "support/parallel.h"
#include "train/batches.h"
#include "train/objective.h"
#include "train/optimizer.h"

namespace edgec {
namespace {

/// Samples that are kept, beside the set that they were made of.
class Kept : public SampleSet {
public:
  Kept(std::vector<Sample> samples, std::string description)
      : samples_(std::move(samples)), description_(std::move(description)) {}
  [[nodiscard]] std::size_t size() const override { return samples_.size(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override { return samples_[index]; }
  [[nodiscard]] std::string label(std::size_t index) const override { return fmt::format("distilled[{}]", index); }
  [[nodiscard]] std::string description() const override { return description_; }

private:
  std::vector<Sample> samples_;
  std::string description_;
};

/// The distance of one normalization's input from its running moments, a mean over channels.
ValueId distance(Builder &b, const Node &norm) {
  const Graph &graph = b.graph();
  const ValueId x = norm.input(0);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(b.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  axes.erase(axes.begin() + 1);
  const double epsilon = static_cast<double>(norm.get_float("epsilon", 1e-5F));
  std::vector<float> means, deviations;
  for (const double mean : to_doubles(*graph.constant(norm.input(3)))) means.push_back(static_cast<float>(mean));
  for (const double variance : to_doubles(*graph.constant(norm.input(4))))
    deviations.push_back(static_cast<float>(std::sqrt(variance + epsilon)));
  Dims dims(axes.size() + 1, 1);
  dims[1] = static_cast<std::int64_t>(means.size());
  const ValueId sigma = b.constant(Tensor::of(dims, std::move(deviations)));
  const ValueId mean = b.mean(x, axes);
  const ValueId deviation = b.op("Sqrt", {b.plus(b.mean(b.square(b.sub(x, mean)), axes), epsilon)});
  const ValueId shift = b.div(b.sub(mean, b.constant(Tensor::of(dims, std::move(means)))), sigma);
  const ValueId spread = b.div(b.sub(deviation, sigma), sigma);
  return b.reshape(b.mean(b.add(b.square(shift), b.square(spread)), {1}), {});
}

struct Distances {
  Graph graph;
  ValueId loss;
  std::vector<std::size_t> inputs; ///< which of the graph's are moved
  std::vector<ValueId> fetches;    ///< the loss and the inputs' gradients
};

bool has_moments(const Graph &graph, const Node &node) {
  return node.is("BatchNormalization") && node.inputs.size() >= 5 && graph.constant(node.input(3)) != nullptr &&
         graph.constant(node.input(4)) != nullptr && graph.constant(node.input(3))->size() > 0;
}

Result<Distances> make_distances(const Graph &network, const OpRegistry &ops, std::span<const Type> types,
                                 std::int64_t batch) {
  Distances made;
  EDGEC_ASSIGN(made.graph, with_batch(network, ops, types, batch));
  Builder b(made.graph, ops);
  std::size_t norms = 0;
  for (const NodeId id : made.graph.nodes()) {
    const Node node = made.graph.node(id);
    if (!has_moments(made.graph, node)) continue;
    const ValueId part = distance(b, node);
    made.loss = made.loss.valid() ? b.add(made.loss, part) : part;
    ++norms;
  }
  if (norms == 0) return unsupported("no BatchNormalization is left, whose moments samples could be distilled to");
  made.loss = b.scaled(made.loss, 1 / static_cast<double>(norms));
  EDGEC_CHECK(b.status());
  std::vector<ValueId> moved;
  for (std::size_t i = 0; i < made.graph.inputs().size(); ++i) {
    if (made.graph.value(made.graph.inputs()[i]).type.dtype != DType::float32) continue;
    made.inputs.push_back(i);
    moved.push_back(made.graph.inputs()[i]);
  }
  EDGEC_ASSIGN(const auto gradients, differentiate(made.graph, ops, made.loss, moved));
  made.fetches = {made.loss};
  made.fetches.insert(made.fetches.end(), gradients.begin(), gradients.end());
  return made;
}

/// A batch of samples on its way: the inputs that are moved, in a row, and the bounds that each keeps within.
class MovedBatch {
public:
  MovedBatch(const Distances &distances, std::vector<Tensor> inputs)
      : distances_(distances), inputs_(std::move(inputs)) {
    for (const std::size_t i : distances_.inputs) {
      const auto values = inputs_[i].as<float>();
      values_.insert(values_.end(), values.begin(), values.end());
      const auto [low, high] = std::ranges::minmax(values);
      double sum = 0, squares = 0;
      for (const float x : values) sum += double{x}, squares += double{x} * double{x};
      const double count = static_cast<double>(values.size()), mean = sum / count;
      const double deviation = std::sqrt(std::max(squares / count - mean * mean, 1e-12));
      pace_.insert(pace_.end(), values.size(), static_cast<float>(deviation));
      low_.insert(low_.end(), values.size(), low);
      high_.insert(high_.end(), values.size(), high);
    }
  }

  /// The distance before and after.
  Result<std::pair<double, double>> run(Session &session, const DistillationOptions &options) {
    Optimizer optimizer(Descent::adam, GradientMoments(values_.size()), pace_);
    std::pair<double, double> found;
    for (std::size_t step = 0;; ++step) {
      EDGEC_CHECK(check_interrupted());
      EDGEC_ASSIGN(const auto results, session.run(std::vector<RuntimeValue>(inputs_.begin(), inputs_.end())));
      found.second = static_cast<double>(results[0].tensor->as<float>()[0]);
      if (step == 0) found.first = found.second;
      if (step == options.steps) return found;
      std::vector<float> gradients;
      for (std::size_t k = 1; k < results.size(); ++k) {
        const auto some = results[k].tensor->as<float>();
        gradients.insert(gradients.end(), some.begin(), some.end());
      }
      optimizer.step(values_, gradients, scheduled_rate(options.rate, step, options.steps));
      for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = std::clamp(values_[i], low_[i], high_[i]);
      put_back();
    }
  }

  [[nodiscard]] const std::vector<Tensor> &inputs() const { return inputs_; }

private:
  const Distances &distances_;
  std::vector<Tensor> inputs_;
  std::vector<float> values_, pace_, low_, high_;

  void put_back() {
    auto from = values_.begin();
    for (const std::size_t i : distances_.inputs) {
      const std::int64_t count = inputs_[i].size();
      inputs_[i] = Tensor::of(inputs_[i].dims, std::vector<float>(from, from + count));
      from += count;
    }
  }
};

/// Sample `row` of inputs that hold several.
Sample row_of(const std::vector<Tensor> &stacked, const Sample &like, std::size_t row) {
  Sample sample;
  for (std::size_t i = 0; i < like.size(); ++i) {
    const std::size_t bytes = like[i].data.size();
    const ByteView part(stacked[i].data.data() + row * bytes, bytes);
    sample.push_back({like[i].dtype, like[i].dims, Storage::copy(part), nullptr});
  }
  return sample;
}

Result<std::vector<Sample>> load_all(const SampleSet &set, std::span<const std::size_t> indices) {
  std::vector<Sample> samples;
  for (const std::size_t index : indices) {
    EDGEC_ASSIGN(samples.emplace_back(), set.load(index));
    for (std::size_t k = 0; k < samples.back().size(); ++k)
      if (Type::of(samples.back()[k]) != Type::of(samples[0][k]))
        return unsupported("samples of several shapes are not distilled");
  }
  if (samples.empty()) return bad_input("there are no samples");
  return samples;
}

} // namespace

Result<DistilledSamples> distilled_samples(const Graph &network, const OpRegistry &ops, const SampleSet &start,
                                           std::span<const std::size_t> indices, const DistillationOptions &options) {
  EDGEC_ASSIGN(const std::vector<Sample> samples, load_all(start, indices));
  std::vector<Type> types;
  for (const Tensor &tensor : samples[0]) types.push_back(Type::of(tensor));
  const std::size_t rows = std::min(options.batch, samples.size()), batches = (samples.size() + rows - 1) / rows;
  EDGEC_ASSIGN(const Distances distances, make_distances(network, ops, types, static_cast<std::int64_t>(rows)));
  PlanOptions plan_options;
  plan_options.isa = options.isa;
  plan_options.fetches = distances.fetches;
  std::vector<Type> feeds;
  for (const ValueId id : distances.graph.inputs()) feeds.push_back(distances.graph.value(id).type);
  EDGEC_ASSIGN(const auto plan, Plan::compile(distances.graph, ops, feeds, plan_options));
  std::vector<std::pair<double, double>> found(batches);
  std::vector<Sample> made(samples.size());
  EDGEC_CHECK(parallel_for(batches, options.threads, [&](std::size_t batch, int) -> Status {
    if (options.progress) options.progress(batch, batches);
    std::vector<Sample> some; // the last batch is filled up from the start
    for (std::size_t row = 0; row < rows; ++row) some.push_back(samples[(batch * rows + row) % samples.size()]);
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < types.size(); ++i) inputs.push_back(stacked(some, i));
    MovedBatch moved(distances, std::move(inputs));
    Session session(plan);
    EDGEC_ASSIGN(found[batch], moved.run(session, options));
    for (std::size_t row = 0; row < rows && batch * rows + row < samples.size(); ++row)
      made[batch * rows + row] = row_of(moved.inputs(), some[row], row);
    return {};
  }));
  DistilledSamples distilled;
  for (const auto &[before, after] : found) {
    distilled.before += before / static_cast<double>(batches);
    distilled.after += after / static_cast<double>(batches);
  }
  distilled.samples = std::make_unique<Kept>(std::move(made), start.description() + ", distilled to the moments of "
                                                                                    "BatchNormalization");
  return distilled;
}

} // namespace edgec
