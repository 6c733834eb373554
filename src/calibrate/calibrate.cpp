#include "calibrate/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "runtime/plan.h"
#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

/// Samples whose sums are held apart until they are added in order: bounds memory, fixes the result.
constexpr std::size_t chunk = 32;
/// Samples that show where a value's tails begin: at so much of the least of their extremes.
constexpr std::size_t first_samples = 8;
constexpr float tail_share = 0.75F;
/// Each worker has histograms of its own; fewer run where those of a large network would be more.
constexpr std::size_t most_histogram_bytes = std::size_t{128} << 20;

/// Of the finite values; none: low > high.
struct MinMax {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  bool infinite = false; ///< there are infinities, too
  bool above = false;    ///< positive ones
  bool nan = false;
};

/// One by one: for the few values that are not all finite.
MinMax min_max_of_finite(std::span<const float> values) {
  MinMax found;
  for (const float value : values) {
    if (std::isnan(value))
      found.nan = true;
    else if (std::isinf(value))
      found.infinite = true, found.above = found.above || value > 0;
    else
      found.low = std::min(found.low, value), found.high = std::max(found.high, value);
  }
  return found;
}

EDGEC_VECTOR_CLONES MinMax min_max(std::span<const float> values) {
  constexpr std::size_t lanes = 16;
  float low[lanes], high[lanes], poison[lanes];
  for (std::size_t k = 0; k < lanes; ++k) {
    low[k] = std::numeric_limits<float>::infinity();
    high[k] = -low[k];
    poison[k] = 0;
  }
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes)
    for (std::size_t k = 0; k < lanes; ++k) {
      const float v = values[i + k];
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      poison[k] += v * 0.0F; // NaN for NaN and infinity
    }
  for (; i < values.size(); ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
    poison[0] += values[i] * 0.0F;
  }
  MinMax found;
  float sum = 0;
  for (std::size_t k = 0; k < lanes; ++k) {
    found.low = std::min(found.low, low[k]);
    found.high = std::max(found.high, high[k]);
    sum += poison[k];
  }
  return std::isnan(sum) ? min_max_of_finite(values) : found;
}

struct PerSample {
  std::vector<MinMax> ranges;
  std::vector<std::vector<double>> sums;
  std::vector<double> positions;
  std::vector<ChannelSpread> spreads;
  std::vector<double> spread_positions;
};

class Gatherer {
public:
  Gatherer(const Graph &graph, const OpRegistry &ops, const SampleSet &samples, std::span<const std::size_t> which,
           const CalibrationOptions &options)
      : graph_(graph), samples_(samples), which_(which), options_(options),
        runner_(graph, ops, plan_options(graph, options)) {
    const auto number = [](const std::vector<ValueId> &ids) {
      std::map<ValueId, std::size_t> numbers;
      for (const ValueId id : ids) numbers.try_emplace(id, numbers.size());
      return numbers;
    };
    range_index_ = number(options.ranges);
    mean_index_ = number(options.channel_means);
    spread_index_ = number(options.channel_spreads);
    const auto folds = static_cast<std::size_t>(options.folds);
    totals_.assign(folds, std::vector<std::vector<double>>(mean_index_.size()));
    positions_.assign(folds, std::vector<double>(mean_index_.size(), 0.0));
    ranges_.assign(folds, std::vector<MinMax>(range_index_.size()));
    spreads_.assign(folds, std::vector<ChannelSpread>(spread_index_.size()));
    spread_positions_.assign(folds, std::vector<double>(spread_index_.size(), 0.0));
    if (options.histograms) {
      const std::size_t each = folds * std::max<std::size_t>(1, range_index_.size()) * sizeof(LogHistogram);
      threads_ = std::min(threads_, static_cast<int>(std::max<std::size_t>(1, most_histogram_bytes / each)));
      histograms_.resize(static_cast<std::size_t>(threads_) * folds);
    }
    for (auto &set : histograms_)
      for (std::size_t i = 0; i < range_index_.size(); ++i) set.push_back(std::make_shared<LogHistogram>());
    middles_.resize(range_index_.size());
    result_.fold_samples.assign(folds, 0);
  }

  Result<Calibration> run() {
    for (std::size_t start = 0, count = 0; start < which_.size(); start += count) {
      count = std::min(start == 0 ? first_samples : chunk, which_.size() - start);
      std::vector<PerSample> parts(count);
      EDGEC_CHECK(parallel_for(count, threads_,
                               [&](std::size_t i, int worker) { return run_sample(start + i, worker, parts[i]); }));
      for (std::size_t i = 0; i < count; ++i) add(parts[i], fold(start + i));
      if (start == 0 && options_.percentile) find_middles(parts);
      if (options_.progress) options_.progress(start + count, which_.size());
    }
    finish();
    return std::move(result_);
  }

  /// Values whose percentile lies where values were counted in part.
  [[nodiscard]] std::vector<ValueId> untold() const {
    std::vector<ValueId> found;
    if (!options_.percentile || histograms_.empty()) return found;
    for (const auto &[id, v] : range_index_) {
      const auto told = [&, at = v](const auto &fold) { return fold[at]->tells(*options_.percentile, middles_[at]); };
      // finish() adds other workers' counts to the first one's.
      if (!std::all_of(histograms_.begin(), histograms_.begin() + options_.folds, told)) found.push_back(id);
    }
    return found;
  }

private:
  const Graph &graph_;
  const SampleSet &samples_;
  std::span<const std::size_t> which_;
  const CalibrationOptions &options_;
  int threads_ = std::max(1, options_.threads);
  Runner runner_;
  std::map<ValueId, std::size_t> range_index_, mean_index_, spread_index_;
  std::vector<std::vector<std::vector<double>>> totals_; // fold, value, channel
  std::vector<std::vector<double>> positions_;
  std::vector<std::vector<ChannelSpread>> spreads_;
  std::vector<std::vector<double>> spread_positions_;
  std::vector<std::vector<MinMax>> ranges_;
  std::vector<std::vector<std::shared_ptr<LogHistogram>>> histograms_; // worker * folds + fold, value
  std::vector<Middle> middles_;                                        // value
  Calibration result_;

  static PlanOptions plan_options(const Graph &graph, const CalibrationOptions &options) {
    PlanOptions plan;
    plan.isa = options.isa;
    plan.fetches = options.fetches;
    plan.observe_only = options.fetches.empty();
    if (!plan.fetches.empty()) // a plan computes what its fetches need: all branches are to be seen
      for (const GraphOutput &output : graph.outputs()) plan.fetches.push_back(output.value);
    std::set<ValueId> keep(options.ranges.begin(), options.ranges.end());
    keep.insert(options.channel_means.begin(), options.channel_means.end());
    keep.insert(options.channel_spreads.begin(), options.channel_spreads.end());
    plan.keep.assign(keep.begin(), keep.end());
    return plan;
  }

  [[nodiscard]] std::size_t fold(std::size_t sample) const { return sample % static_cast<std::size_t>(options_.folds); }

  Status run_sample(std::size_t number, int worker, PerSample &part) {
    part.ranges.resize(range_index_.size());
    part.sums.resize(mean_index_.size());
    part.positions.resize(mean_index_.size());
    part.spreads.resize(spread_index_.size());
    part.spread_positions.resize(spread_index_.size());
    const std::string where = samples_.label(which_[number]);
    EDGEC_ASSIGN(const Sample sample, samples_.load(which_[number]));
    Status bad;
    for (std::size_t i = 0; i < sample.size() && i < graph_.inputs().size(); ++i) {
      const Type type = Type::of(sample[i]);
      if (type.dtype == DType::float32)
        bad = look({graph_.inputs()[i], type, sample[i].dims, Layout::plain, sample[i].data.data()}, number, worker,
                   part);
      if (!bad) return std::move(bad).in(where);
    }
    const Observer observer = [&](const ValueView &view) {
      if (bad && view.type.dtype == DType::float32) bad = look(view, number, worker, part);
    };
    auto outputs = runner_.run_tensors(sample, worker, observer);
    if (!outputs) return std::move(outputs).error().in(where);
    if (!bad) return std::move(bad).in(where);
    outputs->resize(options_.fetches.size());
    if (options_.fetched) options_.fetched(which_[number], *std::move(outputs));
    return {};
  }

  Status look(const ValueView &view, std::size_t number, int worker, PerSample &part) {
    const auto count = static_cast<std::size_t>(element_count(view.dims).value_or(0));
    const std::span values(reinterpret_cast<const float *>(view.data), count);
    if (const auto found = range_index_.find(view.id); found != range_index_.end()) {
      const MinMax range = min_max(values);
      // Infinities are a mask's way to say "never", but no network answers "for ever".
      if (range.nan || (range.above && graph_.is_output(view.id)))
        return bad_input(fmt::format("value {} holds {}: the network or this sample is broken", describe(view.id),
                                     range.nan ? "NaN" : "infinity"));
      part.ranges[found->second] = range;
      if (options_.histograms) {
        LogHistogram &histogram =
            *histograms_[static_cast<std::size_t>(worker) * static_cast<std::size_t>(options_.folds) + fold(number)]
                        [found->second];
        if (const Middle middle = middles_[found->second]; middle.low <= middle.high)
          histogram.add_tails(values, middle);
        else if (range.infinite)
          histogram.add(values);
        else
          histogram.add(values, range.low, range.high);
      }
    }
    const auto positions =
        static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(1, channel_count(view.dims)));
    const bool channels_last = view.layout == Layout::channels_last;
    if (const auto found = mean_index_.find(view.id); found != mean_index_.end()) {
      part.sums[found->second] = channel_sums(values, view.dims, channels_last);
      part.positions[found->second] = positions;
    }
    if (const auto found = spread_index_.find(view.id); found != spread_index_.end()) {
      if (options_.last_axis.contains(view.id) && !view.dims.empty() && view.dims.back() > 0) {
        const Dims rows{static_cast<std::int64_t>(count) / view.dims.back(), view.dims.back()};
        part.spreads[found->second] = channel_spread(values, rows, false);
        part.spread_positions[found->second] = static_cast<double>(rows[0]);
      } else {
        part.spreads[found->second] = channel_spread(values, view.dims, channels_last);
        part.spread_positions[found->second] = positions;
      }
    }
    return {};
  }

  [[nodiscard]] std::string describe(ValueId id) const {
    const Value &value = graph_.value(id);
    const Node *producer = graph_.producer(id);
    return producer ? fmt::format("{} (output of node {}, {})", value.name, producer->label(), producer->op)
                    : value.name;
  }

  void add(const PerSample &part, std::size_t f) {
    ++result_.fold_samples[f];
    for (std::size_t v = 0; v < part.ranges.size(); ++v) {
      ranges_[f][v].low = std::min(ranges_[f][v].low, part.ranges[v].low);
      ranges_[f][v].high = std::max(ranges_[f][v].high, part.ranges[v].high);
      ranges_[f][v].infinite |= part.ranges[v].infinite;
    }
    for (std::size_t v = 0; v < part.sums.size(); ++v) {
      auto &total = totals_[f][v];
      if (total.size() < part.sums[v].size()) total.resize(part.sums[v].size());
      for (std::size_t c = 0; c < part.sums[v].size(); ++c) total[c] += part.sums[v][c];
      positions_[f][v] += part.positions[v];
    }
    for (std::size_t v = 0; v < part.spreads.size(); ++v) {
      auto &[peak, squares] = spreads_[f][v];
      peak.resize(std::max(peak.size(), part.spreads[v].peak.size()));
      squares.resize(peak.size());
      for (std::size_t c = 0; c < part.spreads[v].peak.size(); ++c) {
        peak[c] = std::max(peak[c], part.spreads[v].peak[c]);
        squares[c] += part.spreads[v].squares[c];
      }
      spread_positions_[f][v] += part.spread_positions[v];
    }
  }

  void find_middles(const std::vector<PerSample> &first) {
    for (std::size_t v = 0; v < middles_.size(); ++v) {
      float low = -std::numeric_limits<float>::infinity(), high = -low;
      for (const PerSample &part : first)
        low = std::max(low, part.ranges[v].low), high = std::min(high, part.ranges[v].high);
      middles_[v] = {std::min(0.0F, low * tail_share), std::max(0.0F, high * tail_share)};
    }
  }

  void finish() {
    const auto folds = static_cast<std::size_t>(options_.folds);
    result_.folds.resize(folds);
    for (std::size_t f = 0; f < folds; ++f) {
      for (const auto &[id, v] : range_index_) {
        ValueStatistics &s = result_.folds[f][id];
        const MinMax &range = ranges_[f][v];
        if (range.low <= range.high) s.minimum = range.low, s.maximum = range.high;
        s.infinite = range.infinite;
        if (!options_.histograms) continue;
        s.histogram = histograms_[f][v];
        for (std::size_t worker = 1; worker * folds < histograms_.size(); ++worker)
          s.histogram->merge(*histograms_[worker * folds + f][v]);
      }
      for (const auto &[id, v] : mean_index_) {
        auto &mean = result_.folds[f][id].channel_mean = totals_[f][v];
        for (double &m : mean) m /= std::max(1.0, positions_[f][v]);
      }
      for (const auto &[id, v] : spread_index_) {
        ValueStatistics &s = result_.folds[f][id];
        s.channel_peak = spreads_[f][v].peak;
        s.channel_power = spreads_[f][v].squares;
        for (double &power : s.channel_power) power /= std::max(1.0, spread_positions_[f][v]);
      }
    }
  }
};

} // namespace

Result<Calibration> calibrate(const Graph &graph, const OpRegistry &ops, const SampleSet &samples,
                              std::span<const std::size_t> which, const CalibrationOptions &options) {
  Gatherer gatherer(graph, ops, samples, which, options);
  EDGEC_ASSIGN(Calibration found, gatherer.run());
  const std::vector<ValueId> untold = gatherer.untold();
  if (untold.empty()) return found;
  CalibrationOptions whole = options;
  whole.ranges = untold;
  whole.percentile.reset();
  whole.channel_means = whole.channel_spreads = whole.fetches = {};
  whole.fetched = nullptr;
  EDGEC_ASSIGN(const Calibration again, calibrate(graph, ops, samples, which, whole));
  for (std::size_t f = 0; f < found.folds.size(); ++f)
    for (const ValueId id : untold) found.folds[f].at(id).histogram = again.folds[f].at(id).histogram;
  return found;
}

RangeStatistics Calibration::merged(std::span<const int> wanted) const {
  RangeStatistics all;
  double samples = 0;
  for (const int f : wanted) {
    const auto index = static_cast<std::size_t>(f);
    const auto count = static_cast<double>(fold_samples[index]);
    if (count == 0) continue;
    for (const auto &[id, statistics] : folds[index]) {
      const auto [place, fresh] = all.try_emplace(id, statistics);
      if (!fresh) place->second.merge(statistics, samples, count);
    }
    samples += count;
  }
  return all;
}

} // namespace edgec
