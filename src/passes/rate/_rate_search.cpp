#include "passes/rate/rate_search.h"

#include <algorithm>
#include <cmath>

#include "passes/held_out.h"

namespace edgec {
namespace {

constexpr int most_probes = 9;
/// A rate is first sought on so many samples, so often, until the size is so near.
constexpr std::size_t rough_samples = 32;
constexpr int most_rough_probes = 5;
constexpr double rough_distance = 0.05;
/// A file this much below its budget is good enough.
constexpr double close_below = 0.004;
/// Rates closer together than this make no difference worth a probe.
constexpr double closest_rates = 1.01;
/// What exact passes afterwards may still add.
constexpr double slack_bytes = 16;
/// Where a search begins: a ratio of signal to noise that most networks bear.
constexpr double first_sqnr_db = 25;
/// What is lost then is rarely seen in the answers.
constexpr double unnoticed_sqnr_db = 40;
constexpr double step_constant = 8;

/// Power of the logits about each sample's mean.
double centred_power(const std::vector<Tensor> &logits) {
  double power = 0;
  for (const Tensor &tensor : logits) {
    const std::vector<double> values = to_doubles(tensor);
    double sum = 0, squares = 0;
    for (const double x : values) sum += x, squares += x * x;
    power += squares - sum * sum / static_cast<double>(std::max<std::size_t>(values.size(), 1));
  }
  return power / static_cast<double>(std::max<std::size_t>(logits.size(), 1));
}

class Search {
public:
  Search(const AtRate &at_rate, const std::vector<Tensor> &reference, const std::function<ValueId(const Graph &)> &logits,
         const PassContext &context, const RateRequest &request, std::size_t weights)
      : at_rate_(at_rate), reference_(reference), logits_(logits), context_(context), request_(request),
        weights_(static_cast<double>(std::max<std::size_t>(weights, 1))) {}

  Result<RateOutcome> run() {
    if (request_.rate) outcome_.rate = *request_.rate;
    else if (!request_.max_size && !request_.max_drop) outcome_.rate = rate_for(unnoticed_sqnr_db);
    else if (request_.max_size) EDGEC_CHECK(fit_size());
    else EDGEC_CHECK(fit_drop());
    if (!kept_ || kept_rate_ != outcome_.rate) EDGEC_CHECK(probe(outcome_.rate, false));
    outcome_.graph = std::move(*kept_);
    if (request_.cross_fit && outcome_.held_out.empty()) {
      say("cross-fitting");
      EDGEC_ASSIGN(outcome_.held_out, held_out(outcome_.rate));
      const auto chosen = std::ranges::find(outcome_.curve, outcome_.rate, &RatePoint::rate);
      judge(chosen == outcome_.curve.end() ? outcome_.curve.back() : *chosen, outcome_.held_out);
    }
    outcome_.reference = reference_;
    std::ranges::sort(outcome_.curve, {}, &RatePoint::bytes);
    return std::move(outcome_);
  }

private:
  const AtRate &at_rate_;
  const std::vector<Tensor> &reference_;
  const std::function<ValueId(const Graph &)> &logits_;
  const PassContext &context_;
  const RateRequest &request_;
  double weights_;
  RateOutcome outcome_;
  std::optional<Graph> kept_; // of the best probe, or the last
  double kept_rate_ = 0;
  int probes_ = 0;

  void say(std::string_view what) const {
    if (request_.progress) request_.progress(what, static_cast<std::size_t>(probes_), most_probes);
  }

  /// At high rates each weight adds step^2 / 12 of error, and the step follows from the rate.
  [[nodiscard]] double rate_for(double wanted_sqnr_db) const {
    return 12 * centred_power(reference_) * std::pow(10, -wanted_sqnr_db / 10) / (weights_ * step_constant);
  }

  Result<std::vector<Tensor>> held_out(double rate) const {
    return held_out_logits([&](std::span<const std::size_t> half, std::size_t) { return at_rate_(rate, half); }, logits_, context_);
  }

  void judge(RatePoint &point, const std::vector<Tensor> &logits) const {
    point.agreement = agreement(reference_, logits);
    point.sqnr_db = sqnr_db(reference_, logits);
  }

  /// Compresses at a rate, keeps the graph and notes the point; with its figures on held-out samples if asked.
  Status probe(double rate, bool judged) {
    say("searching the rate");
    ++probes_;
    EDGEC_ASSIGN(Graph graph, at_rate_(rate, context_.samples));
    RatePoint point{rate, 0, std::nullopt, std::nullopt};
    if (request_.bytes) {
      EDGEC_ASSIGN(point.bytes, request_.bytes(graph));
    }
    if (judged) {
      EDGEC_ASSIGN(outcome_.held_out, held_out(rate));
      judge(point, outcome_.held_out);
    }
    outcome_.curve.push_back(point);
    kept_ = std::move(graph);
    kept_rate_ = rate;
    return {};
  }

  /// The rate at which the file should have the wanted size, from the last point or from two around it: bits a weight
  /// are about linear in the logarithm of the rate.
  [[nodiscard]] double next_rate(double wanted, const RatePoint *above, const RatePoint *below) const {
    if (above && below && above->bytes > below->bytes) {
      const double share = (static_cast<double>(above->bytes) - wanted) / static_cast<double>(above->bytes - below->bytes);
      return above->rate * std::pow(below->rate / above->rate, std::clamp(share, 0.02, 0.98));
    }
    const RatePoint &point = above ? *above : *below;
    const double bits = (static_cast<double>(point.bytes) - wanted) * 8 / weights_;
    const double reach = bits > 0 ? std::max(bits, 0.05) : std::min(bits, -0.05);
    return point.rate * std::exp2(2 * std::clamp(reach * 1.15, -4.0, 4.0));
  }

  /// About the rate of the wanted size. How many bytes codes take depends little on the samples: a few say it.
  Result<double> rough_rate(double wanted) {
    double rate = rate_for(first_sqnr_db);
    if (context_.samples.size() < 2 * rough_samples) return rate;
    std::vector<std::size_t> few;
    for (std::size_t i = 0; i < rough_samples; ++i) few.push_back(context_.samples[i * context_.samples.size() / rough_samples]);
    std::optional<RatePoint> above, below;
    for (int i = 0; i < most_rough_probes; ++i) {
      say("searching the rate");
      EDGEC_ASSIGN(const Graph graph, at_rate_(rate, few));
      RatePoint point{rate, 0, std::nullopt, std::nullopt};
      EDGEC_ASSIGN(point.bytes, request_.bytes(graph));
      (static_cast<double>(point.bytes) > wanted ? above : below) = point;
      rate = next_rate(wanted, above ? &*above : nullptr, below ? &*below : nullptr);
      if (std::abs(static_cast<double>(point.bytes) - wanted) < rough_distance * wanted) break;
    }
    return rate;
  }

  Status fit_size() {
    const double limit = static_cast<double>(*request_.max_size) - slack_bytes;
    const double wanted = limit * (1 - close_below / 2);
    std::optional<RatePoint> above, below; // nearest points over and under the limit
    std::optional<Graph> best;
    EDGEC_ASSIGN(double rate, rough_rate(wanted));
    while (probes_ < most_probes) {
      EDGEC_CHECK(probe(rate, false));
      const RatePoint &point = outcome_.curve.back();
      const auto bytes = static_cast<double>(point.bytes);
      if (bytes > limit) {
        above = point;
      } else if (!below || point.bytes > below->bytes) {
        below = point;
        best = std::move(kept_);
      }
      if (below && static_cast<double>(below->bytes) >= limit * (1 - close_below)) break;
      if (above && below && below->rate < above->rate * closest_rates) break; // sizes jump here
      rate = next_rate(wanted, above ? &*above : nullptr, below ? &*below : nullptr);
    }
    outcome_.met = below.has_value();
    outcome_.rate = below ? below->rate : above->rate;
    if (below) kept_ = std::move(best), kept_rate_ = below->rate;
    else kept_rate_ = -1;
    return {};
  }

  /// The largest rate whose network keeps enough answers on samples that it was not fitted to.
  Status fit_drop() {
    double good = 0, bad = 0;
    double rate = rate_for(first_sqnr_db);
    std::optional<Graph> best;
    std::vector<Tensor> best_held_out;
    constexpr double close_enough = 1.25;
    while (probes_ < most_probes && !(good > 0 && bad > 0 && bad / good < close_enough)) {
      EDGEC_CHECK(probe(rate, true));
      if (1 - *outcome_.curve.back().agreement <= *request_.max_drop) {
        good = rate;
        best = std::move(kept_);
        best_held_out = std::move(outcome_.held_out);
      } else {
        bad = rate;
      }
      rate = good == 0 ? rate / 8 : bad == 0 ? rate * 8 : std::sqrt(good * bad);
    }
    outcome_.met = best.has_value();
    outcome_.rate = best ? good : bad;
    outcome_.held_out = std::move(best_held_out);
    if (best) kept_ = std::move(best);
    kept_rate_ = best ? good : -1;
    return {};
  }
};

} // namespace

Result<RateOutcome> search_rate(const AtRate &at_rate, const std::vector<Tensor> &reference,
                                const std::function<ValueId(const Graph &)> &logits, const PassContext &context,
                                const RateRequest &request, std::size_t weights) {
  return Search(at_rate, reference, logits, context, request, weights).run();
}

} // namespace edgec
