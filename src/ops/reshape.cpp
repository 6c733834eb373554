// Reshape, Flatten, Squeeze, Unsqueeze: the same elements in the same order under other dims.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// Product of the dims without those at `skip`; the symbols among them, sorted, beside it. Nothing: an unknown dim.
struct Factors {
  std::int64_t number = 1;
  std::vector<std::string> symbols;
};
std::optional<Factors> factors(const Shape &shape, std::optional<std::size_t> skip = std::nullopt) {
  Factors found;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i == skip) continue;
    if (shape[i].is_known()) {
      if (__builtin_mul_overflow(found.number, shape[i].size, &found.number)) return std::nullopt;
    } else if (!shape[i].symbol.empty()) {
      found.symbols.push_back(shape[i].symbol);
    } else {
      return std::nullopt;
    }
  }
  std::ranges::sort(found.symbols);
  return found;
}

/// The dim at `hole` that makes the target hold as many elements as the source; no expression is invented.
Result<Dim> fill(const Shape &source, const Shape &target, std::size_t hole) {
  const auto all = factors(source), rest = factors(target, hole);
  if (!all || !rest) return Dim::unknown();
  std::vector<std::string> left;
  std::ranges::set_difference(all->symbols, rest->symbols, std::back_inserter(left));
  if (left.size() + rest->symbols.size() != all->symbols.size()) return Dim::unknown();
  if (rest->number == 0) return Dim::unknown();
  if (left.empty() && all->number % rest->number != 0)
    return bad_input(fmt::format("{} elements do not divide by {}", all->number, rest->number));
  if (left.empty()) return Dim::known(all->number / rest->number);
  return left.size() == 1 && all->number == rest->number ? Dim::named(left[0]) : Dim::unknown();
}

/// A Reshape's target as far as it is known: dims, -1 (the rest) and 0 (copied). `exact`: all of it is as written; else
/// an unknown dim looks like -1, and stands for the rest if it is the only one.
struct Target {
  std::optional<Shape> dims;
  bool exact = true;
};

Result<Target> reshape_target(const InferArgs &args) {
  const auto of = [](const Dims &sizes) {
    Shape dims;
    for (const std::int64_t size : sizes) dims.push_back({size, {}});
    return Target{std::move(dims), true};
  };
  if (const auto *attribute = args.node.get<Dims>("shape")) return of(*attribute);
  EDGEC_CHECK(require(args, 2));
  if (const auto known = known_ints(args, 1)) return of(*known);
  if (args.dims.size() > 1 && args.dims[1]) return Target{*args.dims[1], false};
  const auto dims = args.input(1)->concrete();
  if (!dims || dims->size() != 1) return Target{};
  if ((*dims)[0] > 64) return bad_input(fmt::format("a target of rank {} is beyond 64", (*dims)[0]));
  return Target{Shape(static_cast<std::size_t>((*dims)[0])), false};
}

/// The target with dims copied from the source and the rest filled in.
Result<Shape> reshaped(const Type &in, Target target, bool allow_zero) {
  Shape &dims = *target.dims;
  std::optional<std::size_t> hole;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i].size < -1) return bad_input(fmt::format("target dim {} is {}", i, dims[i].size));
    if (dims[i].size == 0 && !allow_zero) {
      if (in.shape && i >= in.shape->size())
        return bad_input(fmt::format("target dim {} copies a dim beyond rank {}", i, in.shape->size()));
      dims[i] = in.shape ? (*in.shape)[i] : Dim::unknown();
    } else if (!dims[i].is_known() && dims[i].symbol.empty()) {
      if (hole && target.exact) return bad_input("the target has more than one -1");
      if (hole) return dims;
      hole = i;
    }
  }
  if (!in.shape) return dims;
  if (hole) {
    EDGEC_ASSIGN(dims[*hole], fill(*in.shape, dims, *hole));
    return dims;
  }
  const auto from = in.concrete(), to = Type::tensor(in.dtype, dims).concrete();
  if (from && to && element_count(*from) != element_count(*to))
    return bad_input(fmt::format("{} does not reshape to {}", to_string(in), to_string(Type::tensor(in.dtype, dims))));
  return dims;
}

Result<std::vector<Type>> infer_reshape(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  EDGEC_ASSIGN(Target target, reshape_target(args));
  if (!target.dims) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(Shape dims, reshaped(in, std::move(target), args.node.get_int("allowzero", 0) != 0));
  return std::vector<Type>{Type::tensor(in.dtype, std::move(dims))};
}

Result<std::vector<Type>> infer_flatten(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype, Shape{Dim::unknown(), Dim::unknown()})};
  const auto rank = static_cast<std::int64_t>(in.shape->size());
  std::int64_t axis = args.node.get_int("axis", 1);
  if (axis < -rank || axis > rank) return bad_input(fmt::format("axis {} is outside -{} .. {}", axis, rank, rank));
  if (axis < 0) axis += rank;
  const auto at = static_cast<std::size_t>(axis);
  return std::vector<Type>{
      Type::tensor(in.dtype, Shape{product(*in.shape, 0, at), product(*in.shape, at, in.shape->size())})};
}

Result<std::vector<Type>> infer_squeeze(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  const IntsOperand axes = ints_operand(args, "axes", 1);
  if (!in.shape || (axes.given && !axes.values)) return std::vector<Type>{Type::tensor(in.dtype)};
  Shape out;
  if (axes.given && !axes.values->empty()) {
    EDGEC_ASSIGN(const auto dropped, normalize_axes(*axes.values, static_cast<int>(in.shape->size())));
    for (std::size_t i = 0; i < in.shape->size(); ++i) {
      const Dim &dim = (*in.shape)[i];
      if (std::ranges::find(dropped, static_cast<int>(i)) == dropped.end())
        out.push_back(dim);
      else if (dim.is_known() && dim.size != 1)
        return bad_input(fmt::format("axis {} has size {}, not 1", i, dim.size));
    }
    return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
  }
  for (const Dim &dim : *in.shape) {
    if (!dim.is_known()) return std::vector<Type>{Type::tensor(in.dtype)};
    if (dim.size != 1) out.push_back(dim);
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<Type>> infer_unsqueeze(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  const IntsOperand axes = ints_operand(args, "axes", 1);
  if (!axes.given) return bad_input("needs axes");
  if (!in.shape || !axes.values) return std::vector<Type>{Type::tensor(in.dtype)};
  const std::size_t rank = in.shape->size() + axes.values->size();
  if (rank > 64) return bad_input(fmt::format("an output of rank {} is beyond 64", rank));
  EDGEC_ASSIGN(const auto added, normalize_axes(*axes.values, static_cast<int>(rank)));
  Shape out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rank; ++i)
    out.push_back(std::ranges::find(added, static_cast<int>(i)) != added.end() ? Dim::known(1) : (*in.shape)[next++]);
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

template <Infer infer>
Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  Tensor out = *args.inputs[0];
  out.dims = *types[0].concrete();
  return one(std::move(out));
}

/// Axes of an operand and of the output that hold the same elements: dims [in, in_end) and [out, out_end), ones aside.
struct Run {
  std::size_t in, in_end, out, out_end;
};

/// The dims as short runs of equal products, from the front. Unknown dims fit where all that follows is known and
/// equal.
std::vector<Run> runs(const Shape &from, const Shape &to) {
  std::vector<Run> found;
  std::size_t i = 0, o = 0;
  const auto rest = [](const Shape &shape, std::size_t first) { return product(shape, first, shape.size()); };
  while (i < from.size() && o < to.size()) {
    if (!from[i].is_known() && !to[o].is_known()) {
      const Dim in = rest(from, ++i), out = rest(to, ++o);
      if (!in.is_known() || in != out) return found;
      continue;
    }
    Run run{i, i + 1, o, o + 1};
    const auto size_in = [&] { return product(from, run.in, run.in_end); };
    const auto size_out = [&] { return product(to, run.out, run.out_end); };
    while (size_in() != size_out()) {
      if (!size_in().is_known() || !size_out().is_known()) return found;
      std::size_t &end = size_in().size < size_out().size ? run.in_end : run.out_end;
      if (end == (&end == &run.in_end ? from : to).size()) return found;
      ++end;
    }
    if (!size_in().is_known() || size_in().size == 0) return found;
    found.push_back(run);
    i = run.in_end, o = run.out_end;
  }
  return found;
}

std::vector<std::size_t> not_ones(const Shape &shape, std::size_t first, std::size_t last) {
  std::vector<std::size_t> found;
  for (std::size_t i = first; i < last; ++i)
    if (shape[i].size != 1) found.push_back(i);
  return found;
}

/// Links between axes that hold the same elements. Axes that are joined keep the outermost as blocks. One that is split
/// in two keeps the inner as indices that recur in every block, as in a shuffle of channels; split in more, the
/// outermost.
Axes axes(const AxisArgs &args) {
  Axes found;
  if (!args.input(0) || !args.input(0)->shape || !args.output() || !args.output()->shape) return found;
  const Shape &from = *args.input(0)->shape, &to = *args.output()->shape;
  for (const Run &run : runs(from, to)) {
    const auto in = not_ones(from, run.in, run.in_end), out = not_ones(to, run.out, run.out_end);
    if (in.empty() || out.empty()) continue;
    const AxisLink link{
        .input_axis = static_cast<int>(in[0]), .output_axis = static_cast<int>(out[0]), .count = to[out[0]].size};
    const std::int64_t size_in = from[in[0]].size, size_out = to[out[0]].size;
    if (out.size() == 1) {
      found.links.push_back(link);
      found.links.back().count = size_in;
      found.links.back().repeat = size_out / size_in;
    } else if (in.size() == 1 && size_in <= 65536) {
      const bool inner = out.size() == 2;
      const std::int64_t count = inner ? to[out[1]].size : size_out, block = size_in / size_out;
      for (std::int64_t k = 0; k < (inner ? size_out : block); ++k) {
        AxisLink each = link;
        each.input_offset = inner ? k * block : k;
        each.stride = inner ? 1 : block;
        each.output_axis = static_cast<int>(inner ? out[1] : out[0]);
        each.count = count;
        found.links.push_back(each);
      }
    }
  }
  return found;
}

/// A Reshape's target, spelled out where it names a size that changed.
Result<Recut> recut(const CutArgs &args) {
  Recut out;
  auto target = args.node.op == "Reshape" ? known_ints(args, 1) : std::nullopt;
  if (!target) return out;
  for (std::size_t i = 0; i < target->size(); ++i)
    if (const AxisCut *cut = args.cut(true, 0, static_cast<int>(i)); cut && (*target)[i] > 0)
      (*target)[i] = static_cast<std::int64_t>(cut->kept.size());
  out.operands.emplace_back(1, row_of(std::move(*target)));
  return out;
}

OpDef same_elements(std::string_view name, std::string_view summary, decltype(OpDef::infer) infer,
                    decltype(OpDef::reference) reference, int codes_since) {
  return {.name = name,
          .summary = summary,
          .moves_data = true,
          .quant = QuantRule::same_scale,
          .scales_with_channels = name == "Flatten", // of axis 1
          .infer = infer,
          .reference = reference,
          .prepare = prepare_copy,
          .axes = axes,
          .recut = recut,
          .codes_since = codes_since};
}

const OpDef defs[] = {
    same_elements("Reshape", "other dims", infer_reshape, reference<infer_reshape>, 1),
    same_elements("Flatten", "dims joined to two", infer_flatten, reference<infer_flatten>, 9),
    same_elements("Squeeze", "dims of size 1 removed", infer_squeeze, reference<infer_squeeze>, 1),
    same_elements("Unsqueeze", "dims of size 1 added", infer_unsqueeze, reference<infer_unsqueeze>, 1),
};

} // namespace

std::span<const OpDef> reshape() { return defs; }

} // namespace edgec::ops
