// A graph made ready to run for fixed input shapes: schedule, kernels, layouts, fusion, and one arena.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// Debug and sanitizer builds look whether kernels write all that they give out.
#if !defined(NDEBUG) || defined(EDGEC_SANITIZE)
inline constexpr bool check_writes_by_default = true;
#else
inline constexpr bool check_writes_by_default = false;
#endif

struct PlanOptions {
  IntegerPolicy policy = IntegerPolicy::onnx;
  Isa isa = Isa::scalar;
  int threads = 1;                  ///< OpenMP threads inside one run
  bool reference = false;           ///< reference kernels only
  std::vector<ValueId> feeds;       ///< values given at run time; empty: the graph's inputs
  std::vector<ValueId> fetches;     ///< values wanted; empty: the graph's outputs
  std::vector<ValueId> keep;        ///< values that observers want to see: never fused away
  std::vector<Layout> feed_layouts; ///< how the feeds' bytes lie; empty: plain
  bool native_fetches = false;      ///< results lie as they were computed (Plan::fetch_layouts), not made plain
  bool observe_only = false;        ///< run() returns nothing; observers see the fetches
  bool check_writes = check_writes_by_default; ///< memory is poisoned; an element that no kernel wrote is an error
};

/// A value as it lies in the arena while a plan runs.
struct ValueView {
  ValueId id;
  const Type &type; ///< concrete
  std::span<const std::int64_t> dims;
  Layout layout;
  const std::byte *data;
};

/// Sees kept values and fetches right after they are computed, without copies; runs on the calling thread.
using Observer = std::function<void(const ValueView &)>;

/// One scheduled step, for profiles and reports.
struct StepInfo {
  std::string label, op, kernel;
  double macs = 0;
};

/// Immutable once compiled; any number of Sessions run it at once.
class Plan {
public:
  /// `feed_types`: concrete types of the feeds, in their order. Errors name the node: an operator that cannot be run
  /// is Code::unsupported, feeds that do not fit Code::bad_input.
  static Result<std::shared_ptr<const Plan>> compile(const Graph &graph, const OpRegistry &ops,
                                                     std::span<const Type> feed_types, const PlanOptions &options);
  ~Plan();
  [[nodiscard]] std::size_t arena_bytes() const;
  [[nodiscard]] std::size_t scratch_bytes() const;
  [[nodiscard]] std::vector<StepInfo> steps() const;
  /// The layout of each result's bytes.
  [[nodiscard]] std::span<const Layout> fetch_layouts() const;

  struct State; ///< the compiled form; plan_state.h

private:
  friend class Session;
  explicit Plan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One thread's buffers for a plan: arena and scratch.
class Session {
public:
  explicit Session(std::shared_ptr<const Plan> plan);
  ~Session();
  Session(Session &&) noexcept;
  /// Runs once; feeds in order of PlanOptions::feeds, results in order of fetches (plain layout, own bytes).
  /// `step_seconds`, if given, gets the time of each step added.
  Result<std::vector<RuntimeValue>> run(std::span<const RuntimeValue> feeds, const Observer &observer = nullptr,
                                        std::vector<double> *step_seconds = nullptr);

private:
  std::shared_ptr<const Plan> plan_;
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

/// Runs a graph on inputs of any shape: plans are compiled per concrete shape and a few are kept. Thread-safe; each
/// calling thread passes its own `worker` number and gets buffers of its own.
class Runner {
public:
  /// Keeps a copy of the graph (tensors are shared).
  Runner(const Graph &graph, const OpRegistry &ops, PlanOptions options);
  ~Runner();
  Result<std::vector<RuntimeValue>> run(std::span<const RuntimeValue> feeds, int worker = 0,
                                        const Observer &observer = nullptr);
  /// Convenience for tensors in, tensors out; an output that is not a tensor is Code::unsupported.
  Result<std::vector<Tensor>> run_tensors(std::span<const Tensor> feeds, int worker = 0,
                                          const Observer &observer = nullptr);
  /// The plan for feeds of these types, compiled if need be.
  Result<std::shared_ptr<const Plan>> plan(std::span<const Type> feed_types);
  [[nodiscard]] const Graph &graph() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace edgec
