// Sequences and optionals: lists of values, and values that may be absent.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

using List = std::vector<RuntimeValue>;

RuntimeValue sequence_of(List list) {
  RuntimeValue value;
  value.sequence = std::make_shared<const List>(std::move(list));
  return value;
}

Type sequence_type(Type element) {
  return {Type::Kind::sequence, DType::undefined, {}, {}, std::make_shared<Type>(std::move(element))};
}
Type optional_type(Type element) {
  return {Type::Kind::optional, DType::undefined, {}, {}, std::make_shared<Type>(std::move(element))};
}
const Type unknown_type{Type::Kind::unknown, DType::undefined, {}, {}, nullptr};

Type without_shape(Type type) {
  type.shape.reset();
  type.quant.reset();
  return type;
}

/// Operand `i` as a list.
Result<const List *> list(const EvalArgs &args, std::size_t i) {
  if (i >= args.values.size() || !args.values[i].sequence)
    return bad_input(fmt::format("operand {} must be a sequence", i));
  return args.values[i].sequence.get();
}

/// A position, counted from the end where negative, in 0 .. limit.
Result<std::size_t> position(const EvalArgs &args, std::size_t i, std::size_t size, std::int64_t limit,
                             std::int64_t otherwise) {
  std::int64_t at = otherwise;
  if (args.input(i)) {
    if (args.inputs[i]->size() != 1) return bad_input("a position must be one number");
    at = to_int64s(*args.inputs[i])[0];
    if (at < 0) at += static_cast<std::int64_t>(size);
  }
  if (at < 0 || at > limit) return bad_input(fmt::format("position {} is outside a sequence of {}", at, size));
  return static_cast<std::size_t>(at);
}

std::vector<RuntimeValue> one_value(RuntimeValue value) { return {std::move(value)}; }

// ---- SequenceEmpty, SequenceConstruct, SequenceInsert, SequenceErase, SequenceAt, SequenceLength

Result<std::vector<Type>> infer_empty(const InferArgs &args) {
  const std::int64_t dtype = args.node.get_int("dtype", 1);
  if (dtype <= 0 || dtype >= dtype_count) return bad_input(fmt::format("dtype={} is not an element type", dtype));
  return std::vector<Type>{sequence_type(Type::tensor(static_cast<DType>(dtype)))};
}
Result<std::vector<RuntimeValue>> empty_reference(const EvalArgs &) { return one_value(sequence_of({})); }

Result<std::vector<Type>> infer_construct(const InferArgs &args) {
  EDGEC_CHECK(require(args, std::max<std::size_t>(args.inputs.size(), 1)));
  return std::vector<Type>{sequence_type(without_shape(*args.inputs[0]))};
}
Result<std::vector<RuntimeValue>> construct_reference(const EvalArgs &args) {
  return one_value(sequence_of(List(args.values.begin(), args.values.end())));
}

Result<std::vector<Type>> infer_list(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  Type type = *args.inputs[0];
  if (type.kind == Type::Kind::sequence && type.element)
    type.element = std::make_shared<Type>(without_shape(*type.element));
  return std::vector<Type>{std::move(type)};
}
Result<std::vector<RuntimeValue>> insert_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const List *from, list(args, 0));
  if (args.values.size() < 2) return bad_input("needs a value to insert");
  const auto size = static_cast<std::int64_t>(from->size());
  EDGEC_ASSIGN(const std::size_t at, position(args, 2, from->size(), size, size));
  List out = *from;
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), args.values[1]);
  return one_value(sequence_of(std::move(out)));
}
Result<std::vector<RuntimeValue>> erase_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const List *from, list(args, 0));
  const auto size = static_cast<std::int64_t>(from->size());
  EDGEC_ASSIGN(const std::size_t at, position(args, 1, from->size(), size - 1, size - 1));
  List out = *from;
  out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
  return one_value(sequence_of(std::move(out)));
}

Result<std::vector<Type>> infer_at(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.inputs[0];
  return std::vector<Type>{in.element ? without_shape(*in.element) : unknown_type};
}
Result<std::vector<RuntimeValue>> at_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const List *from, list(args, 0));
  EDGEC_ASSIGN(const std::size_t at, position(args, 1, from->size(), static_cast<std::int64_t>(from->size()) - 1, -1));
  return one_value((*from)[at]);
}

Result<std::vector<Type>> infer_length(const InferArgs &) {
  return std::vector<Type>{Type::tensor(DType::int64, Dims{})};
}
Result<std::vector<RuntimeValue>> length_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const List *from, list(args, 0));
  return one(Tensor::scalar(static_cast<std::int64_t>(from->size())));
}

// ---- SplitToSequence, ConcatFromSequence

Result<std::vector<Type>> infer_split(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  return std::vector<Type>{sequence_type(without_shape(*args.inputs[0]))};
}

Tensor part(const Cells &cells, const Dims &in, std::size_t axis, std::int64_t start, std::int64_t count) {
  const auto steps = strides(in);
  Dims dims = in;
  dims[axis] = count;
  auto out = cells.space(dims);
  if (!out.empty())
    copy_strided(cells.data() + static_cast<std::size_t>(start * steps[axis]) * cells.width(), dims, steps, out.data(),
                 cells.width());
  return cells.finish(std::move(dims), std::move(out));
}

Result<std::vector<RuntimeValue>> split_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs a tensor");
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t size = in.dims[at];
  std::vector<std::int64_t> parts;
  if (args.input(1) && args.inputs[1]->rank() == 1) {
    parts = to_int64s(*args.inputs[1]);
  } else {
    const std::int64_t each = args.input(1) && args.inputs[1]->size() == 1 ? to_int64s(*args.inputs[1])[0] : 1;
    if (each < 1) return bad_input(fmt::format("parts of size {}", each));
    for (std::int64_t start = 0; start < size; start += each) parts.push_back(std::min(each, size - start));
  }
  std::int64_t start = 0;
  const bool drops = !args.input(1) && args.node.get_int("keepdims", 1) == 0;
  const Cells cells(in);
  List out;
  for (const std::int64_t count : parts) {
    if (count < 0 || count > size - start)
      return bad_input(fmt::format("a part of size {} of {}", count, size - start));
    Tensor piece = part(cells, in.dims, at, start, count);
    if (drops) piece.dims.erase(piece.dims.begin() + axis);
    out.emplace_back(std::move(piece));
    start += count;
  }
  return one_value(sequence_of(std::move(out)));
}

Result<std::vector<Type>> infer_concat(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.inputs[0];
  return std::vector<Type>{Type::tensor(in.element ? in.element->dtype : DType::undefined)};
}

Result<std::vector<RuntimeValue>> concat_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const List *from, list(args, 0));
  if (from->empty()) return bad_input("an empty sequence cannot be joined");
  const bool adds_axis = args.node.get_int("new_axis", 0) != 0;
  std::vector<Tensor> parts;
  for (const RuntimeValue &value : *from) {
    if (!value.tensor) return bad_input("the sequence must hold tensors");
    parts.push_back(*value.tensor);
  }
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), parts[0].rank() + adds_axis));
  const auto at = static_cast<std::size_t>(axis);
  std::vector<const Tensor *> operands;
  Dims dims;
  for (Tensor &tensor : parts) {
    if (adds_axis) tensor.dims.insert(tensor.dims.begin() + axis, 1);
    operands.push_back(&tensor);
    if (dims.empty()) {
      dims = tensor.dims;
      continue;
    }
    Dims rest = tensor.dims;
    if (rest.size() != dims.size() || tensor.dtype != parts[0].dtype)
      return bad_input("tensors of different ranks or types cannot be joined");
    rest[at] = dims[at];
    if (rest != dims) return bad_input("tensors of different shapes cannot be joined");
    dims[at] += tensor.dims[at];
  }
  EDGEC_CHECK(check_size(parts[0].dtype, dims));
  const Cells cells(operands);
  auto out = cells.space(dims);
  const auto steps = strides(dims);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    scatter_strided(cells.data(i), parts[i].dims, steps,
                    out.data() + static_cast<std::size_t>(start * steps[at]) * cells.width(), cells.width());
    start += parts[i].dims[at];
  }
  return one(cells.finish(std::move(dims), std::move(out)));
}

// ---- SequenceMap: a sub-graph run on the elements of one or more sequences; other inputs stay

Result<std::vector<Type>> infer_map(const InferArgs &args) {
  const auto *body = args.node.get<SubGraph>("body");
  if (!body || !*body) return bad_input("needs a sub-graph body");
  std::vector<Type> types;
  for (const GraphOutput &output : (*body)->outputs())
    types.push_back(sequence_type(without_shape((*body)->value(output.value).type)));
  return types;
}

Result<std::vector<RuntimeValue>> map_reference(const EvalArgs &args) {
  const auto *body = args.node.get<SubGraph>("body");
  if (!body || !*body || !args.run_subgraph) return unsupported("needs a sub-graph that can be run");
  EDGEC_ASSIGN(const List *first, list(args, 0));
  std::vector<List> results((*body)->outputs().size());
  for (std::size_t i = 0; i < first->size(); ++i) {
    std::vector<RuntimeValue> inputs;
    for (const RuntimeValue &value : args.values) {
      if (value.sequence && i >= value.sequence->size()) return bad_input("sequences have different lengths");
      inputs.push_back(value.sequence ? (*value.sequence)[i] : value);
    }
    inputs.insert(inputs.end(), args.captures.begin(), args.captures.end());
    EDGEC_ASSIGN(auto made, (*args.run_subgraph)(**body, inputs));
    for (std::size_t k = 0; k < results.size(); ++k) results[k].push_back(made[k]);
  }
  std::vector<RuntimeValue> outputs;
  for (List &result : results) outputs.push_back(sequence_of(std::move(result)));
  return outputs;
}

// ---- Optional, OptionalHasElement, OptionalGetElement

Result<std::vector<Type>> infer_optional(const InferArgs &args) {
  if (args.input(0)) return std::vector<Type>{optional_type(*args.inputs[0])};
  const auto *type = args.node.get<Type>("type");
  return std::vector<Type>{optional_type(type ? *type : unknown_type)};
}
Result<std::vector<RuntimeValue>> optional_reference(const EvalArgs &args) {
  return one_value(args.values.empty() ? RuntimeValue() : args.values[0]);
}

Result<std::vector<Type>> infer_has(const InferArgs &) {
  return std::vector<Type>{Type::tensor(DType::boolean, Dims{})};
}
Result<std::vector<RuntimeValue>> has_reference(const EvalArgs &args) {
  const bool has = !args.values.empty() && (args.values[0].tensor || args.values[0].sequence);
  return one(from_int64s(DType::boolean, {}, std::vector<std::int64_t>{has}));
}

Result<std::vector<Type>> infer_get(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.inputs[0];
  if (in.kind != Type::Kind::optional) return std::vector<Type>{in};
  return std::vector<Type>{in.element ? *in.element : unknown_type};
}
Result<std::vector<RuntimeValue>> get_reference(const EvalArgs &args) {
  if (args.values.empty() || (!args.values[0].tensor && !args.values[0].sequence))
    return bad_input("the optional holds nothing");
  return one_value(args.values[0]);
}

OpDef listing(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
              decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .quant = QuantRule::not_data,
          .infer = infer,
          .reference = reference};
}

const OpDef defs[] = {
    listing("ConcatFromSequence", 11, "a sequence's tensors joined", infer_concat, concat_reference),
    listing("Optional", 15, "a value that may be absent", infer_optional, optional_reference),
    listing("OptionalGetElement", 15, "what an optional holds", infer_get, get_reference),
    listing("OptionalHasElement", 15, "whether an optional holds something", infer_has, has_reference),
    listing("SequenceAt", 11, "one value of a sequence", infer_at, at_reference),
    listing("SequenceConstruct", 11, "a sequence of the operands", infer_construct, construct_reference),
    listing("SequenceEmpty", 11, "a sequence without values", infer_empty, empty_reference),
    listing("SequenceErase", 11, "a sequence without one of its values", infer_list, erase_reference),
    listing("SequenceInsert", 11, "a sequence with one value more", infer_list, insert_reference),
    listing("SequenceLength", 11, "the number of values", infer_length, length_reference),
    listing("SequenceMap", 17, "a sub-graph run on every value", infer_map, map_reference),
    listing("SplitToSequence", 11, "a tensor cut into a sequence", infer_split, split_reference),
};

} // namespace

std::span<const OpDef> sequence() { return defs; }

} // namespace edgec::ops
