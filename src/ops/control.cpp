// If, Loop, Scan: operators that run sub-graphs.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// A sub-graph attribute and where its captures begin among the node's.
struct Body {
  const Graph *graph = nullptr;
  std::size_t captures = 0;
};

Result<Body> body(const Node &node, std::string_view name) {
  std::size_t captures = 0;
  for (const Attribute &attribute : node.attributes) {
    const auto *graph = std::get_if<SubGraph>(&attribute.value);
    if (!graph || !*graph) continue;
    if (attribute.name == name) return Body{graph->get(), captures};
    captures += (*graph)->captures().size();
  }
  return bad_input(fmt::format("needs a sub-graph {}", name));
}

Result<std::vector<RuntimeValue>> run(const EvalArgs &args, const Body &body, std::vector<RuntimeValue> inputs) {
  if (!args.run_subgraph) return unsupported("sub-graphs cannot be run here");
  const std::size_t count = body.graph->captures().size();
  if (body.captures + count > args.captures.size()) return internal_error("values that a sub-graph reads are missing");
  if (inputs.size() != body.graph->inputs().size())
    return bad_input(fmt::format("a sub-graph has {} inputs, expected {}", body.graph->inputs().size(), inputs.size()));
  const auto captured = args.captures.subspan(body.captures, count);
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  return (*args.run_subgraph)(*body.graph, inputs);
}

const Type &output_type(const Graph &graph, std::size_t i) { return graph.value(graph.outputs()[i].value).type; }

/// What holds of a value that is either of two types.
Type either(const Type &a, const Type &b) {
  if (a.kind != b.kind) return {Type::Kind::unknown, DType::undefined, {}, {}, nullptr};
  Type type = a;
  type.quant.reset();
  if (a.dtype != b.dtype) type.dtype = DType::undefined;
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size())
    type.shape.reset();
  else
    for (std::size_t i = 0; i < type.shape->size(); ++i)
      if (!((*a.shape)[i] == (*b.shape)[i])) (*type.shape)[i] = Dim::unknown();
  if (a.element && b.element) type.element = std::make_shared<Type>(either(*a.element, *b.element));
  return type;
}

/// Symbols inside a sub-graph mean nothing outside unless its captures brought them in: kept names are the outer ones.
Type loose(Type type) {
  if (type.shape)
    for (Dim &dim : *type.shape)
      if (!dim.is_known()) dim = Dim::unknown();
  type.quant.reset();
  return type;
}

// ---- If

Result<std::vector<Type>> infer_if(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  EDGEC_ASSIGN(const Body yes, body(args.node, "then_branch"));
  EDGEC_ASSIGN(const Body no, body(args.node, "else_branch"));
  const std::size_t count = args.node.outputs.size();
  if (yes.graph->outputs().size() < count || no.graph->outputs().size() < count)
    return bad_input(fmt::format("{} outputs, the branches have {} and {}", count, yes.graph->outputs().size(),
                                 no.graph->outputs().size()));
  std::vector<Type> types;
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor *condition = args.constant(0);
    if (condition && condition->size() == 1)
      types.push_back(loose(output_type(*(to_int64s(*condition)[0] != 0 ? yes : no).graph, i)));
    else
      types.push_back(either(loose(output_type(*yes.graph, i)), loose(output_type(*no.graph, i))));
  }
  return types;
}

Result<std::vector<RuntimeValue>> if_reference(const EvalArgs &args) {
  if (!args.input(0) || args.inputs[0]->size() != 1) return bad_input("the condition must be one bool");
  EDGEC_ASSIGN(const Body chosen, body(args.node, to_int64s(*args.inputs[0])[0] != 0 ? "then_branch" : "else_branch"));
  return run(args, chosen, {});
}

// ---- Loop

Result<std::vector<Type>> infer_loop(const InferArgs &args) {
  EDGEC_ASSIGN(const Body loop, body(args.node, "body"));
  const std::size_t carried = args.inputs.size() < 2 ? 0 : args.inputs.size() - 2, count = args.node.outputs.size();
  if (loop.graph->outputs().size() < count + 1 || loop.graph->outputs().size() < carried + 1)
    return bad_input(fmt::format("the body has {} outputs, expected at least {}", loop.graph->outputs().size(),
                                 std::max(count, carried) + 1));
  std::vector<Type> types;
  for (std::size_t i = 0; i < count; ++i) {
    Type inner = loose(output_type(*loop.graph, i + 1));
    if (i < carried) { // the first value where the loop never runs
      types.push_back(args.inputs[i + 2] ? either(inner, loose(*args.inputs[i + 2])) : inner);
      continue;
    }
    if (inner.is_tensor() && inner.shape) inner.shape->insert(inner.shape->begin(), Dim::unknown());
    types.push_back(std::move(inner));
  }
  return types;
}

/// Tensors of one type and shape one after another along a new axis.
Result<Tensor> stack(const std::vector<Tensor> &parts, const Type &element, std::int64_t axis, bool reverse) {
  if (parts.empty()) {
    Dims dims{0};
    if (const auto inner = element.concrete())
      dims.insert(dims.end(), inner->begin(), inner->end());
    else if (element.shape)
      dims.resize(element.shape->size() + 1, 0);
    return Tensor{element.dtype,
                  dims,
                  {},
                  element.dtype == DType::string ? std::make_shared<const std::vector<std::string>>() : nullptr};
  }
  std::vector<const Tensor *> operands;
  for (const Tensor &part : parts) {
    if (part.dtype != parts[0].dtype || part.dims != parts[0].dims)
      return bad_input("results of the iterations have different shapes");
    operands.push_back(&part);
  }
  if (reverse) std::ranges::reverse(operands);
  EDGEC_ASSIGN(const int at, normalize_axis(axis, parts[0].rank() + 1));
  Dims dims = parts[0].dims;
  dims.insert(dims.begin() + at, static_cast<std::int64_t>(parts.size()));
  EDGEC_CHECK(check_size(parts[0].dtype, dims));
  const Cells cells(operands);
  auto out = cells.space(dims);
  auto steps = strides(dims);
  const auto step = static_cast<std::size_t>(steps[static_cast<std::size_t>(at)]) * cells.width();
  steps.erase(steps.begin() + at);
  for (std::size_t i = 0; i < operands.size(); ++i)
    scatter_strided(cells.data(i), parts[0].dims, steps, out.data() + i * step, cells.width());
  return cells.finish(std::move(dims), std::move(out));
}

Result<bool> as_bool(const RuntimeValue &value) {
  if (!value.tensor || value.tensor->size() != 1) return bad_input("a condition must be one bool");
  return to_int64s(*value.tensor)[0] != 0;
}

/// Some exporters declare a body's trip number and condition as [1] instead of scalars.
Dims scalar_dims(const Graph &body, std::size_t input) {
  if (input >= body.inputs().size()) return {};
  return Dims(static_cast<std::size_t>(std::min(body.value(body.inputs()[input]).type.rank().value_or(0), 1)), 1);
}

constexpr std::int64_t max_iterations = std::int64_t{1} << 31;

Result<std::vector<RuntimeValue>> loop_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const Body loop, body(args.node, "body"));
  const std::size_t carried = args.values.size() < 2 ? 0 : args.values.size() - 2;
  if (loop.graph->outputs().size() < carried + 1) return bad_input("the body has too few outputs");
  std::int64_t trips = max_iterations;
  if (args.input(0)) {
    if (args.inputs[0]->size() != 1) return bad_input("the trip count must be one number");
    trips = std::min(trips, to_int64s(*args.inputs[0])[0]);
  }
  bool goes_on = true;
  if (args.input(1)) {
    EDGEC_ASSIGN(goes_on, as_bool(args.values[1]));
  }
  std::vector<RuntimeValue> state(args.values.begin() + static_cast<std::ptrdiff_t>(args.values.size() - carried),
                                  args.values.end());
  std::vector<std::vector<Tensor>> scanned(loop.graph->outputs().size() - 1 - carried);
  for (std::int64_t i = 0; i < trips && goes_on; ++i) {
    std::vector<RuntimeValue> inputs{
        from_int64s(DType::int64, scalar_dims(*loop.graph, 0), std::vector{i}),
        from_int64s(DType::boolean, scalar_dims(*loop.graph, 1), std::vector<std::int64_t>{1})};
    inputs.insert(inputs.end(), state.begin(), state.end());
    EDGEC_ASSIGN(auto results, run(args, loop, std::move(inputs)));
    EDGEC_ASSIGN(goes_on, as_bool(results[0]));
    for (std::size_t k = 0; k < scanned.size(); ++k) {
      if (!results[1 + carried + k].tensor) return bad_input("a scan output must be a tensor");
      scanned[k].push_back(*results[1 + carried + k].tensor);
    }
    state.assign(results.begin() + 1, results.begin() + 1 + static_cast<std::ptrdiff_t>(carried));
  }
  for (std::size_t k = 0; k < scanned.size(); ++k) {
    EDGEC_ASSIGN(Tensor all, stack(scanned[k], output_type(*loop.graph, 1 + carried + k), 0, false));
    state.emplace_back(std::move(all));
  }
  return state;
}

// ---- Scan

struct ScanSpec {
  Body body;
  std::size_t states = 0, scans = 0, outputs = 0; // scanned inputs and outputs
  std::vector<std::int64_t> input_axes, output_axes, input_directions, output_directions;
};

Result<ScanSpec> scan_spec(const Node &node, std::int64_t opset, std::size_t inputs) {
  if (opset < 9) { // the first input says how long each sequence is, and everything has a batch axis
    if (inputs == 0) return bad_input("needs at least one input");
    --inputs;
  }
  ScanSpec spec;
  EDGEC_ASSIGN(spec.body, body(node, "body"));
  const std::int64_t scans = node.get_int("num_scan_inputs", 0);
  if (scans < 1 || static_cast<std::uint64_t>(scans) > inputs)
    return bad_input(fmt::format("num_scan_inputs is {} of {} inputs", scans, inputs));
  spec.scans = static_cast<std::size_t>(scans);
  spec.states = inputs - spec.scans;
  if (spec.body.graph->outputs().size() < spec.states) return bad_input("the body has too few outputs");
  spec.outputs = spec.body.graph->outputs().size() - spec.states;
  const auto list = [&](std::string_view name, std::size_t count) {
    auto values = node.get_ints(name);
    values.resize(count, 0);
    return values;
  };
  spec.input_axes = list("scan_input_axes", spec.scans);
  spec.input_directions = list(opset < 9 ? "directions" : "scan_input_directions", spec.scans);
  spec.output_axes = list("scan_output_axes", spec.outputs);
  spec.output_directions = list("scan_output_directions", spec.outputs);
  return spec;
}

Result<std::vector<Type>> infer_scan(const InferArgs &args) {
  if (args.opset < 9) return std::vector<Type>{};
  EDGEC_ASSIGN(const ScanSpec spec, scan_spec(args.node, args.opset, args.inputs.size()));
  std::vector<Type> types;
  for (std::size_t i = 0; i < spec.states + spec.outputs; ++i) {
    Type inner = loose(output_type(*spec.body.graph, i));
    if (i < spec.states) {
      types.push_back(args.inputs[i] ? either(inner, loose(*args.inputs[i])) : inner);
      continue;
    }
    if (inner.shape) {
      EDGEC_ASSIGN(const int axis,
                   normalize_axis(spec.output_axes[i - spec.states], static_cast<int>(inner.shape->size()) + 1));
      inner.shape->insert(inner.shape->begin() + axis, Dim::unknown());
    }
    types.push_back(std::move(inner));
  }
  return types;
}

Tensor slice(const Tensor &in, std::size_t axis, std::int64_t index) {
  const Cells cells(in);
  Dims dims = in.dims;
  auto steps = strides(in.dims);
  const auto start = static_cast<std::size_t>(index * steps[axis]) * cells.width();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(axis));
  auto out = cells.space(dims);
  if (!out.empty()) copy_strided(cells.data() + start, dims, steps, out.data(), cells.width());
  return cells.finish(std::move(dims), std::move(out));
}

/// Runs the body over the slices of `scanned`, the states first; gives the states and the stacked results.
Result<std::vector<RuntimeValue>> scan(const EvalArgs &args, const ScanSpec &spec, std::vector<RuntimeValue> state,
                                       const std::vector<Tensor> &scanned) {
  std::vector<std::size_t> axes;
  std::optional<std::int64_t> length;
  for (std::size_t k = 0; k < spec.scans; ++k) {
    EDGEC_ASSIGN(const int axis, normalize_axis(spec.input_axes[k], scanned[k].rank()));
    axes.push_back(static_cast<std::size_t>(axis));
    const std::int64_t size = scanned[k].dims[axes.back()];
    if (length && *length != size)
      return bad_input(fmt::format("scanned inputs have lengths {} and {}", *length, size));
    length = size;
  }
  std::vector<std::vector<Tensor>> made(spec.outputs);
  for (std::int64_t i = 0; i < *length; ++i) {
    std::vector<RuntimeValue> inputs = state;
    for (std::size_t k = 0; k < spec.scans; ++k)
      inputs.emplace_back(slice(scanned[k], axes[k], spec.input_directions[k] != 0 ? *length - 1 - i : i));
    EDGEC_ASSIGN(auto results, run(args, spec.body, std::move(inputs)));
    for (std::size_t k = 0; k < spec.outputs; ++k) {
      if (!results[spec.states + k].tensor) return bad_input("a scan output must be a tensor");
      made[k].push_back(*results[spec.states + k].tensor);
    }
    state.assign(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(spec.states));
  }
  for (std::size_t k = 0; k < spec.outputs; ++k) {
    EDGEC_ASSIGN(Tensor all, stack(made[k], output_type(*spec.body.graph, spec.states + k), spec.output_axes[k],
                                   spec.output_directions[k] != 0));
    state.emplace_back(std::move(all));
  }
  return state;
}

Result<std::vector<Tensor>> tensors(std::span<const RuntimeValue> values) {
  std::vector<Tensor> found;
  for (const RuntimeValue &value : values) {
    if (!value.tensor) return bad_input("an input is missing or no tensor");
    found.push_back(*value.tensor);
  }
  return found;
}

/// Scan-8: once for each entry of the batch, all sequences being of full length.
Result<std::vector<RuntimeValue>> scan_batch(const EvalArgs &args, const ScanSpec &spec) {
  if (args.input(0)) return unsupported("Scan-8 with sequences of different lengths");
  EDGEC_ASSIGN(const std::vector<Tensor> operands, tensors(args.values.subspan(1)));
  for (const Tensor &operand : operands)
    if (operand.rank() < 1 || operand.dims[0] != operands[0].dims[0]) return bad_input("inputs have different batches");
  const std::int64_t batch = operands[0].dims[0];
  if (batch < 1) return bad_input("an empty batch");
  std::vector<std::vector<Tensor>> results(spec.states + spec.outputs);
  for (std::int64_t n = 0; n < batch; ++n) {
    std::vector<Tensor> parts;
    for (const Tensor &operand : operands) parts.push_back(slice(operand, 0, n));
    const auto middle = parts.begin() + static_cast<std::ptrdiff_t>(spec.states);
    EDGEC_ASSIGN(const auto made, scan(args, spec, {parts.begin(), middle}, {middle, parts.end()}));
    for (std::size_t k = 0; k < made.size(); ++k) {
      if (!made[k].tensor) return bad_input("a state must be a tensor");
      results[k].push_back(*made[k].tensor);
    }
  }
  std::vector<RuntimeValue> outputs;
  for (const auto &parts : results) {
    EDGEC_ASSIGN(Tensor all, stack(parts, Type::of(parts[0]), 0, false));
    outputs.emplace_back(std::move(all));
  }
  return outputs;
}

Result<std::vector<RuntimeValue>> scan_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const ScanSpec spec, scan_spec(args.node, args.opset, args.inputs.size()));
  if (args.opset < 9) return scan_batch(args, spec);
  EDGEC_ASSIGN(const auto scanned, tensors(args.values.subspan(spec.states)));
  return scan(args, spec, {args.values.begin(), args.values.begin() + static_cast<std::ptrdiff_t>(spec.states)},
              scanned);
}

OpDef control_op(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                 decltype(OpDef::reference) reference) {
  return {.name = name, .since = since, .summary = summary, .infer = infer, .reference = reference};
}

const OpDef defs[] = {
    control_op("If", 1, "one of two sub-graphs", infer_if, if_reference),
    control_op("Loop", 1, "a sub-graph run again and again on what it gave", infer_loop, loop_reference),
    control_op("Scan", 8, "a sub-graph run over the slices of its inputs", infer_scan, scan_reference),
};

} // namespace

std::span<const OpDef> control() { return defs; }

} // namespace edgec::ops
