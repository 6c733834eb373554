// What the program knows of an operator: data and functions with safe defaults. Passes, plan, readers and printers ask
// the OpDef and name no operator themselves.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/kernel.h"
#include "support/result.h"

namespace edgec {

class OpRegistry;
struct ConvShape; // kernels/shapes.h

/// What shape inference may look at. Types of omitted inputs are null; constants are null where not known.
struct InferArgs {
  const Node &node;
  std::int64_t opset; ///< of the node's domain
  std::span<const Type *const> inputs;
  std::span<const Tensor *const> constants;
  const OpRegistry *ops = nullptr;
  std::span<const Type *const> captures = {};
  /// Operands that hold dims (a Reshape's target, say): numbers and symbols, as far as they are known; null: nothing
  /// is.
  std::span<const Shape *const> dims = {};

  [[nodiscard]] const Type *input(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  [[nodiscard]] const Tensor *constant(std::size_t i) const { return i < constants.size() ? constants[i] : nullptr; }
};

/// What OpDef::axes may look at: the operands, and the types of the outputs; null: not known, or not wanted.
struct AxisArgs : InferArgs {
  std::span<const Type *const> outputs;
  [[nodiscard]] const Type *output(std::size_t i = 0) const { return i < outputs.size() ? outputs[i] : nullptr; }
};

/// What is run through a sub-graph: values at run time are tensors, sequences of tensors, or absent optionals.
struct RuntimeValue {
  std::optional<Tensor> tensor;
  std::shared_ptr<const std::vector<RuntimeValue>> sequence;
  RuntimeValue() = default;
  RuntimeValue(Tensor t) : tensor(std::move(t)) {}
};

/// Runs a sub-graph on inputs followed by captures.
using SubGraphRunner = std::function<Result<std::vector<RuntimeValue>>(const Graph &, std::span<const RuntimeValue>)>;

/// Operands of a reference evaluation. Types carry the quantization; an operand that is quantized holds its codes.
struct EvalArgs {
  const Node &node;
  std::int64_t opset;
  std::span<const Tensor *const> inputs; ///< null: omitted
  std::span<const Type *const> input_types;
  std::span<const Type *const> output_types; ///< dtype and quantization wanted of each output; null: not wanted
  IntegerPolicy policy = IntegerPolicy::onnx;
  const SubGraphRunner *run_subgraph = nullptr;
  std::span<const RuntimeValue> captures = {};
  std::span<const RuntimeValue> values = {}; ///< inputs again, sequences and optionals included

  [[nodiscard]] const Tensor *input(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
};

/// A node that reads the output of the one being prepared and could be computed together with it.
struct Follower {
  const Node &node;
  std::int64_t opset;
  std::span<const Type *const> inputs;
  std::span<const Tensor *const> constants;
  const Type &output;
  std::size_t operand; ///< which of its inputs is the value before it
};

struct PrepareArgs {
  const Node &node;
  std::int64_t opset;
  std::span<const Type *const> inputs; ///< all shapes known; null: omitted
  std::span<const Tensor *const> constants;
  std::span<const Type *const> outputs; ///< all shapes known; null: not wanted
  std::span<const Layout> layouts;      ///< in which the inputs lie now
  std::span<const Follower> followers;  ///< a chain, first reader first; may be ignored
  IntegerPolicy policy = IntegerPolicy::onnx;
  Isa isa = Isa::scalar;
  int threads = 1;

  [[nodiscard]] const Type *input(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  [[nodiscard]] const Tensor *constant(std::size_t i) const { return i < constants.size() ? constants[i] : nullptr; }
};

/// How static quantization treats an operator's output.
enum class QuantRule : unsigned char {
  float_only,  ///< stays float: its operands are dequantized
  own_scale,   ///< reads quantized operands, its output gets a scale of its own
  same_scale,  ///< its data operands and its output share one scale and zero point (it moves or selects codes)
  fixed_range, ///< as own_scale, but the output's range is known: `fixed_range`
  not_data,    ///< its output is not a real-valued data (shapes, indices): never quantized
};

/// Some operands of an operator, by their numbers; of those from the 32nd on all or none.
class OperandSet {
public:
  constexpr OperandSet(std::initializer_list<unsigned> operands) {
    for (const unsigned operand : operands) bits_ |= 1U << operand;
  }
  static constexpr OperandSet all() {
    OperandSet set{};
    set.bits_ = ~0U;
    return set;
  }
  [[nodiscard]] constexpr bool contains(std::size_t operand) const {
    return operand < 32 ? (bits_ >> operand & 1U) != 0 : bits_ == ~0U;
  }
  friend bool operator==(OperandSet, OperandSet) = default;

private:
  std::uint32_t bits_ = 0;
};

/// Which operands are weights: how Conv, ConvTranspose, Gemm, MatMul look to pruning and quantization.
struct WeightInfo {
  std::size_t data = 0, weight = 1;
  std::optional<std::size_t> bias; ///< operand index where a bias may stand, present or not
  int channel_axis = 0;            ///< output channels' axis in the weight
  std::int64_t groups = 1;
  int output_axis = 1; ///< output channels' axis in the output
};

/// A link between index ranges of an operand and an output: output index o of [output_offset, output_offset + count *
/// repeat) along output_axis comes only from operand index input_offset + (o - output_offset) / repeat * stride along
/// input_axis; where several links of one operand name an output index, from all of theirs. A repeat of 0: those
/// indices are left out. An operand index below 0: from none, a constant. Ranges without a link cannot be cut.
struct AxisLink {
  std::size_t input = 0;
  int input_axis = 0;
  std::int64_t input_offset = 0, stride = 1;
  std::size_t output = 0;
  int output_axis = 0;
  std::int64_t output_offset = 0, repeat = 1, count = 0;
};

/// Blocks of two operands' axes of which an operator needs both or neither: the terms of a sum of products, the groups
/// of a convolution. Indices [k * block, k * block + block) of the one go with [k * other_block, ...) of the other, for
/// k below `count`.
struct AxisTie {
  std::size_t input = 0, other = 1;
  int input_axis = 0, other_axis = 0;
  std::int64_t block = 1, other_block = 1, count = 0;
};

/// How indices of operands and outputs hang together: what channel pruning walks along.
struct Axes {
  std::vector<AxisLink> links;
  std::vector<AxisTie> ties;
};

/// What stays, ascending, of an axis of an operand or an output from which indices are cut.
struct AxisCut {
  bool output = false;
  std::size_t operand = 0; ///< or which output
  int axis = 0;
  std::vector<std::int64_t> kept;
};

/// A node before indices are cut from axes of its operands and outputs, and what stays of those axes.
struct CutArgs : AxisArgs {
  std::span<const AxisCut> cuts;
  [[nodiscard]] const AxisCut *cut(bool output, std::size_t operand, int axis) const;
};

/// What a node says about sizes and indices of its axes after a cut: attributes, and constant operands.
struct Recut {
  std::vector<Attribute> attributes;
  std::vector<std::pair<std::size_t, Tensor>> operands;
};

struct Cost {
  double macs = 0;
};

struct OpDef {
  std::string_view name;
  std::string_view domain = "";
  int since = 1; ///< first opset that has it
  std::string_view summary = "";
  bool deterministic = true;      ///< false: random operators, never folded or merged
  bool elementwise = false;       ///< output element i depends on operands' element i (broadcast) only
  bool integer_reference = false; ///< `reference` takes quantized operands itself (an integer definition of its own)
  bool moves_data = false;        ///< copies elements without arithmetic: runs on codes of any type as they are
  bool shape_only = false;        ///< reads its operands' shapes, not their elements
  QuantRule quant = QuantRule::float_only;
  std::pair<float, float> fixed_range{0, 0};
  OperandSet data_operands = {0}; ///< that QuantRule speaks of; others are shapes, axes...
  /// Scales of channels go through: an output channel is computed from its own input channel alone, and f(a x) = a f(x)
  /// for a > 0.
  bool scales_with_channels = false;

  /// Types of the outputs; unknown stays unknown. Errors only for what no valid model has.
  Result<std::vector<Type>> (*infer)(const InferArgs &) = nullptr;
  /// The definition, scalar and clear; run through evaluate() (ir/evaluate.h), which takes care of quantized operands
  /// unless integer_reference is set. Absent: it is known but cannot be run.
  Result<std::vector<RuntimeValue>> (*reference)(const EvalArgs &) = nullptr;
  /// The fast form; an error with Code::unsupported, or absence, means: use the reference.
  Result<Kernel> (*prepare)(const PrepareArgs &) = nullptr;
  std::optional<WeightInfo> (*weights)(const Node &, std::span<const Type *const> inputs) = nullptr;
  /// The node as a convolution of its data (of these dims) with its weight: a matrix product has one position a row.
  Result<ConvShape> (*as_conv)(const Node &, const Dims &data, const Dims &weight) = nullptr;
  Axes (*axes)(const AxisArgs &) = nullptr;
  /// What to change in a node when linked and tied indices are cut, beyond its operands themselves; absent: nothing.
  Result<Recut> (*recut)(const CutArgs &) = nullptr;
  Cost (*cost)(const Node &, std::span<const Type *const> inputs, std::span<const Type *const> outputs) = nullptr;
  /// The lowest opset whose ONNX schema lets it run on 8-bit codes directly; 0: never (written as DQ, op, Q).
  int codes_since = 0;
};

/// What an operator is in other operators: a graph whose inputs stand for the node's inputs that are not omitted, in
/// order, and whose outputs for its wanted outputs. Error (unsupported): nobody says so.
using FunctionBody = Result<Graph> (*)(const Node &, const Opsets &, std::span<const Type *const> inputs);

/// Operators by domain and name.
class OpRegistry {
public:
  explicit OpRegistry(std::vector<const OpDef *> ops);
  /// What runs operators that have no definition of their own here. Set once, when a program starts.
  void set_function_bodies(FunctionBody bodies) const { bodies_ = bodies; }
  [[nodiscard]] FunctionBody function_bodies() const { return bodies_; }
  /// Null: opaque.
  [[nodiscard]] const OpDef *find(std::string_view domain, std::string_view name) const;
  [[nodiscard]] const OpDef *find(const Node &node) const { return find(node.domain, node.op); }
  [[nodiscard]] std::span<const OpDef *const> all() const { return ops_; }

private:
  std::vector<const OpDef *> ops_; // sorted by (domain, name)
  mutable std::atomic<FunctionBody> bodies_ = nullptr;
};

/// Infers the types of all node outputs in order, sub-graphs included; constants flow through small integer
/// computations (shapes). Unknown stays unknown; a contradiction is an error naming the node. Types already known and
/// more precise are kept; of quantized values dtype and Quant are kept, and the shape is refined like any other.
Status infer_types(Graph &graph, const OpRegistry &ops);

} // namespace edgec
