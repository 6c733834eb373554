// What a compiled plan consists of; shared by plan.cpp (compiling) and session.cpp (running).
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/arena.h"
#include "runtime/plan.h"

namespace edgec {

/// Where the bytes of a value's copy are found at run time.
struct Place {
  enum class Kind : unsigned char { none, arena, feed, constant, dynamic };
  Kind kind = Kind::none;
  std::size_t index = 0; ///< arena: buffer; feed: number; constant: number; dynamic: slot
};

struct Step {
  enum class Kind : unsigned char { kernel, reorder, dynamic };
  Kind kind = Kind::kernel;
  NodeId node; // none for reorder
  std::vector<Place> inputs, outputs;
  Kernel kernel; // Kind::kernel
  // Kind::reorder
  Layout from = Layout::plain, to = Layout::plain;
  Dims dims;
  std::size_t element_bytes = 0;
  // Values to show to an observer after this step, and how they lie.
  struct Shown {
    ValueId id;
    Place place;
    Layout layout;
  };
  std::vector<Shown> shown;
  StepInfo info;
};

struct Plan::State {
  Graph graph; // types refined for the feeds' shapes
  const OpRegistry *ops = nullptr;
  PlanOptions options;
  std::vector<Step> steps;
  std::vector<Step::Shown> folded; // values that are constant: shown to an observer before the steps
  std::vector<Tensor> constants;   // constants in the layout that a kernel wants
  std::vector<BufferLife> buffers;
  std::size_t arena_bytes = 0, scratch_bytes = 0;
  std::vector<Place> fetches;
  std::vector<Layout> fetch_layouts;
  std::vector<Type> feed_types;
  std::size_t dynamic_slots = 0;
};

/// Thrown out of a kernel that cannot go on; run_step() gives the error back.
struct KernelFailure : std::exception {
  Error error;
  explicit KernelFailure(Error what) : error(std::move(what)) {}
  [[nodiscard]] const char *what() const noexcept override { return error.message.c_str(); }
};

/// Operands of a node as EvalArgs wants them, kept alive together.
struct Operands {
  std::vector<const Tensor *> tensors;
  std::vector<const Type *> types;
  std::vector<RuntimeValue> values, captures;
};

/// The sub-graphs that a session has run, each with its plans: compiled once for each set of shapes, not on every run.
class SubGraphs {
public:
  /// At most 32 deep. Not thread-safe: each session has its own.
  Result<std::vector<RuntimeValue>> run(const Graph &body, const OpRegistry &ops, const PlanOptions &options,
                                        std::span<const RuntimeValue> feeds);

private:
  std::unordered_map<const Graph *, std::unique_ptr<Runner>> runners_;
};

/// Evaluates a node by its reference. Without `subgraphs`, plans of its sub-graphs are not kept.
Result<std::vector<RuntimeValue>> evaluate_node(const Graph &graph, const OpRegistry &ops, const Node &node,
                                                const PlanOptions &options, std::span<const RuntimeValue> inputs,
                                                std::span<const RuntimeValue> captures, SubGraphs *subgraphs = nullptr);

} // namespace edgec
