#include "job/latency_search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "diagnose/diagnose.h"
#include "measure/paired_latency.h"
#include "ops/registry.h"
#include "schemes/fitting/options.h"
#include "schemes/int8/options.h"
#include "schemes/prune/options.h"
#include "support/log.h"
#include "support/pattern.h"

namespace edgec {
namespace {

constexpr int most_cut = 18;   // twentieths of the multiply-accumulates
constexpr double spare = 0.97; // of the budget: a later measurement differs by a little

/// The samples of another set.
class Borrowed : public SampleSet {
public:
  explicit Borrowed(const SampleSet &set) : set_(set) {}
  [[nodiscard]] std::size_t size() const override { return set_.size(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override { return set_.load(index); }
  [[nodiscard]] std::string label(std::size_t index) const override { return set_.label(index); }
  [[nodiscard]] std::size_t rows() const override { return set_.rows(); }
  [[nodiscard]] std::size_t batch() const override { return set_.batch(); }
  [[nodiscard]] std::string description() const override { return set_.description(); }

private:
  const SampleSet &set_;
};

/// The first few: enough to know what takes how long.
Dataset few_of(const Dataset &data) {
  constexpr std::size_t few = 16;
  Dataset found;
  found.samples = std::make_unique<Borrowed>(*data.samples);
  found.indices.assign(data.indices.begin(),
                       data.indices.begin() + static_cast<std::ptrdiff_t>(std::min(few, data.indices.size())));
  return found;
}

/// What is done beyond what was asked for.
struct Way {
  bool int8 = false;
  std::vector<std::string> keep_float = {}; ///< nodes, the one that costs the answers most first
  int cut = 0;                              ///< twentieths of the multiply-accumulates
  double milliseconds = 0;

  [[nodiscard]] std::vector<TypedFlag> flags() const {
    std::vector<TypedFlag> found;
    if (int8) found.emplace_back("int8", "static");
    if (!keep_float.empty()) found.emplace_back("keep-float", float_pattern());
    if (cut > 0) found.emplace_back("prune-channels", fmt::format("{:g}", cut / 20.0));
    return found;
  }
  [[nodiscard]] std::string float_pattern() const {
    std::vector<std::string> names;
    for (const std::string &name : keep_float) names.push_back(Pattern::quoted(name));
    return fmt::format("{}", fmt::join(names, "|"));
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const auto &[key, value] : flags()) text += fmt::format("{}--{} {}", text.empty() ? "" : " ", key, value);
    return text.empty() ? "as asked" : text;
  }
  [[nodiscard]] Settings settings(Settings given) const {
    if (int8) given.edit<Int8Options>().mode = "static";
    if (!keep_float.empty()) given.edit<Int8Options>().keep_float = {float_pattern()};
    if (cut > 0) given.edit<ChannelOptions>().share = cut / 20.0;
    return given;
  }
};

class LatencySearch {
public:
  LatencySearch(const Graph &source, const CompressRequest &request, const Dataset &data, double budget_ms)
      : source_(source), request_(request), data_(few_of(data)), budget_(budget_ms) {}

  Result<LatencyChoice> run() {
    const auto begin = std::chrono::steady_clock::now();
    EDGEC_ASSIGN(Way chosen, measured({}));
    if (!holds(chosen) && may_be_int8()) {
      EDGEC_ASSIGN(Way int8, measured({.int8 = true}));
      if (holds(int8)) {
        EDGEC_ASSIGN(int8, most_float(std::move(int8)));
      }
      if (int8.milliseconds < chosen.milliseconds) chosen = std::move(int8);
    }
    if (!holds(chosen)) {
      EDGEC_ASSIGN(chosen, least_cut(chosen));
    }
    choice_.flags = chosen.flags();
    choice_.settings = chosen.settings(request_.settings);
    choice_.tried.name = "max-latency";
    choice_.tried.changed = !choice_.flags.empty();
    choice_.tried.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    say(fmt::format("--max-latency: {} {}", chosen.text(),
                    holds(chosen) ? "is chosen" : "is the fastest of what was tried, and not fast enough"));
    return std::move(choice_);
  }

private:
  const Graph &source_;
  const CompressRequest &request_;
  const Dataset data_;
  double budget_;
  LatencyChoice choice_;
  Graph made_; ///< the last network that was measured

  [[nodiscard]] bool holds(const Way &way) const { return way.milliseconds <= spare * budget_; }

  /// Whether int8 goes with what was asked for.
  [[nodiscard]] bool may_be_int8() const {
    if (request_.settings.get<Int8Options>().wanted()) return false;
    const Settings settings = Way{.int8 = true}.settings(request_.settings);
    return std::ranges::all_of(wanted_schemes(settings), [&](const SchemeDef *scheme) {
      return scheme->check == nullptr || scheme->check(settings);
    });
  }

  Result<Way> measured(Way way) {
    CompressRequest quick = request_;
    quick.settings = way.settings(request_.settings);
    quick.settings.edit<FitOptions>().set_effort("fast");
    quick.cross_fit = false;
    quick.progress = nullptr;
    EDGEC_ASSIGN(Compressed compressed, compress(source_, quick, data_));
    EDGEC_ASSIGN(const Sample sample, data_.samples->load(data_.indices.front()));
    const LatencyOptions brief{.least_seconds = 0.3};
    EDGEC_ASSIGN(const PairedLatency pair,
                 measure_pair(source_, compressed.graph, all_ops(), sample, request_.isa, brief));
    way.milliseconds = 1e3 * median(pair.second);
    const std::string text =
        fmt::format("{}: {:.3g} ms, {}", way.text(), way.milliseconds, holds(way) ? "fast enough" : "too slow");
    say("--max-latency: " + text);
    choice_.tried.notes.push_back({{}, text, !holds(way)});
    made_ = std::move(compressed.graph);
    return way;
  }

  /// Nodes whose codes cost the answers most compute on floats again, twice as many each time, while that is fast
  /// enough.
  Result<Way> most_float(Way way) {
    constexpr std::size_t samples = 8;
    DiagnoseOptions options{.running = {.threads = request_.threads, .isa = request_.isa}, .most_removed = 0};
    options.running.indices = std::span(data_.indices).first(std::min(samples, data_.indices.size()));
    EDGEC_ASSIGN(const Diagnosis found,
                 diagnose(Model{.graph = source_}, Model{.graph = made_}, all_ops(), *data_.samples, options));
    std::set<std::string> nodes;
    for (const NodeId id : source_.nodes()) nodes.insert(source_.node(id).label());
    std::vector<std::string> worst;
    for (const TensorFinding &tensor : found.tensors)
      if (nodes.erase(tensor.node) > 0) worst.push_back(tensor.node);
    for (std::size_t count = 1; count < worst.size(); count *= 2) {
      Way next{.int8 = true};
      next.keep_float.assign(worst.begin(), worst.begin() + static_cast<std::ptrdiff_t>(count));
      EDGEC_ASSIGN(next, measured(std::move(next)));
      if (!holds(next)) break;
      way = std::move(next);
    }
    return way;
  }

  /// The least cut that is fast enough, else the largest: between two whose times are known, time goes about straight.
  Result<Way> least_cut(Way slow) {
    const double given = request_.settings.get<ChannelOptions>().share.value_or(0);
    slow.cut = static_cast<int>(std::floor(20 * given + 1e-9));
    if (slow.cut >= most_cut) return slow;
    Way fast{.int8 = slow.int8, .cut = 20}; // nobody has measured that: nothing is left
    while (fast.cut - slow.cut > 1) {
      const double way = (slow.milliseconds - budget_) / std::max(slow.milliseconds - fast.milliseconds, 1e-9);
      const int guess = slow.cut + static_cast<int>(std::ceil(std::clamp(way, 0.0, 1.0) * (fast.cut - slow.cut)));
      EDGEC_ASSIGN(
          const Way next,
          measured({.int8 = slow.int8, .cut = std::clamp(guess, slow.cut + 1, std::min(fast.cut - 1, most_cut))}));
      if (!holds(next) && next.cut == most_cut) return next;
      (holds(next) ? fast : slow) = next;
    }
    return fast;
  }
};

} // namespace

Result<LatencyChoice> choose_for_latency(const Graph &source, const CompressRequest &request, const Dataset &data,
                                         double budget_ms) {
  return LatencySearch(source, request, data, budget_ms).run();
}

} // namespace edgec
