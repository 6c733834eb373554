// Reductions over axes. Axes are an attribute in old opsets (before 13 of ReduceSum, 18 of the others), then an
// operand.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"
#include "support/vectorize.h"

namespace edgec::ops {
namespace {

/// Which axes are reduced; nothing where that is not known. No axes: all, or none with noop_with_empty_axes.
Result<std::optional<std::vector<char>>> reduced_axes(const InferArgs &args, std::size_t rank) {
  using Axes = std::optional<std::vector<char>>;
  const IntsOperand given = ints_operand(args, "axes", 1);
  if (given.given && !given.values) {
    const auto dims = args.input(1)->concrete();
    if (!dims || element_count(*dims) != 0) return Axes{};
  }
  if (!given.given || !given.values || given.values->empty())
    return Axes(std::vector<char>(rank, args.node.get_int("noop_with_empty_axes", 0) == 0));
  EDGEC_ASSIGN(const auto axes, normalize_axes(*given.values, static_cast<int>(rank)));
  std::vector<char> found(rank, 0);
  for (const int axis : axes) found[static_cast<std::size_t>(axis)] = 1;
  return Axes(std::move(found));
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const auto reduced, reduced_axes(args, in.shape->size()));
  const bool keeps = args.node.get_int("keepdims", 1) != 0;
  if (!reduced)
    return std::vector<Type>{Type::tensor(in.dtype, keeps ? std::optional(Shape(in.shape->size())) : std::nullopt)};
  Shape out;
  for (std::size_t i = 0; i < in.shape->size(); ++i) {
    if (!(*reduced)[i])
      out.push_back((*in.shape)[i]);
    else if (keeps)
      out.push_back(Dim::known(1));
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

// ---- what is gathered of the elements, and what comes of it

/// Sums are a double's for floats of at most 32 bits.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;

/// Whether whole rows are added up: the innermost axis stays.
bool adds_rows(const Dims &dims, const std::vector<char> &reduced) {
  for (std::size_t i = dims.size(); i-- > 0;)
    if (dims[i] != 1) return !reduced[i];
  return false;
}

#define EDGEC_REDUCTION(Name, start_value, step, result)                                                               \
  struct Name {                                                                                                        \
    template <class A, class T>                                                                                        \
    static A start(T) {                                                                                                \
      return start_value;                                                                                              \
    }                                                                                                                  \
    template <class A, class T>                                                                                        \
    static A add(A sum, T x) {                                                                                         \
      return static_cast<A>(step);                                                                                     \
    }                                                                                                                  \
    template <class A>                                                                                                 \
    static A finish(A sum, [[maybe_unused]] std::int64_t count) {                                                      \
      return static_cast<A>(result);                                                                                   \
    }                                                                                                                  \
  };
EDGEC_REDUCTION(Sum, A{0}, sum + static_cast<A>(x), sum)
EDGEC_REDUCTION(Mean, A{0}, sum + static_cast<A>(x), count == 0 ? sum / 1 : sum / static_cast<A>(count))
EDGEC_REDUCTION(Prod, A{1}, sum *static_cast<A>(x), sum)
EDGEC_REDUCTION(SumSquare, A{0}, sum + static_cast<A>(x) * static_cast<A>(x), sum)
EDGEC_REDUCTION(L1, A{0}, sum + (x < T{0} ? -static_cast<A>(x) : static_cast<A>(x)), sum)
EDGEC_REDUCTION(L2, A{0}, sum + static_cast<A>(x) * static_cast<A>(x), std::sqrt(static_cast<double>(sum)))
EDGEC_REDUCTION(LogSum, A{0}, sum + static_cast<A>(x), std::log(static_cast<double>(sum)))
#undef EDGEC_REDUCTION

/// Gathers x(0) .. x(count - 1) in A. Sums in float32 are taken four by four, as onnxruntime's matrix product with ones
/// takes sums of rows: networks that subtract nearly equal sums (variances as E[x^2] - E[x]^2) give what they give
/// there.
template <class F, class A, class At>
A gather(std::size_t count, const At &x) {
  using T = decltype(x(0));
  A sum = F::template start<A>(T{});
  std::size_t i = 0;
  if constexpr (std::is_same_v<A, float> && (std::is_same_v<F, Sum> || std::is_same_v<F, Mean>))
    for (; i + 4 <= count; i += 4) sum += ((x(i) + x(i + 1)) + x(i + 2)) + x(i + 3);
  for (; i < count; ++i) sum = F::template add<A>(sum, x(i));
  return F::finish(sum, static_cast<std::int64_t>(count));
}

template <bool largest>
struct Extreme {
  template <class A, class T>
  static A start(T) {
    if constexpr (std::is_floating_point_v<A>)
      return largest ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::infinity();
    else
      return largest ? std::numeric_limits<A>::lowest() : std::numeric_limits<A>::max();
  }
  template <class A, class T>
  static A add(A sum, T x) {
    const A value = static_cast<A>(x);
    return sum != sum || (largest ? sum >= value : sum <= value) ? sum : value; // NaN wins
  }
  template <class A>
  static A finish(A sum, std::int64_t) {
    return sum;
  }
};

/// For each output element where its operand elements lie: the kept axes outside, the reduced ones inside.
struct Walk {
  Dims kept, reduced;
  std::vector<std::int64_t> kept_steps, reduced_steps;

  Walk(const Dims &dims, const std::vector<char> &is_reduced, Layout layout = Layout::plain) {
    const auto steps = strides_in(dims, layout);
    for (std::size_t i = 0; i < dims.size(); ++i) {
      (is_reduced[i] ? reduced : kept).push_back(dims[i]);
      (is_reduced[i] ? reduced_steps : kept_steps).push_back(steps[i]);
    }
  }

  /// Whether the elements of one sum are neighbours, in whatever order.
  [[nodiscard]] bool reduced_lie_side_by_side() const {
    std::int64_t count = 1, last = 0;
    for (std::size_t i = 0; i < reduced.size(); ++i) {
      count *= reduced[i];
      last += (reduced[i] - 1) * reduced_steps[i];
    }
    return count > 0 && last == count - 1;
  }
};

/// Offsets of all elements of an array of `dims`, in order.
std::vector<std::int64_t> offsets(const Dims &dims, const std::vector<std::int64_t> &steps) {
  std::vector<std::int64_t> found{0};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    std::vector<std::int64_t> next;
    next.reserve(found.size() * static_cast<std::size_t>(dims[i]));
    for (const std::int64_t base : found)
      for (std::int64_t k = 0; k < dims[i]; ++k) next.push_back(base + k * steps[i]);
    found = std::move(next);
  }
  return found;
}

Result<std::vector<char>> axes_of(const EvalArgs &args) {
  EDGEC_ASSIGN(auto reduced, reduced_axes(ConcreteArgs(args), args.inputs[0]->dims.size()));
  if (!reduced) return bad_input("axes must be integers");
  return std::move(*reduced);
}

template <class F>
Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const auto reduced, axes_of(args));
  const Walk walk(in.dims, reduced);
  const auto inner = offsets(walk.reduced, walk.reduced_steps), outer = offsets(walk.kept, walk.kept_steps);
  return with_arithmetic(in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Elements<T> x(in);
    std::vector<T> out;
    if (in.dtype == DType::boolean && inner.empty()) // the smallest bool is false, not a number
      return one(make_tensor(in.dtype, *types[0].concrete(),
                             std::vector<T>(outer.size(), std::is_same_v<F, Extreme<false>> ? T{1} : T{0})));
    const auto gather_all = [&](auto wide) {
      for (const std::int64_t base : outer) {
        const auto at = [&](std::size_t i) { return x[static_cast<std::size_t>(base + inner[i])]; };
        out.push_back(static_cast<T>(gather<F, decltype(wide)>(inner.size(), at)));
      }
    };
    if (in.dtype == DType::float32 && adds_rows(in.dims, reduced))
      gather_all(T{});
    else
      gather_all(Wide<T>{});
    return one(make_tensor(in.dtype, *types[0].concrete(), std::move(out)));
  });
}

/// log(sum(exp(x))), moved by the largest element so that nothing overflows.
Result<std::vector<RuntimeValue>> log_sum_exp(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const auto reduced, axes_of(args));
  const Walk walk(in.dims, reduced);
  const auto inner = offsets(walk.reduced, walk.reduced_steps);
  const auto x = to_doubles(in);
  std::vector<double> out;
  for (const std::int64_t base : offsets(walk.kept, walk.kept_steps)) {
    double high = -INFINITY, sum = 0;
    for (const std::int64_t offset : inner) high = std::max(high, x[static_cast<std::size_t>(base + offset)]);
    const double shift = std::isfinite(high) ? high : 0;
    for (const std::int64_t offset : inner) sum += std::exp(x[static_cast<std::size_t>(base + offset)] - shift);
    out.push_back(std::log(sum) + shift);
  }
  return one(from_doubles(in.dtype, *types[0].concrete(), out));
}

/// Sums in double of elements that lie side by side, in lanes that do not wait for each other. The lanes are as many on
/// every instruction set.
template <class F>
EDGEC_VECTOR_CLONES float gather_lanes(std::span<const float> values) {
  constexpr std::size_t lanes = 16;
  std::array<double, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes)
    for (std::size_t k = 0; k < lanes; ++k) sums[k] = F::template add<double>(sums[k], values[i + k]);
  for (std::size_t k = 0; i + k < values.size(); ++k) sums[k] = F::template add<double>(sums[k], values[i + k]);
  const double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  return static_cast<float>(F::finish(sum, static_cast<std::int64_t>(values.size())));
}

template <class F>
concept SumsUp = std::is_same_v<F, Sum> || std::is_same_v<F, Mean> || std::is_same_v<F, SumSquare> ||
    std::is_same_v<F, L1> || std::is_same_v<F, L2> || std::is_same_v<F, LogSum>;

/// The kernel that gathers in A, float or double.
template <class F, class A>
std::function<void(const KernelIo &)> direct(const Walk &walk, int threads) {
  const auto size = static_cast<std::size_t>(product(walk.reduced, 0, walk.reduced.size()));
  const bool side_by_side = SumsUp<F> && std::is_same_v<A, double> && walk.reduced_lie_side_by_side();
  std::vector<std::int64_t> inner; // as many as there are elements
  if (!side_by_side) inner = offsets(walk.reduced, walk.reduced_steps);
  return [inner = std::move(inner), size, side_by_side, outer = offsets(walk.kept, walk.kept_steps),
          threads](const KernelIo &io) {
    const auto *x = reinterpret_cast<const float *>(io.inputs[0]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    const auto count = static_cast<std::int64_t>(outer.size());
    const bool parallel = threads > 1 && outer.size() * size > 16384;
#pragma omp parallel for num_threads(threads) schedule(static) if (parallel)
    for (std::int64_t i = 0; i < count; ++i) {
      const float *from = x + outer[static_cast<std::size_t>(i)];
      if constexpr (SumsUp<F>)
        if (side_by_side) {
          y[i] = gather_lanes<F>({from, size});
          continue;
        }
      y[i] = static_cast<float>(gather<F, A>(size, [&](std::size_t k) { return from[inner[k]]; }));
    }
  };
}

/// float32 with constant axes, in the layout in which the operand lies.
template <class F>
Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || !args.outputs[0]) return unsupported("no operand");
  if (args.inputs[0]->quant || args.outputs[0]->quant) return through_floats(args, prepare<F>);
  if (!is_float32(args.inputs[0])) return unsupported("only float32");
  const Dims dims = *args.inputs[0]->concrete();
  EDGEC_ASSIGN(
      const auto reduced,
      reduced_axes({.node = args.node, .opset = args.opset, .inputs = args.inputs, .constants = args.constants},
                   dims.size()));
  if (!reduced) return unsupported("axes that are not constants");
  const Walk walk(dims, *reduced, args.layouts[0]);
  Kernel kernel{{args.layouts[0]}, Layout::plain, 0, 0, "direct", nullptr};
  kernel.run = adds_rows(dims, *reduced) ? direct<F, float>(walk, args.threads) : direct<F, double>(walk, args.threads);
  return kernel;
}

/// Axes that are not reduced stay, closing up where the others are dropped.
Axes axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape) return axes;
  const Shape &in = *args.input(0)->shape;
  const auto reduced = reduced_axes(args, in.size());
  if (!reduced || !*reduced) return axes;
  const bool keep = args.node.get_int("keepdims", 1) != 0;
  int out = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!(**reduced)[i] && in[i].is_known())
      axes.links.push_back({.input_axis = static_cast<int>(i), .output_axis = out, .count = in[i].size});
    out += keep || !(**reduced)[i] ? 1 : 0;
  }
  return axes;
}

template <class F>
OpDef reduction(std::string_view name, std::string_view summary, QuantRule quant = QuantRule::float_only) {
  return {.name = name,
          .summary = summary,
          .quant = quant,
          .infer = infer,
          .reference = reference<F>,
          .prepare = prepare<F>,
          .axes = axes};
}

OpDef with_reference(OpDef def, decltype(OpDef::reference) reference) {
  def.reference = reference;
  def.prepare = nullptr;
  return def;
}

// ---- ArgMax, ArgMin

Result<std::vector<Type>> infer_arg(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(DType::int64)};
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(in.shape->size())));
  Shape out = *in.shape;
  if (out[static_cast<std::size_t>(axis)].size == 0) return bad_input(fmt::format("axis {} has no elements", axis));
  if (args.node.get_int("keepdims", 1) != 0)
    out[static_cast<std::size_t>(axis)] = Dim::known(1);
  else
    out.erase(out.begin() + axis);
  return std::vector<Type>{Type::tensor(DType::int64, std::move(out))};
}

template <bool largest>
Result<std::vector<RuntimeValue>> arg_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_arg));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t outer = product(in.dims, 0, at), count = in.dims[at],
                     inner = product(in.dims, at + 1, in.dims.size());
  const bool last = args.node.get_int("select_last_index", 0) != 0;
  return with_arithmetic(in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Elements<T> x(in);
    std::vector<std::int64_t> out;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        std::int64_t best = 0;
        const auto value = [&](std::int64_t k) { return x[static_cast<std::size_t>((o * count + k) * inner + i)]; };
        for (std::int64_t k = 1; k < count; ++k) {
          const bool better = largest ? value(k) > value(best) : value(k) < value(best);
          if (better || (last && value(k) == value(best))) best = k;
        }
        out.push_back(best);
      }
    return one(Tensor::of(*types[0].concrete(), std::move(out)));
  });
}

template <bool largest>
OpDef arg(std::string_view name, std::string_view summary) {
  return {.name = name,
          .summary = summary,
          .quant = QuantRule::not_data,
          .infer = infer_arg,
          .reference = arg_reference<largest>};
}

const OpDef defs[] = {
    reduction<L1>("ReduceL1", "sum of |x|"),
    reduction<L2>("ReduceL2", "square root of the sum of squares"),
    reduction<LogSum>("ReduceLogSum", "logarithm of the sum"),
    with_reference(reduction<Sum>("ReduceLogSumExp", "logarithm of the sum of exponentials"), log_sum_exp),
    reduction<Extreme<true>>("ReduceMax", "largest element", QuantRule::same_scale),
    reduction<Mean>("ReduceMean", "mean", QuantRule::own_scale),
    reduction<Extreme<false>>("ReduceMin", "smallest element", QuantRule::same_scale),
    reduction<Prod>("ReduceProd", "product"),
    reduction<Sum>("ReduceSum", "sum"),
    reduction<SumSquare>("ReduceSumSquare", "sum of squares"),
    arg<true>("ArgMax", "index of the largest element"),
    arg<false>("ArgMin", "index of the smallest element"),
};

} // namespace

std::span<const OpDef> reduce() { return defs; }

} // namespace edgec::ops
