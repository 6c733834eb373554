#include "calibrate/walk.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "ir/extract.h"
#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

/// A value of every sample, in the layout in which it was computed.
struct Kept {
  SampleStore of_sample;
  Layout layout = Layout::plain;
};

template <std::size_t Width>
[[gnu::always_inline]] inline void add_strip(const std::uint8_t *codes, std::size_t rows, std::size_t channels,
                                             std::uint32_t *__restrict sum, std::uint32_t *__restrict inside) {
  std::array<std::uint32_t, Width> total{}, free{};
  for (std::size_t r = 0; r < rows; ++r, codes += channels)
    for (std::size_t c = 0; c < Width; ++c) {
      total[c] += codes[c];
      free[c] += static_cast<std::uint8_t>(codes[c] - 1) < 254 ? 1U : 0U;
    }
  for (std::size_t c = 0; c < Width; ++c) sum[c] += total[c], inside[c] += free[c];
}

/// Adds rows of channels: integers, so the width of the vectors changes nothing.
EDGEC_VECTOR_CLONES void add_rows(const std::uint8_t *codes, std::size_t rows, std::size_t channels,
                                  std::uint32_t *__restrict sum, std::uint32_t *__restrict inside) {
  constexpr std::size_t strip = 32; // sums that are kept in registers while the rows go by
  std::size_t c = 0;
  for (; c + strip <= channels; c += strip) add_strip<strip>(codes + c, rows, channels, sum + c, inside + c);
  for (; c < channels; ++c) add_strip<1>(codes + c, rows, channels, sum + c, inside + c);
}

void add_codes(std::span<const std::uint8_t> codes, std::span<const std::int64_t> dims, Layout layout,
               ChannelObservation &into) {
  const auto channels = static_cast<std::size_t>(channel_count(dims));
  into.sum.assign(channels, 0);
  into.inside.assign(channels, 0);
  if (channels == 0 || codes.empty()) return;
  if (dims.size() <= 2 || layout == Layout::channels_last) {
    constexpr std::size_t most_rows = 1U << 23; // 255 times as many still fit 32 bits
    std::vector<std::uint32_t> sum(channels), inside(channels);
    for (std::size_t row = 0; row * channels < codes.size(); row += most_rows) {
      std::ranges::fill(sum, 0);
      std::ranges::fill(inside, 0);
      add_rows(&codes[row * channels], std::min(most_rows, codes.size() / channels - row), channels, sum.data(),
               inside.data());
      for (std::size_t c = 0; c < channels; ++c) into.sum[c] += sum[c], into.inside[c] += inside[c];
    }
    return;
  }
  const std::size_t positions = codes.size() / static_cast<std::size_t>(dims[0]) / channels;
  for (std::size_t row = 0; row * positions < codes.size(); ++row) {
    std::int64_t sum = 0, inside = 0;
    for (const std::uint8_t code : codes.subspan(row * positions, positions)) {
      sum += code;
      inside += code > 0 && code < 255;
    }
    into.sum[row % channels] += static_cast<double>(sum);
    into.inside[row % channels] += static_cast<double>(inside);
  }
}

/// Codes of any other width, one by one.
template <class T>
void add_wide_codes(std::span<const T> codes, std::span<const std::int64_t> dims, Layout layout,
                    ChannelObservation &into) {
  const auto channels = static_cast<std::size_t>(channel_count(dims));
  into.sum.assign(channels, 0);
  into.inside.assign(channels, 0);
  if (channels == 0 || codes.empty()) return;
  const bool last = dims.size() <= 2 || layout == Layout::channels_last;
  const std::size_t positions = last ? 1 : codes.size() / static_cast<std::size_t>(dims[0]) / channels;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t c = i / positions % channels;
    into.sum[c] += static_cast<double>(codes[i]);
    into.inside[c] += codes[i] > std::numeric_limits<T>::min() && codes[i] < std::numeric_limits<T>::max() ? 1 : 0;
  }
}

Result<ChannelObservation> observe_one(const ValueView &view, Interval interval) {
  ChannelObservation seen;
  const auto count = static_cast<std::size_t>(element_count(view.dims).value_or(0));
  const auto as = [&]<class T>(T) { return std::span(reinterpret_cast<const T *>(view.data), count); };
  switch (view.type.dtype) {
  case DType::uint8: add_codes(as(std::uint8_t{}), view.dims, view.layout, seen); break;
  case DType::int8: add_wide_codes(as(std::int8_t{}), view.dims, view.layout, seen); break;
  case DType::uint16: add_wide_codes(as(std::uint16_t{}), view.dims, view.layout, seen); break;
  case DType::int16: add_wide_codes(as(std::int16_t{}), view.dims, view.layout, seen); break;
  case DType::float32: {
    const std::span reals(reinterpret_cast<const float *>(view.data), count);
    const bool channels_last = view.layout == Layout::channels_last;
    seen.sum = channel_sums(reals, view.dims, channels_last);
    seen.inside = channel_counts(reals, view.dims, channels_last, interval.low, interval.high);
    break;
  }
  default: return internal_error("values of type " + to_string(view.type) + " cannot be observed by channels");
  }
  seen.positions =
      static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(1, channel_count(view.dims)));
  return seen;
}

void add(ChannelObservation &all, const ChannelObservation &one) {
  all.sum.resize(std::max(all.sum.size(), one.sum.size()));
  all.inside.resize(all.sum.size());
  for (std::size_t c = 0; c < one.sum.size(); ++c) all.sum[c] += one.sum[c], all.inside[c] += one.inside[c];
  all.positions += one.positions;
}

} // namespace

struct Walk::State {
  const Graph &graph;
  const OpRegistry &ops;
  const SampleSet &samples;
  std::vector<std::size_t> which;
  Options options;
  std::vector<ValueId> stops;
  std::vector<std::vector<ValueId>> feeds; // of each stop: earlier stops and graph inputs
  std::size_t reached = 0;                 // stops computed so far
  std::map<ValueId, Kept> kept;
  std::set<ValueId> held; // reached and not released

  /// The nearest stops and graph inputs that `id` is computed from, never none.
  std::vector<ValueId> sources(ValueId id) const {
    std::set<ValueId> found;
    std::set<ValueId> seen;
    std::vector<ValueId> stack;
    const auto push_operands = [&](ValueId v) {
      if (const Node *producer = graph.producer(v))
        for (const auto *list : {&producer->inputs, &producer->captures})
          stack.insert(stack.end(), list->begin(), list->end());
    };
    if (graph.is_input(id)) return {id};
    push_operands(id);
    while (!stack.empty()) {
      const ValueId v = stack.back();
      stack.pop_back();
      if (!v.valid() || graph.constant(v) || !seen.insert(v).second) continue;
      if (graph.is_input(v) || std::ranges::find(stops, v) != stops.end())
        found.insert(v);
      else
        push_operands(v);
    }
    if (found.empty()) return graph.inputs(); // it is computed from constants alone; a plan is fed something
    return {found.begin(), found.end()};
  }

  void order_stops() {
    std::map<NodeId, std::size_t> place;
    for (const NodeId id : graph.nodes()) place.emplace(id, place.size() + 1);
    const auto position = [&](ValueId v) {
      const NodeId producer = graph.value(v).producer;
      return producer.valid() ? place.at(producer) : 0;
    };
    std::ranges::stable_sort(stops, {}, [&](ValueId v) { return std::pair(position(v), v); });
    stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
    for (const ValueId stop : stops) feeds.push_back(sources(stop));
  }

  /// What lies between kept values and those wanted. A plan is compiled for each step: of a small graph sooner.
  struct Segment {
    Graph graph;
    std::vector<ValueId> from, wanted; ///< in that graph
  };
  Segment segment(const std::vector<ValueId> &from, const std::vector<ValueId> &wanted) const {
    auto part = extract(graph, from, wanted);
    if (!part) return {graph, from, wanted}; // of constants alone
    std::vector<ValueId> outputs;
    for (const GraphOutput &output : part->outputs()) outputs.push_back(output.value);
    return {*part, part->inputs(), std::move(outputs)};
  }

  Runner make_runner(const Segment &segment, const std::vector<ValueId> &from, PlanOptions plan) const {
    plan.isa = options.isa;
    plan.feeds = segment.from;
    plan.fetches = segment.wanted;
    for (const ValueId id : from) {
      const auto found = kept.find(id);
      plan.feed_layouts.push_back(found == kept.end() ? Layout::plain : found->second.layout);
    }
    return {segment.graph, ops, std::move(plan)};
  }

  Result<std::vector<Tensor>> load(std::size_t number, const std::vector<ValueId> &from) const {
    std::vector<Tensor> tensors;
    std::optional<Sample> sample;
    for (const ValueId id : from) {
      if (const auto found = kept.find(id); found != kept.end()) {
        EDGEC_ASSIGN(Tensor tensor, found->second.of_sample.get(number));
        tensors.push_back(std::move(tensor));
        continue;
      }
      if (!sample) {
        EDGEC_ASSIGN(sample, samples.load(which[number]));
      }
      const auto index = std::ranges::find(graph.inputs(), id) - graph.inputs().begin();
      tensors.push_back(sample->at(static_cast<std::size_t>(index)));
    }
    return tensors;
  }
};

Walk::Walk(const Graph &graph, const OpRegistry &ops, const SampleSet &samples, std::vector<std::size_t> which,
           std::vector<ValueId> stops, Options options)
    : state_(std::make_unique<State>(
          State{graph, ops, samples, std::move(which), std::move(options), std::move(stops), {}, 0, {}, {}})) {
  if (!state_->options.budget) state_->options.budget = std::make_shared<MemoryBudget>();
  state_->order_stops();
}
Walk::~Walk() = default;

const std::vector<ValueId> &Walk::stops() const { return state_->stops; }

Status Walk::advance() {
  State &s = *state_;
  assert(s.reached < s.stops.size());
  const ValueId stop = s.stops[s.reached];
  const auto &from = s.feeds[s.reached];
  PlanOptions plan;
  plan.native_fetches = true;
  Runner runner = s.make_runner(s.segment(from, {stop}), from, std::move(plan));
  // An earlier stop that nothing later is computed from can go as soon as this sample is done.
  std::vector<ValueId> finished;
  for (const auto &[id, kept] : s.kept) {
    const bool later = std::any_of(s.feeds.begin() + static_cast<std::ptrdiff_t>(s.reached) + 1, s.feeds.end(),
                                   [&](const auto &list) { return std::ranges::find(list, id) != list.end(); });
    if (!later && !s.held.contains(id)) finished.push_back(id);
  }
  Kept made{SampleStore(s.which.size(), s.options.budget), Layout::plain};
  if (!s.which.empty()) {
    EDGEC_ASSIGN(const auto first, s.load(0, from));
    std::vector<Type> types;
    for (const Tensor &tensor : first) types.push_back(Type::of(tensor));
    EDGEC_ASSIGN(const auto compiled, runner.plan(types));
    made.layout = compiled->fetch_layouts()[0];
  }
  EDGEC_CHECK(parallel_for(s.which.size(), s.options.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(const auto feeds, s.load(i, from));
    EDGEC_ASSIGN(auto results, runner.run_tensors(feeds, worker));
    for (const ValueId id : finished) s.kept.at(id).of_sample.drop(i);
    return made.of_sample.put(i, std::move(results[0]));
  }));
  for (const ValueId id : finished) s.kept.erase(id);
  s.kept.insert_or_assign(stop, std::move(made));
  if (s.options.hold) s.held.insert(stop);
  ++s.reached;
  return {};
}

Status Walk::reach(ValueId stop) {
  while (!state_->kept.contains(stop)) {
    assert(state_->reached < state_->stops.size());
    EDGEC_CHECK(advance());
  }
  return {};
}

void Walk::release(ValueId stop) { state_->held.erase(stop); }

Result<Tensor> Walk::value(ValueId stop, std::size_t sample) const {
  return state_->kept.at(stop).of_sample.get(sample);
}

const Dims &Walk::dims(ValueId stop, std::size_t sample) const { return state_->kept.at(stop).of_sample.dims(sample); }

Layout Walk::layout(ValueId stop) const { return state_->kept.at(stop).layout; }

Result<std::map<ValueId, ChannelObservation>> Walk::observe(const std::map<ValueId, Interval> &values) {
  State &s = *state_;
  assert(s.reached > 0);
  std::set<ValueId> sources;
  std::vector<ValueId> wanted;
  for (const auto &[value, interval] : values) {
    wanted.push_back(value);
    for (const ValueId id : s.sources(value)) sources.insert(id);
  }
  const std::vector<ValueId> from(sources.begin(), sources.end());
  const State::Segment segment = s.segment(from, wanted);
  std::map<ValueId, ValueId> original; // of the segment's values
  for (std::size_t i = 0; i < wanted.size(); ++i) original[segment.wanted[i]] = wanted[i];
  PlanOptions plan;
  plan.keep = segment.wanted;
  plan.observe_only = true;
  Runner runner = s.make_runner(segment, from, std::move(plan));
  std::vector<std::map<ValueId, ChannelObservation>> parts(s.which.size());
  EDGEC_CHECK(parallel_for(s.which.size(), s.options.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(const auto feeds, s.load(i, from));
    Status unreadable;
    const auto look = [&](const ValueView &view) {
      const ValueId id = original.at(view.id);
      auto seen = observe_one(view, values.at(id));
      if (seen)
        parts[i][id] = *std::move(seen);
      else
        unreadable = std::move(seen).error();
    };
    EDGEC_CHECK(runner.run_tensors(feeds, worker, look));
    return unreadable;
  }));
  std::map<ValueId, ChannelObservation> all;
  for (const auto &part : parts)
    for (const auto &[id, seen] : part) add(all[id], seen);
  return all;
}

} // namespace edgec
