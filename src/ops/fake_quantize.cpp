// Quantizing that training goes through: reals rounded to a grid, and what Esser et al. 2020 ("Learned Step Size
// Quantization", equations 1 to 3) take for its gradient. In edgec's own domain; networks hold it while they are
// trained.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/registry.h"
#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/scales.h"
#include "support/vectorize.h"

namespace edgec::ops {
namespace {

struct CodeRange {
  float low, high;
  explicit CodeRange(const Node &node) : low(node.get_float("low", -128)), high(node.get_float("high", 127)) {}
  CodeRange less(float zero) const {
    CodeRange moved = *this;
    moved.low -= zero, moved.high -= zero;
    return moved;
  }
};

/// Scales and zero points, and how they lie over the tensor; no zero points: 0.
struct Steps {
  ScaleIndex index;
  CodeRange range;
  std::int64_t elements;
  std::span<const float> scales;
  const float *zeros = nullptr;

  /// visit(first, count, scale's index, scale, codes less their zero point) over runs of elements that share one.
  template <class Visit>
  void for_each_run(Visit visit) const {
    const auto run = [&](std::size_t first, std::size_t count, std::size_t k) {
      visit(first, count, k, scales[k], zeros != nullptr ? range.less(zeros[k]) : range);
    };
    index.for_each_run(elements, [&](std::size_t first, std::size_t count, std::size_t k, bool each) {
      if (!each) return run(first, count, k);
      for (std::size_t i = 0; i < count; ++i) run(first + i, 1, k + i);
    });
  }
};

/// y = s * clamp(round(x / s), low, high): what DequantizeLinear gives of QuantizeLinear's codes, bit for bit.
EDGEC_VECTOR_CLONES void round_run(const float *x, float *y, std::size_t count, float scale, CodeRange range) {
  for (std::size_t i = 0; i < count; ++i)
    y[i] = std::min(std::max(std::nearbyint(x[i] / scale), range.low), range.high) * scale + 0.0F; // code 0: never -0
}

constexpr std::size_t lanes = 16;

/// dx = dy inside the range, else 0. Adds up dy times the derivative by the scale in lanes, so that every instruction
/// set sums in the same order.
EDGEC_VECTOR_CLONES void gradient_run(const float *dy, const float *x, float *dx, std::size_t count, float scale,
                                      CodeRange range, float *sums) {
  const auto one = [&](std::size_t i, float &sum) __attribute__((always_inline)) {
    const float code = x[i] / scale;
    const float rounded = std::min(std::max(std::nearbyint(code), range.low), range.high);
    const bool inside = code >= range.low && code <= range.high;
    dx[i] = inside ? dy[i] : 0;
    sum += dy[i] * (inside ? rounded - code : rounded);
  };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::size_t k = 0; k < lanes; ++k) one(i + k, sums[k]);
  for (; i < count; ++i) one(i, sums[i % lanes]);
}

void fake_quantize(const Steps &steps, const float *x, float *y) {
  steps.for_each_run([&](std::size_t first, std::size_t count, std::size_t, float scale, CodeRange range) {
    round_run(x + first, y + first, count, scale, range);
  });
}

void fake_quantize_gradient(const Steps &steps, const float *x, const float *dy, float *dx, float *dscales) {
  std::vector<double> sums(steps.scales.size());
  constexpr std::size_t piece = 4096; // of sums in float32
  steps.for_each_run([&](std::size_t first, std::size_t count, std::size_t k, float scale, CodeRange range) {
    for (std::size_t from = first; from < first + count; from += piece) {
      std::array<float, lanes> part{};
      gradient_run(dy + from, x + from, dx + from, std::min(piece, first + count - from), scale, range, part.data());
      for (const float sum : part) sums[k] += static_cast<double>(sum);
    }
  });
  if (dscales != nullptr) std::ranges::transform(sums, dscales, [](double sum) { return static_cast<float>(sum); });
}

// ---- FakeQuantize(x, scale, zero) -> y: low and high codes, axis, block_size

Status check_steps(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type *zero = args.input(2);
  const auto scales = args.input(1)->concrete(), zeros = zero != nullptr ? zero->concrete() : std::nullopt;
  if (scales && zeros && *scales != *zeros)
    return bad_input(fmt::format("the zero point is {}, the scale {}", to_string(*zero), to_string(*args.input(1))));
  return check_scale(args);
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(check_steps(args));
  return std::vector<Type>{Type::tensor(DType::float32, args.input(0)->shape)};
}

/// Operands of the references as floats.
struct Numbers {
  std::vector<std::vector<float>> of;
  explicit Numbers(const EvalArgs &args) {
    for (const Tensor *operand : args.inputs)
      of.push_back(operand != nullptr ? to_floats(*operand) : std::vector<float>());
  }
  [[nodiscard]] Steps steps(const EvalArgs &args) const {
    const float *zeros = of.size() > 2 && !of[2].empty() ? of[2].data() : nullptr;
    return {scale_index(args.node, args.inputs[0]->dims, args.inputs[1]->size()), CodeRange(args.node),
            args.inputs[0]->size(), of[1], zeros};
  }
};

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Numbers numbers(args);
  std::vector<float> y(numbers.of[0].size());
  fake_quantize(numbers.steps(args), numbers.of[0].data(), y.data());
  return one(Tensor::of(args.inputs[0]->dims, std::move(y)));
}

/// What kernels know before they see numbers; runs of elements with one scale are whole in `layout`.
struct Prepared {
  ScaleIndex index;
  CodeRange range;
  std::int64_t elements, scales;
  Layout layout;

  explicit Prepared(const PrepareArgs &args)
      : index(scale_index(args.node, *args.inputs[0]->concrete(), *element_count(*args.inputs[1]->concrete()))),
        range(args.node), elements(*element_count(*args.inputs[0]->concrete())),
        scales(*element_count(*args.inputs[1]->concrete())), layout(scales == 1 ? args.layouts[0] : Layout::plain) {}
  [[nodiscard]] Steps steps(const KernelIo &io) const {
    const auto *scale = reinterpret_cast<const float *>(io.inputs[1]);
    const auto *zeros = io.inputs.size() > 2 ? reinterpret_cast<const float *>(io.inputs[2]) : nullptr;
    return {index, range, elements, std::span(scale, static_cast<std::size_t>(scales)), zeros};
  }
};

Status check_float32(const PrepareArgs &args) {
  for (const Type *type : args.inputs)
    if (type != nullptr && !is_float32(type)) return unsupported("only float32");
  return {};
}

Result<Kernel> prepare(const PrepareArgs &args) {
  EDGEC_CHECK(check_float32(args));
  const Prepared prepared(args);
  Kernel kernel{{prepared.layout, Layout::plain, Layout::plain}, prepared.layout, 0, 0, "vector", nullptr};
  kernel.inputs.resize(args.inputs.size());
  kernel.run = [prepared](const KernelIo &io) {
    fake_quantize(prepared.steps(io), reinterpret_cast<const float *>(io.inputs[0]),
                  reinterpret_cast<float *>(io.outputs[0]));
  };
  return kernel;
}

// ---- FakeQuantizeGradient(x, scale, zero, dy) -> dx, dscale

Result<std::vector<Type>> infer_gradient(const InferArgs &args) {
  EDGEC_CHECK(check_steps(args));
  if (args.input(3) == nullptr) return bad_input("operand 3 is missing");
  const auto x = args.input(0)->concrete(), dy = args.input(3)->concrete();
  if (x && dy && *x != *dy) return bad_input("a gradient of other dims than what was rounded");
  return std::vector<Type>{Type::tensor(DType::float32, args.input(0)->shape),
                           Type::tensor(DType::float32, args.input(1)->shape)};
}

Result<std::vector<RuntimeValue>> reference_gradient(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_gradient));
  const Numbers numbers(args);
  std::vector<float> dx(numbers.of[0].size()), dscale(numbers.of[1].size());
  fake_quantize_gradient(numbers.steps(args), numbers.of[0].data(), numbers.of[3].data(), dx.data(), dscale.data());
  auto found = one(Tensor::of(args.inputs[0]->dims, std::move(dx)));
  found.emplace_back(Tensor::of(args.inputs[1]->dims, std::move(dscale)));
  return found;
}

Result<Kernel> prepare_gradient(const PrepareArgs &args) {
  EDGEC_CHECK(check_float32(args));
  const Prepared prepared(args);
  Kernel kernel{
      {prepared.layout, Layout::plain, Layout::plain, prepared.layout}, prepared.layout, 0, 0, "vector", nullptr};
  if (!args.outputs[0]) kernel.scratch_bytes = static_cast<std::size_t>(prepared.elements) * sizeof(float);
  kernel.run = [prepared](const KernelIo &io) {
    auto *dx = reinterpret_cast<float *>(io.outputs[0] != nullptr ? io.outputs[0] : io.scratch);
    auto *dscale = io.outputs.size() > 1 ? reinterpret_cast<float *>(io.outputs[1]) : nullptr;
    fake_quantize_gradient(prepared.steps(io), reinterpret_cast<const float *>(io.inputs[0]),
                           reinterpret_cast<const float *>(io.inputs[3]), dx, dscale);
  };
  return kernel;
}

const OpDef defs[] = {{.name = "FakeQuantize",
                       .domain = "edgec",
                       .summary = "reals rounded to the reals that codes stand for",
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare},
                      {.name = "FakeQuantizeGradient",
                       .domain = "edgec",
                       .summary = "the gradients of FakeQuantize's operand and scale: rounding passes on what it gets",
                       .infer = infer_gradient,
                       .reference = reference_gradient,
                       .prepare = prepare_gradient}};

} // namespace

std::span<const OpDef> fake_quantize() { return defs; }

} // namespace edgec::ops
