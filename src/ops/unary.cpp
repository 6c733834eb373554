// Functions of one number: the output has the operand's type and shape.
#include "ops/shared/elementwise.h"
#include "ops/shared/functions.h"

namespace edgec::ops {
namespace {

template <class F>
OpDef function(std::string_view name, int since, std::string_view summary, QuantRule quant = QuantRule::float_only,
               std::pair<float, float> range = {0, 0}) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .elementwise = true,
          .quant = quant,
          .fixed_range = range,
          .scales_with_channels = std::is_same_v<F, Relu> || std::is_same_v<F, LeakyRelu>,
          .infer = infer_same,
          .reference = unary_reference<F>,
          .prepare = std::is_same_v<F, BitwiseNot> ? nullptr : prepare_unary<F>,
          .axes = elementwise_axes};
}

constexpr auto own = QuantRule::own_scale;
constexpr auto fixed = QuantRule::fixed_range;

const OpDef defs[] = {
    function<Abs>("Abs", 1, "|x|", own),
    function<Acos>("Acos", 7, "arc cosine"),
    function<Acosh>("Acosh", 9, "inverse hyperbolic cosine"),
    function<Asin>("Asin", 7, "arc sine"),
    function<Asinh>("Asinh", 9, "inverse hyperbolic sine"),
    function<Atan>("Atan", 7, "arc tangent"),
    function<Atanh>("Atanh", 9, "inverse hyperbolic tangent"),
    function<BitwiseNot>("BitwiseNot", 18, "all bits flipped", QuantRule::not_data),
    function<Ceil>("Ceil", 1, "smallest integer not below x"),
    function<Celu>("Celu", 12, "max(0, x) + min(0, alpha * (exp(x / alpha) - 1))", own),
    function<Cos>("Cos", 7, "cosine"),
    function<Cosh>("Cosh", 9, "hyperbolic cosine"),
    function<Elu>("Elu", 1, "x where positive, else alpha * (exp(x) - 1)", own),
    function<Erf>("Erf", 9, "error function", fixed, {-1, 1}),
    function<Exp>("Exp", 1, "e to the power of x"),
    function<Floor>("Floor", 1, "largest integer not above x"),
    function<Gelu>("Gelu", 20, "x times the normal distribution function of x", own),
    function<HardSigmoid>("HardSigmoid", 1, "alpha * x + beta clipped to [0, 1]", fixed, {0, 1}),
    function<HardSwish>("HardSwish", 14, "x * max(0, min(1, x / 6 + 0.5))", own),
    function<LeakyRelu>("LeakyRelu", 1, "x where positive, else alpha * x", own),
    function<Log>("Log", 1, "natural logarithm"),
    function<Mish>("Mish", 18, "x * tanh(ln(1 + exp(x)))", own),
    function<Neg>("Neg", 1, "-x", own),
    function<Reciprocal>("Reciprocal", 1, "1 / x"),
    function<Relu>("Relu", 1, "max(0, x)", own),
    function<Round>("Round", 11, "nearest integer, halves to even"),
    function<Selu>("Selu", 1, "scaled exponential linear unit", own),
    function<Shrink>("Shrink", 9, "zero near zero, else x moved by the bias"),
    function<Sigmoid>("Sigmoid", 1, "1 / (1 + exp(-x))", fixed, {0, 1}),
    function<Sign>("Sign", 9, "-1, 0 or 1"),
    function<Sin>("Sin", 7, "sine"),
    function<Sinh>("Sinh", 9, "hyperbolic sine"),
    function<Softplus>("Softplus", 1, "ln(1 + exp(x))", own),
    function<Softsign>("Softsign", 1, "x / (1 + |x|)", fixed, {-1, 1}),
    function<Sqrt>("Sqrt", 1, "square root"),
    function<Swish>("Swish", 24, "x * sigmoid(alpha * x)", own),
    function<Tan>("Tan", 7, "tangent"),
    function<Tanh>("Tanh", 1, "hyperbolic tangent", fixed, {-1, 1}),
    function<ThresholdedRelu>("ThresholdedRelu", 10, "x where above alpha, else 0", own),
};

} // namespace

std::span<const OpDef> unary() { return defs; }

} // namespace edgec::ops
