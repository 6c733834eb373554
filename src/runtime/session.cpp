// Running a plan: buffers of one thread, and a cache of plans by input shapes.
#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <new>
#include <stdexcept>

#include "ir/evaluate.h"
#include "ir/node_view.h"
#include "runtime/constant_reals.h"
#include "runtime/plan.h"
#include "runtime/plan_state.h"
#include "runtime/reorder.h"
#include "runtime/write_check.h"
#include "support/cancel.h"

namespace edgec {
namespace {

constexpr int deepest_subgraph = 32;

struct AlignedDelete {
  void operator()(std::byte *p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

AlignedBytes aligned(std::size_t bytes) {
  return AlignedBytes(
      static_cast<std::byte *>(::operator new[](std::max<std::size_t>(bytes, 1), std::align_val_t{64})));
}

} // namespace

Result<std::vector<RuntimeValue>> SubGraphs::run(const Graph &body, const OpRegistry &ops, const PlanOptions &options,
                                                 std::span<const RuntimeValue> feeds) {
  static thread_local int depth = 0;
  if (depth >= deepest_subgraph) return unsupported(fmt::format("sub-graphs nest deeper than {}", deepest_subgraph));
  auto &runner = runners_[&body];
  if (!runner) {
    PlanOptions inner = options;
    inner.feeds = body.inputs();
    inner.feeds.insert(inner.feeds.end(), body.captures().begin(), body.captures().end());
    inner.feed_layouts.clear();
    inner.fetches.clear();
    inner.keep.clear();
    inner.native_fetches = inner.observe_only = false;
    runner = std::make_unique<Runner>(body, ops, std::move(inner));
  }
  ++depth;
  auto outputs = runner->run(feeds);
  --depth;
  return outputs;
}

Result<std::vector<RuntimeValue>> evaluate_node(const Graph &graph, const OpRegistry &ops, const Node &node,
                                                const PlanOptions &options, std::span<const RuntimeValue> inputs,
                                                std::span<const RuntimeValue> captures, SubGraphs *subgraphs) {
  const OpDef *op = ops.find(node);
  if (!op) return unsupported(fmt::format("operator {} is unknown", node.op));
  std::vector<const Tensor *> tensors;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    tensors.push_back(i < inputs.size() && inputs[i].tensor ? &*inputs[i].tensor : nullptr);
  const auto input_types = types_of(graph, node.inputs), output_types = types_of(graph, node.outputs);
  SubGraphs own;
  if (!subgraphs) subgraphs = &own;
  const SubGraphRunner run_subgraph = [&](const Graph &body, std::span<const RuntimeValue> feeds) {
    return subgraphs->run(body, ops, options, feeds);
  };
  return evaluate(*op, {node, graph.opset(node.domain), tensors, input_types, output_types, options.policy,
                        &run_subgraph, captures, inputs});
}

struct Session::Buffers {
  AlignedBytes arena, scratch;
  std::vector<RuntimeValue> dynamic;
  SubGraphs subgraphs;
};

Session::Session(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)), buffers_(std::make_unique<Buffers>()) {
  buffers_->arena = aligned(plan_->state_->arena_bytes);
  buffers_->scratch = aligned(plan_->state_->scratch_bytes);
}
Session::~Session() = default;
Session::Session(Session &&) noexcept = default;

namespace {

/// One run's view of where things are.
class Execution {
public:
  Execution(const Plan::State &state, std::byte *arena, std::byte *scratch, std::vector<RuntimeValue> &dynamic,
            SubGraphs &subgraphs, std::span<const RuntimeValue> feeds)
      : s_(state), arena_(arena), scratch_(scratch), dynamic_(dynamic), subgraphs_(subgraphs), feeds_(feeds) {}

  Status run(const Observer &observer, std::vector<double> *step_seconds) {
    if (step_seconds) step_seconds->resize(s_.steps.size());
    if (s_.options.check_writes) poison({arena_, s_.arena_bytes});
    if (observer)
      for (const Step::Shown &shown : s_.folded) show(shown, observer);
    for (std::size_t i = 0; i < s_.steps.size(); ++i) {
      EDGEC_CHECK(check_interrupted());
      if (s_.options.check_writes) begin_lives(i);
      const auto start = std::chrono::steady_clock::now();
      EDGEC_CHECK(run_step(s_.steps[i]));
      if (step_seconds)
        (*step_seconds)[i] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (observer)
        for (const Step::Shown &shown : s_.steps[i].shown) show(shown, observer);
      if (s_.options.check_writes) end_lives(i);
    }
    return {};
  }

  RuntimeValue fetch(const Place &place, const Type &type) const {
    if (place.kind == Place::Kind::arena) {
      const Dims dims = *type.concrete();
      const ByteView bytes(arena_ + s_.buffers[place.index].offset, byte_size(type.dtype, *element_count(dims)));
      return Tensor{type.dtype, dims, Storage::copy(bytes), nullptr};
    }
    return value(place);
  }

private:
  const Plan::State &s_;
  std::byte *arena_;
  std::byte *scratch_;
  std::vector<RuntimeValue> &dynamic_;
  SubGraphs &subgraphs_;
  std::span<const RuntimeValue> feeds_;

  /// Only an operand that is left out is null: kernels give what has no elements to memcpy.
  static std::byte *address(const Storage &data) {
    static std::byte nothing{};
    return data.size() > 0 ? const_cast<std::byte *>(data.data()) : &nothing;
  }

  std::byte *bytes(const Place &place) const {
    switch (place.kind) {
    case Place::Kind::arena: return arena_ + s_.buffers[place.index].offset;
    case Place::Kind::feed: return address(feeds_[place.index].tensor->data);
    case Place::Kind::constant: return address(s_.constants[place.index].data);
    default: return nullptr;
    }
  }

  RuntimeValue value(const Place &place) const {
    switch (place.kind) {
    case Place::Kind::feed: return feeds_[place.index];
    case Place::Kind::constant: return s_.constants[place.index];
    case Place::Kind::dynamic: return dynamic_[place.index];
    default: return {};
    }
  }

  std::span<std::byte> bytes(const BufferLife &life) const { return {arena_ + life.offset, life.bytes}; }

  void begin_lives(std::size_t step) const {
    for (const BufferLife &life : s_.buffers)
      if (life.first == step) unpoison(bytes(life));
  }

  void end_lives(std::size_t step) const {
    for (const BufferLife &life : s_.buffers)
      if (life.last == step) poison(bytes(life));
  }

  void show(const Step::Shown &shown, const Observer &observer) const {
    Type type = s_.graph.value(shown.id).type;
    if (shown.place.kind == Place::Kind::dynamic) {
      const auto &tensor = dynamic_[shown.place.index].tensor;
      if (!tensor) return;
      type = Type::of(*tensor);
      observer({shown.id, type, tensor->dims, Layout::plain, tensor->data.data()});
      return;
    }
    if (shown.place.kind == Place::Kind::constant) {
      const auto quant = type.quant;
      type = Type::of(s_.constants[shown.place.index]);
      type.quant = quant;
    }
    const Dims dims = *type.concrete();
    observer({shown.id, type, dims, shown.layout, bytes(shown.place)});
  }

  Status run_step(const Step &step) const {
    if (step.kind == Step::Kind::dynamic) return run_dynamic(step);
    std::vector<const std::byte *> in;
    std::vector<std::byte *> out;
    in.reserve(step.inputs.size());
    for (const Place &place : step.inputs) in.push_back(bytes(place));
    for (const Place &place : step.outputs) out.push_back(bytes(place));
    const auto compute = [&] {
      if (step.kind == Step::Kind::kernel)
        step.kernel.run({in, out, scratch_});
      else
        reorder(in[0], step.from, out[0], step.to, step.dims, step.element_bytes, s_.options.threads);
    };
    try {
      if (s_.options.check_writes) return check(step, compute);
      compute();
    } catch (const KernelFailure &failure) {
      return failure.error;
    } catch (const std::bad_alloc &) {
      throw;
    } catch (const std::exception &error) {
      return internal_error(error.what());
    }
    return {};
  }

  Status check(const Step &step, const std::function<void()> &compute) const {
    std::vector<CheckedOutput> outputs;
    for (const Place &place : step.outputs)
      if (place.kind == Place::Kind::arena)
        outputs.push_back({bytes(s_.buffers[place.index]), s_.buffers[place.index].element_bytes});
    return run_checked(outputs, {scratch_, step.kernel.scratch_bytes}, compute)
        .in(fmt::format("node {} ({})", step.info.label, step.info.kernel));
  }

  Status run_dynamic(const Step &step) const {
    const Node &node = s_.graph.node(step.node);
    std::vector<RuntimeValue> operands;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const ValueId id = i < node.inputs.size() ? node.inputs[i] : node.captures[i - node.inputs.size()];
      if (step.inputs[i].kind == Place::Kind::arena)
        operands.push_back(fetch(step.inputs[i], s_.graph.value(id).type));
      else
        operands.push_back(value(step.inputs[i]));
    }
    const std::span<const RuntimeValue> all(operands);
    auto outputs = evaluate_node(s_.graph, *s_.ops, node, s_.options, all.first(node.inputs.size()),
                                 all.subspan(node.inputs.size()), &subgraphs_);
    if (!outputs) return std::move(outputs).error().in(fmt::format("node {} ({})", node.label(), node.op));
    for (std::size_t i = 0; i < step.outputs.size() && i < outputs->size(); ++i) {
      if (step.outputs[i].kind == Place::Kind::dynamic)
        dynamic_[step.outputs[i].index] = std::move((*outputs)[i]);
      else if (step.outputs[i].kind == Place::Kind::arena)
        EDGEC_CHECK(store((*outputs)[i], node, i, bytes(step.outputs[i]))
                        .in(fmt::format("node {} ({})", node.label(), node.op)));
    }
    return {};
  }

  /// Copies a result whose type was known beforehand to its place.
  Status store(const RuntimeValue &made, const Node &node, std::size_t i, std::byte *place) const {
    const Type &type = s_.graph.value(node.outputs[i]).type;
    if (!made.tensor || made.tensor->dims != *type.concrete() || made.tensor->dtype != type.dtype)
      return internal_error(fmt::format("output {} is {}, {} was inferred", i,
                                        made.tensor ? to_string(Type::of(*made.tensor)) : "no tensor",
                                        to_string(type)));
    if (made.tensor->data.size() > 0) std::memcpy(place, made.tensor->data.data(), made.tensor->data.size());
    return {};
  }
};

} // namespace

Result<std::vector<RuntimeValue>> Session::run(std::span<const RuntimeValue> feeds, const Observer &observer,
                                               std::vector<double> *step_seconds) {
  const Plan::State &state = *plan_->state_;
  if (feeds.size() != state.feed_types.size())
    return bad_input(fmt::format("{} inputs were expected, {} were given", state.feed_types.size(), feeds.size()));
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const Type &type = state.feed_types[i];
    if (type.is_tensor() &&
        (!feeds[i].tensor || feeds[i].tensor->dims != type.concrete() || feeds[i].tensor->dtype != type.dtype))
      return bad_input(fmt::format("input {}: {} was expected", i, to_string(type)));
  }
  buffers_->dynamic.assign(state.dynamic_slots, {});
  Execution execution(state, buffers_->arena.get(), buffers_->scratch.get(), buffers_->dynamic, buffers_->subgraphs,
                      feeds);
  EDGEC_CHECK(execution.run(observer, step_seconds));
  std::vector<RuntimeValue> results;
  if (state.options.observe_only) return results;
  for (std::size_t i = 0; i < state.fetches.size(); ++i)
    results.push_back(execution.fetch(state.fetches[i], state.graph.value(state.options.fetches[i]).type));
  return results;
}

struct Runner::State {
  Graph graph;
  const OpRegistry *ops;
  PlanOptions options;
  std::mutex mutex;
  struct Entry {
    std::vector<Type> feeds;
    std::shared_ptr<const Plan> plan;
    std::map<int, Session> sessions;
  };
  std::vector<std::shared_ptr<Entry>> entries; // most recent last
  static constexpr std::size_t most_entries = 8;

  Result<std::shared_ptr<Entry>> entry(std::span<const Type> feed_types) {
    for (auto &candidate : entries)
      if (std::ranges::equal(candidate->feeds, feed_types)) return candidate;
    EDGEC_ASSIGN(auto plan, Plan::compile(graph, *ops, feed_types, options));
    if (entries.size() == most_entries) entries.erase(entries.begin());
    entries.push_back(std::make_shared<Entry>(Entry{{feed_types.begin(), feed_types.end()}, std::move(plan), {}}));
    return entries.back();
  }
};

Runner::Runner(const Graph &graph, const OpRegistry &ops, PlanOptions options) : state_(std::make_unique<State>()) {
  state_->graph = graph;
  state_->ops = &ops;
  state_->options = std::move(options);
  make_constants_real(state_->graph, ops, state_->options);
}
Runner::~Runner() = default;

const Graph &Runner::graph() const { return state_->graph; }

Result<std::shared_ptr<const Plan>> Runner::plan(std::span<const Type> feed_types) {
  const std::lock_guard lock(state_->mutex);
  EDGEC_ASSIGN(auto entry, state_->entry(feed_types));
  return entry->plan;
}

Result<std::vector<RuntimeValue>> Runner::run(std::span<const RuntimeValue> feeds, int worker,
                                              const Observer &observer) {
  std::vector<Type> types;
  for (const RuntimeValue &feed : feeds) {
    Type type;
    type.kind = Type::Kind::unknown;
    if (feed.tensor)
      type = Type::of(*feed.tensor);
    else if (feed.sequence)
      type.kind = Type::Kind::sequence;
    else
      type.kind = Type::Kind::optional;
    types.push_back(std::move(type));
  }
  std::shared_ptr<State::Entry> entry;
  Session *session = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    EDGEC_ASSIGN(entry, state_->entry(types));
    session = &entry->sessions.try_emplace(worker, entry->plan).first->second;
  }
  return session->run(feeds, observer);
}

Result<std::vector<Tensor>> Runner::run_tensors(std::span<const Tensor> feeds, int worker, const Observer &observer) {
  const std::vector<RuntimeValue> values(feeds.begin(), feeds.end());
  EDGEC_ASSIGN(auto outputs, run(values, worker, observer));
  std::vector<Tensor> tensors;
  for (RuntimeValue &output : outputs) {
    if (!output.tensor) return unsupported("an output is not a tensor");
    tensors.push_back(std::move(*output.tensor));
  }
  return tensors;
}

} // namespace edgec
