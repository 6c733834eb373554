#include "schemes/rate/rate_search.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "calibrate/sample_store.h"
#include "measure/score.h"
#include "schemes/fitting/held_out.h"
#include "schemes/rate/rate_bracket.h"
#include "support/cancel.h"

namespace edgec {
namespace {

constexpr int most_probes = 9;
/// A rate is first sought on so many samples, so often, until the size is so near.
constexpr std::size_t rough_samples = 32;
constexpr int most_rough_probes = 5;
constexpr double rough_distance = 0.05;
/// A file this much below its budget is good enough.
constexpr double close_below = 0.004;
/// What exact passes afterwards may still add.
constexpr double slack_bytes = 16;
/// Where a search begins: a ratio of signal to noise that most networks bear.
constexpr double first_sqnr_db = 25;
/// What is lost then is rarely seen in the answers.
constexpr double unnoticed_sqnr_db = 40;
constexpr double step_constant = 8;

class Search {
public:
  Search(const AtRate &at_rate, const HeldOutJudge &judge, double power, const Job &job, std::size_t weights)
      : at_rate_(at_rate), judge_(judge), power_(power), job_(job),
        weights_(static_cast<double>(std::max<std::size_t>(weights, 1))) {
    if (budget_.max_size) budget_.max_drop.reset();
    if (!job.file_bytes) budget_.max_size.reset(); // codes of a file in which each takes a byte
  }

  Result<RateOutcome> run() {
    EDGEC_CHECK(unless_stopped(search()));
    if (!best_) { // a rate as it is, or none that meets the budget
      EDGEC_CHECK(probe(outcome_.rate, false));
      best_ = std::move(last_);
    }
    outcome_.rate = best_->rate;
    const bool judged = job_.cross_fit && job_.samples.size() >= 2;
    if (judged && !best_->held_out && !outcome_.interrupted) EDGEC_CHECK(unless_stopped(cross_fit()));
    for (RatePoint &point : outcome_.curve) point.chosen = point.rate == outcome_.rate;
    outcome_.graph = std::move(best_->graph);
    outcome_.held_out = std::move(best_->held_out);
    std::ranges::sort(outcome_.curve, {}, &RatePoint::bytes);
    return std::move(outcome_);
  }

private:
  const AtRate &at_rate_;
  const HeldOutJudge &judge_;
  double power_;
  const Job &job_;
  RateOptions budget_ = job_.options<RateOptions>();
  double weights_;
  struct Candidate {
    Graph graph;
    double rate = 0;
    std::size_t bytes = 0;
    std::optional<Fidelity> held_out;
  };
  RateOutcome outcome_;
  Candidate last_;
  std::optional<Candidate> best_; // meets the budget
  int probes_ = 0;

  Status search() {
    if (budget_.rate)
      outcome_.rate = *budget_.rate;
    else if (!budget_.max_size && !budget_.max_drop)
      outcome_.rate = rate_for(unnoticed_sqnr_db);
    else
      return budget_.max_size ? fit_size() : fit_drop();
    return {};
  }

  /// What was done; a signal ends it well where there is a network that meets the budget.
  Status unless_stopped(Status status) {
    if (status || status.error().code != Code::interrupted || !best_ || !outcome_.met) return status;
    take_interrupt();
    outcome_.interrupted = true;
    return {};
  }

  Status cross_fit() {
    say("cross-fitting");
    EDGEC_ASSIGN(best_->held_out, held_out(best_->rate));
    const auto chosen = std::ranges::find(outcome_.curve, best_->rate, &RatePoint::rate);
    note(chosen == outcome_.curve.end() ? outcome_.curve.back() : *chosen, *best_->held_out);
    return {};
  }

  void say(std::string_view what) const {
    if (job_.stages) job_.stages(what, static_cast<std::size_t>(probes_), most_probes);
  }

  /// At high rates each weight adds step^2 / 12 of error, and the step follows from the rate.
  [[nodiscard]] double rate_for(double wanted_sqnr_db) const {
    return 12 * power_ * std::pow(10, -wanted_sqnr_db / 10) / (weights_ * step_constant);
  }

  [[nodiscard]] Result<Fidelity> held_out(double rate) const {
    return judge_([&](std::span<const std::size_t> half, std::size_t) { return at_rate_(rate, half); });
  }

  static void note(RatePoint &point, const Fidelity &fidelity) {
    point.agreement = fidelity.agreement();
    point.sqnr_db = fidelity.sqnr_db();
    point.judged_on = fidelity.score ? "the samples of --eval" : "held-out halves";
  }

  /// Compresses at a rate, keeps the graph and notes the point; with its figures on held-out samples if asked.
  Status probe(double rate, bool judged) {
    say("searching the rate");
    ++probes_;
    EDGEC_ASSIGN(Graph graph, at_rate_(rate, job_.samples));
    RatePoint point{rate, 0, std::nullopt, std::nullopt};
    if (job_.file_bytes) {
      EDGEC_ASSIGN(point.bytes, job_.file_bytes(graph));
    }
    last_ = {std::move(graph), rate, point.bytes, std::nullopt};
    if (judged || (job_.judge_each && job_.samples.size() >= 2)) {
      EDGEC_ASSIGN(last_.held_out, held_out(rate));
      note(point, *last_.held_out);
    }
    EDGEC_CHECK(check_interrupted()); // what was cut short tells nothing
    if (job_.file_bytes)
      outcome_.smallest = outcome_.curve.empty() ? point.bytes : std::min(outcome_.smallest, point.bytes);
    outcome_.curve.push_back(point);
    return {};
  }

  /// About the rate of the wanted size, and how sizes fall there. How many bytes codes take depends little on the
  /// samples: a few say it.
  struct Start {
    double rate, slope;
  };
  Result<Start> rough_start(double limit, double wanted) {
    constexpr double half_a_bit = 0.5 / 8; // of a weight, for doubling the rate
    Start start{rate_for(first_sqnr_db), -half_a_bit * weights_};
    if (job_.samples.size() < 2 * rough_samples) return start;
    const std::vector<std::size_t> few = some_of(job_.samples, rough_samples);
    RateBracket bracket(limit, wanted, start.slope);
    for (int i = 0; i < most_rough_probes; ++i) {
      say("searching the rate");
      EDGEC_ASSIGN(const Graph graph, at_rate_(start.rate, few));
      EDGEC_ASSIGN(const std::size_t bytes, job_.file_bytes(graph));
      if (bracket.rises(start.rate, static_cast<double>(bytes))) break; // a whole search tells the rest
      bracket.add(start.rate, static_cast<double>(bytes));
      if (bracket.closed()) break;
      start = {bracket.next(), bracket.slope()};
      if (std::abs(static_cast<double>(bytes) - wanted) < rough_distance * wanted) break;
    }
    return start;
  }

  Status fit_size() {
    const double limit = static_cast<double>(*budget_.max_size) - slack_bytes;
    const double wanted = limit * (1 - close_below / 2);
    std::optional<RatePoint> below;    // nearest point under the limit
    std::optional<Candidate> smallest; // of those over it
    EDGEC_ASSIGN(const Start start, rough_start(limit, wanted));
    RateBracket bracket(limit, wanted, start.slope);
    double rate = start.rate;
    while (probes_ < most_probes) {
      EDGEC_CHECK(probe(rate, false));
      const RatePoint &point = outcome_.curve.back();
      const auto bytes = static_cast<double>(point.bytes);
      if (bytes > limit) {
        const bool rises = bracket.rises(rate, bytes);
        if (!smallest || last_.bytes < smallest->bytes) smallest = std::move(last_);
        if (rises && !below) break; // a larger loss no longer saves a byte
      } else if (!below || point.bytes > below->bytes) {
        below = point;
        best_ = std::move(last_);
      }
      if (below && static_cast<double>(below->bytes) >= limit * (1 - close_below)) break;
      bracket.add(rate, bytes);
      if (bracket.closed()) break; // sizes jump here
      rate = bracket.next();
    }
    outcome_.met = below.has_value();
    if (!below) best_ = std::move(smallest);
    return {};
  }

  /// What --max-drop counts, of the network at a rate.
  Result<std::optional<Drop>> drop_at(double rate) {
    EDGEC_CHECK(probe(rate, job_.evaluation == nullptr));
    if (job_.evaluation == nullptr) return drop_of(*last_.held_out);
    EDGEC_ASSIGN(const Fidelity judged, judge_evaluation(*job_.reference, last_.graph, job_));
    note(outcome_.curve.back(), judged);
    return drop_of(judged);
  }

  /// The largest rate whose network keeps enough answers on samples that it was not fitted to.
  Status fit_drop() {
    if (job_.samples.size() < 2 && job_.evaluation == nullptr)
      return usage_error(
          "--max-drop needs at least two samples (--calib): one half judges what was fitted to the other");
    double good = 0, bad = 0;
    double rate = rate_for(first_sqnr_db);
    constexpr double close_enough = 1.25, rounding = 1e-9;
    while (probes_ < most_probes && !(good > 0 && bad > 0 && bad / good < close_enough)) {
      EDGEC_ASSIGN(const auto drop, drop_at(rate));
      if (!drop)
        return unsupported("--max-drop: no output looks like scores of classes, so answers cannot be counted; give "
                           "--max-size or --rate");
      if (drop->points <= *budget_.max_drop + 100 * rounding) {
        good = rate;
        best_ = std::move(last_);
      } else {
        bad = rate;
      }
      rate = good == 0 ? rate / 8 : bad == 0 ? rate * 8 : std::sqrt(good * bad);
    }
    outcome_.met = best_.has_value();
    outcome_.rate = best_ ? good : bad;
    return {};
  }
};

} // namespace

Result<RateOutcome> search_rate(const AtRate &at_rate, const HeldOutJudge &judge, double power, const Job &job,
                                std::size_t weights) {
  if (!(power > 0) || !std::isfinite(power))
    return bad_input("the network's answers do not vary over the samples: no loss can be told");
  return Search(at_rate, judge, power, job, weights).run();
}

void say_curve(const Job &job, std::string_view pass, std::span<const RatePoint> curve) {
  for (const RatePoint &point : curve) {
    std::string text = fmt::format("rate {:.3g}", point.rate);
    if (point.bytes > 0) text += fmt::format(": {} bytes", point.bytes);
    if (point.sqnr_db) text += fmt::format(", {:.1f} dB", *point.sqnr_db);
    if (point.agreement) text += fmt::format(" and agreement {:.1f} %", 100 * *point.agreement);
    if (point.sqnr_db) text += fmt::format(" on {}", point.judged_on);
    job.say(pass, "", text + (point.chosen && curve.size() > 1 ? ": chosen" : ""));
  }
}

} // namespace edgec
