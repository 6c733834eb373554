#include "calibrate/input_scale.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "calibrate/channels.h"
#include "compress/matrix.h"
#include "runtime/plan.h"
#include "support/parallel.h"

namespace edgec {
namespace {

constexpr std::size_t pictures = 32;  ///< a candidate is judged by
constexpr std::size_t most_norms = 1; ///< later ones see what made-up inputs lack

/// A BatchNormalization's input, and what was seen there in training.
struct Norm {
  ValueId input;
  std::vector<double> mean, variance;
};

struct Moments {
  std::vector<double> mean, variance;
};

std::vector<Norm> first_norms(const Graph &graph) {
  std::vector<Norm> norms;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("BatchNormalization") || node.inputs.size() < 5) continue;
    const Tensor *mean = graph.constant(node.inputs[3]), *variance = graph.constant(node.inputs[4]);
    if (mean == nullptr || variance == nullptr || mean->size() == 0 || mean->size() != variance->size()) continue;
    norms.push_back({node.inputs[0], to_doubles(*mean), to_doubles(*variance)});
    if (norms.size() == most_norms) break;
  }
  return norms;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// KL(found || running) of normal distributions, the median over channels.
double divergence(const Moments &found, const Norm &norm) {
  constexpr double least = 1e-12;
  std::vector<double> channels;
  for (std::size_t c = 0; c < std::min(found.mean.size(), norm.mean.size()); ++c) {
    const double running = std::max(norm.variance[c], least), now = std::max(found.variance[c], least);
    const double shift = found.mean[c] - norm.mean[c];
    channels.push_back(0.5 * (std::log(running / now) + (now + shift * shift) / running - 1));
  }
  return median(std::move(channels));
}

double entropy(std::span<const double> p) {
  double sum = 0;
  for (const double x : p) sum -= x > 0 ? x * std::log(x) : 0;
  return sum;
}

std::vector<double> softmax(std::span<const double> logits) {
  const double most = *std::ranges::max_element(logits);
  std::vector<double> p;
  double sum = 0;
  for (const double x : logits) sum += p.emplace_back(std::exp(x - most));
  for (double &x : p) x /= sum;
  return p;
}

class Witness {
public:
  Witness(const Graph &graph, const OpRegistry &ops, const InputScaleOptions &options)
      : options_(options), norms_(first_norms(graph)), runner_(graph, ops, plan(norms_, options)) {}

  [[nodiscard]] const std::vector<Norm> &norms() const { return norms_; }

  /// What reaches each norm; without norms, the answers.
  Result<std::vector<std::vector<Tensor>>> run(std::vector<MadeUpInput> inputs, std::size_t count) {
    EDGEC_ASSIGN(const auto samples, made_up_samples(count, std::move(inputs), options_.pictures, options_.seed));
    return run(*samples);
  }
  Result<std::vector<std::vector<Tensor>>> run(const SampleSet &samples) {
    std::vector<std::vector<Tensor>> outputs(samples.size());
    EDGEC_CHECK(parallel_for(samples.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const Sample sample, samples.load(i));
      EDGEC_ASSIGN(outputs[i], runner_.run_tensors(sample, worker));
      return {};
    }));
    return outputs;
  }

private:
  const InputScaleOptions &options_;
  std::vector<Norm> norms_;
  Runner runner_;

  static PlanOptions plan(const std::vector<Norm> &norms, const InputScaleOptions &options) {
    PlanOptions plan;
    plan.isa = options.isa;
    for (const Norm &norm : norms) plan.fetches.push_back(norm.input);
    if (norms.empty() && options.logits.valid()) plan.fetches.push_back(options.logits);
    return plan;
  }
};

/// Per channel over all samples, of the `which`-th value fetched.
Moments moments_of(const std::vector<std::vector<Tensor>> &outputs, std::size_t which) {
  Moments found;
  double positions = 0;
  for (const std::vector<Tensor> &sample : outputs) {
    const Tensor &tensor = sample[which];
    const auto channels = static_cast<std::size_t>(channel_count(tensor.dims));
    found.mean.resize(channels);
    found.variance.resize(channels);
    const std::vector<double> values = to_doubles(tensor);
    std::size_t inner = 1;
    for (std::size_t d = 2; d < tensor.dims.size(); ++d) inner *= static_cast<std::size_t>(tensor.dims[d]);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t c = i / inner % channels;
      found.mean[c] += values[i];
      found.variance[c] += values[i] * values[i];
    }
    positions += static_cast<double>(values.size()) / static_cast<double>(std::max<std::size_t>(channels, 1));
  }
  for (std::size_t c = 0; c < found.mean.size(); ++c) {
    found.mean[c] /= std::max(positions, 1.0);
    found.variance[c] = std::max(0.0, found.variance[c] / std::max(positions, 1.0) - found.mean[c] * found.mean[c]);
  }
  return found;
}

/// How much the answers say of the pictures: 0 where all get the same one.
double mutual_information(const std::vector<std::vector<Tensor>> &outputs) {
  std::vector<double> mean;
  double each = 0, rows = 0;
  for (const std::vector<Tensor> &sample : outputs) {
    const std::vector<double> values = to_doubles(sample[0]);
    const Dims &dims = sample[0].dims;
    std::size_t classes = values.size();
    if (dims.size() > 1 && static_cast<std::size_t>(dims[0] * dims[1]) != values.size())
      classes = static_cast<std::size_t>(dims.back());
    else if (dims.size() > 1)
      classes = static_cast<std::size_t>(dims[1]);
    if (classes < 2) return 0;
    mean.resize(values.size());
    for (std::size_t at = 0; at + classes <= values.size(); at += classes) {
      const std::vector<double> p = softmax(std::span(values).subspan(at, classes));
      each += entropy(p);
      rows += 1;
      for (std::size_t c = 0; c < classes; ++c) mean[at + c] += p[c] / static_cast<double>(outputs.size());
    }
  }
  return rows > 0
             ? (entropy(mean) - each / static_cast<double>(outputs.size())) * static_cast<double>(outputs.size()) / rows
             : 0;
}

struct Candidate {
  std::string name;
  Preprocess rule;
};

Preprocess rule(float scale, std::vector<float> mean, std::vector<float> std, Colour colour) {
  Preprocess rule;
  rule.scale = scale;
  rule.mean = std::move(mean);
  rule.std = std::move(std);
  rule.colour = colour;
  return rule;
}

/// The ways in which published networks take their pictures, common ones first.
std::vector<Candidate> candidates_of(int channels) {
  constexpr float unit = 1.0F / 255;
  const Colour colour = channels == 1 ? Colour::grey : Colour::rgb;
  std::vector<Candidate> found{{"[0, 1]", rule(unit, {0}, {1}, colour)},
                               {"[-1, 1]", rule(1, {127.5F}, {127.5F}, colour)}};
  const Candidate pixels{"0 .. 255", rule(1, {0}, {1}, colour)};
  if (channels == 1) {
    found.push_back({"MNIST's mean and std", rule(unit, {0.1307F}, {0.3081F}, colour)});
    found.push_back(pixels);
    return found;
  }
  found.push_back({"ImageNet's mean and std", rule(unit, {0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, colour)});
  found.push_back(
      {"CIFAR-10's mean and std", rule(unit, {0.4914F, 0.4822F, 0.4465F}, {0.247F, 0.2435F, 0.2616F}, colour)});
  found.push_back({"0 .. 255 less Caffe's mean, BGR", rule(1, {103.94F, 116.78F, 123.68F}, {1}, Colour::bgr)});
  found.push_back({"0 .. 255 less Caffe's mean, RGB", rule(1, {123.68F, 116.78F, 103.94F}, {1}, colour)});
  found.push_back(pixels);
  return found;
}

/// Tries the candidates on every image input at once.
Result<InputScale> fit_images(Witness &witness, std::vector<MadeUpInput> &inputs, int channels) {
  const bool normed = !witness.norms().empty();
  const std::vector<Candidate> candidates = candidates_of(channels);
  std::vector<std::pair<double, std::size_t>> ranking; // least first
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    for (MadeUpInput &input : inputs)
      if (input.kind == InputKind::image) input.preprocess = candidates[i].rule;
    EDGEC_ASSIGN(const auto outputs, witness.run(inputs, pictures));
    double score = 0;
    for (std::size_t n = 0; n < witness.norms().size(); ++n)
      score += divergence(moments_of(outputs, n), witness.norms()[n]);
    ranking.emplace_back(normed ? score : -mutual_information(outputs), i);
  }
  std::ranges::stable_sort(ranking, {}, &std::pair<double, std::size_t>::first);
  // Made-up pictures do not tell scores apart that are this near, and answers do not tell offsets apart at all: of
  // those the more common way is taken.
  constexpr double near = 1.25;
  const double limit = normed ? near * ranking[0].first : ranking[0].first / near;
  const auto behind = std::ranges::find_if(ranking, [&](const auto &score) { return score.first > limit; });
  std::ranges::stable_sort(ranking.begin(), behind, {}, &std::pair<double, std::size_t>::second);
  for (MadeUpInput &input : inputs)
    if (input.kind == InputKind::image) input.preprocess = candidates[ranking[0].second].rule;
  const auto figure = [&](std::size_t i) { return std::abs(ranking[i].first); };
  InputScale found;
  const bool tied = behind - ranking.begin() > 1;
  found.evidence =
      fmt::format("images in {}: {} {:.2g}; {} {}, {:.2g}", candidates[ranking[0].second].name,
                  normed ? "first BatchNormalization, KL" : "mutual information of answers and pictures,", figure(0),
                  tied ? "too near to tell apart:" : "next", candidates[ranking[1].second].name, figure(1));
  found.certain = normed ? figure(0) < 2 : figure(0) > 0.2;
  return found;
}

/// The axis whose indices of a series have scales of their own: the shortest one that is longer than 1; 0: none.
int feature_axis(const Dims &dims) {
  constexpr std::int64_t most = 256;
  int found = 0;
  for (std::size_t d = 1; d < dims.size(); ++d)
    if (dims[d] > 1 && dims[d] <= most && (found == 0 || dims[d] < dims[static_cast<std::size_t>(found)]))
      found = static_cast<int>(d);
  return found;
}

/// x >= 0 with the least |A x - b|^2 + ridge |x - prior|^2, coordinate by coordinate (Franc, Hlavac and Navara 2005).
std::vector<double> non_negative_fit(const Matrix &a, std::span<const double> b, double ridge, double prior) {
  const Matrix gram = product_transposed(a, a); // of rows: a holds a row per unknown
  std::vector<double> x(a.rows, prior), target(a.rows);
  for (std::size_t i = 0; i < a.rows; ++i) {
    target[i] = ridge * prior;
    for (std::size_t c = 0; c < a.columns; ++c) target[i] += a(i, c) * b[c];
  }
  constexpr int sweeps = 200;
  for (int sweep = 0; sweep < sweeps; ++sweep)
    for (std::size_t i = 0; i < a.rows; ++i) {
      double rest = target[i];
      for (std::size_t j = 0; j < a.rows; ++j)
        if (j != i) rest -= gram(i, j) * x[j];
      x[i] = std::max(0.0, rest / (gram(i, i) + ridge));
    }
  return x;
}

/// Mean and scale of each feature of one series, solved from how the first norm's input responds to each alone: it is
/// affine in the means, and its variances are sums of those that each feature's noise gives.
class SeriesFit {
public:
  SeriesFit(Witness &witness, std::vector<MadeUpInput> &inputs, MadeUpInput &series, std::size_t features)
      : witness_(witness), inputs_(inputs), series_(series), features_(features), norm_(witness.norms().front()) {}

  Status run() {
    series_.mean.assign(features_, 0);
    series_.std.assign(features_, 0);
    EDGEC_ASSIGN(const Moments silent, moments());
    EDGEC_CHECK(fit_means(silent));
    return fit_scales();
  }

private:
  Witness &witness_;
  std::vector<MadeUpInput> &inputs_;
  MadeUpInput &series_;
  std::size_t features_;
  const Norm &norm_;
  static constexpr std::size_t draws = 8;

  Result<Moments> moments(std::size_t count = 1) {
    EDGEC_ASSIGN(const auto outputs, witness_.run(inputs_, count));
    return moments_of(outputs, 0);
  }

  [[nodiscard]] double deviation(std::size_t channel) const {
    return std::sqrt(std::max(norm_.variance[channel], 1e-12));
  }

  Status fit_means(const Moments &silent) {
    const std::size_t channels = std::min(norm_.mean.size(), silent.mean.size());
    Matrix response(features_, channels), wanted(1, channels);
    for (std::size_t f = 0; f < features_; ++f) {
      series_.mean[f] = 1;
      EDGEC_ASSIGN(const Moments found, moments());
      series_.mean[f] = 0;
      for (std::size_t c = 0; c < channels; ++c) response(f, c) = (found.mean[c] - silent.mean[c]) / deviation(c);
    }
    for (std::size_t c = 0; c < channels; ++c) wanted(0, c) = (norm_.mean[c] - silent.mean[c]) / deviation(c);
    const Matrix gram = product_transposed(response, response);
    const Matrix solved = solve_rows(gram, 1e-3 * mean_diagonal(gram), product_transposed(wanted, response));
    for (std::size_t f = 0; f < features_; ++f) series_.mean[f] = static_cast<float>(solved(0, f));
    return {};
  }

  Status fit_scales() {
    const std::size_t channels = norm_.variance.size();
    Matrix response(features_, channels);
    for (std::size_t f = 0; f < features_; ++f) {
      series_.std[f] = 1;
      EDGEC_ASSIGN(const Moments found, moments(draws));
      series_.std[f] = 0;
      for (std::size_t c = 0; c < std::min(channels, found.variance.size()); ++c)
        response(f, c) = found.variance[c] / (deviation(c) * deviation(c));
    }
    double all = 0; // what unit scales would give, so that the prior gives 1
    for (const double r : response.data) all += r / static_cast<double>(channels);
    const std::vector<double> ones(channels, 1.0);
    const double ridge = 1e-2 * mean_diagonal(product_transposed(response, response));
    const auto powers = non_negative_fit(response, ones, ridge, all > 0 ? 1 / all : 1);
    for (std::size_t f = 0; f < features_; ++f) series_.std[f] = static_cast<float>(std::sqrt(powers[f]));
    EDGEC_ASSIGN(const Moments found, moments(draws)); // features go together: their variances are not a mere sum
    std::vector<double> ratios;
    for (std::size_t c = 0; c < std::min(channels, found.variance.size()); ++c)
      ratios.push_back(found.variance[c] / std::max(norm_.variance[c], 1e-12));
    const double ratio = median(std::move(ratios));
    if (ratio > 0)
      for (float &s : series_.std) s = static_cast<float>(s / std::sqrt(ratio));
    return {};
  }
};

/// Fits the only series of a network with BatchNormalization; kept where it comes nearer to the running moments.
Result<InputScale> fit_series(Witness &witness, std::vector<MadeUpInput> &inputs, MadeUpInput &series) {
  if (witness.norms().empty())
    return InputScale{
        fmt::format("{}: noise of unit variance; the network does not say what it expects", series.spec.name), false};
  const MadeUpInput plain = series;
  const auto score = [&]() -> Result<double> {
    EDGEC_ASSIGN(const auto outputs, witness.run(inputs, pictures));
    return divergence(moments_of(outputs, 0), witness.norms().front());
  };
  EDGEC_ASSIGN(const double before, score());
  EDGEC_ASSIGN(const auto samples, made_up_samples(1, inputs, nullptr, 0));
  EDGEC_ASSIGN(const Sample sample, samples->load(0));
  const Dims dims = sample[static_cast<std::size_t>(&series - inputs.data())].dims;
  series.axis = feature_axis(dims);
  const std::size_t features =
      series.axis > 0 ? static_cast<std::size_t>(dims[static_cast<std::size_t>(series.axis)]) : 1;
  EDGEC_CHECK(SeriesFit(witness, inputs, series, features).run());
  EDGEC_ASSIGN(const double after, score());
  if (!(after < before)) series = plain;
  return InputScale{fmt::format("{}: noise scaled for the first BatchNormalization, KL {:.2g} (unit variance {:.2g})",
                                series.spec.name, std::min(before, after), before),
                    std::min(before, after) < 2};
}

} // namespace

Result<InputScale> fit_input_scale(const Graph &graph, const OpRegistry &ops, std::vector<MadeUpInput> &inputs,
                                   const InputScaleOptions &options) {
  const auto image = std::ranges::find(inputs, InputKind::image, &MadeUpInput::kind);
  const auto series = std::ranges::find(inputs, InputKind::series, &MadeUpInput::kind);
  const bool pixels = image != inputs.end() && is_float(image->spec.type.dtype);
  if (!pixels && series == inputs.end()) return InputScale{"", true};
  Witness witness(graph, ops, options);
  if (pixels) {
    if (witness.norms().empty() && !options.logits.valid())
      return InputScale{"images in [0, 1]: the network does not say more", false};
    return fit_images(witness, inputs, picture_shape(image->spec.type)->channels);
  }
  if (std::ranges::count(inputs, InputKind::series, &MadeUpInput::kind) > 1)
    return InputScale{"series of unit variance: the network does not say more", false};
  return fit_series(witness, inputs, *series);
}

} // namespace edgec
