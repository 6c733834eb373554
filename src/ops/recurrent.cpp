// RNN, GRU, LSTM (ONNX RNN-22, GRU-22, LSTM-22): forward, reverse, bidirectional; peepholes; sequence lengths. And
// com.microsoft's DynamicQuantizeLSTM, whose weights are codes, and which rounds what it multiplies with them.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/functions.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

constexpr std::string_view microsoft = "com.microsoft";

bool is_dynamic(const Node &node) { return node.op == "DynamicQuantizeLSTM"; }
bool is_lstm(const Node &node) { return node.is("LSTM") || is_dynamic(node); }

std::int64_t gates(const Node &node) { return is_lstm(node) ? 4 : node.is("GRU") ? 3 : 1; }

Result<std::int64_t> directions(const Node &node) {
  const std::string direction = node.get_string("direction", "forward");
  if (direction == "bidirectional") return std::int64_t{2};
  if (direction == "forward" || direction == "reverse") return std::int64_t{1};
  return bad_input(fmt::format("direction is \"{}\", expected forward, reverse or bidirectional", direction));
}

/// Outputs Y [steps, directions, batch, hidden], Y_h and (LSTM) Y_c [directions, batch, hidden]; layout=1 puts the
/// batch first.
Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &x = *args.input(0), &r = *args.input(2);
  EDGEC_ASSIGN(const std::int64_t count, directions(args.node));
  const bool batch_first = args.node.get_int("layout", 0) != 0;
  if (x.shape && x.shape->size() != 3) return bad_input(fmt::format("the operand has rank {}, not 3", x.shape->size()));
  Dim hidden = args.node.attribute("hidden_size") ? Dim::known(args.node.get_int("hidden_size", 0)) : Dim::unknown();
  const std::size_t state = is_dynamic(args.node) ? 1 : 2; // its weights are transposed
  if (r.shape && r.shape->size() == 3 && (*r.shape)[state].is_known()) hidden = (*r.shape)[state];
  const Dim steps = x.shape ? (*x.shape)[batch_first ? 1 : 0] : Dim::unknown(),
            batch = x.shape ? (*x.shape)[batch_first ? 0 : 1] : Dim::unknown();
  const Dim each = Dim::known(count);
  const Type last = Type::tensor(x.dtype, batch_first ? Shape{batch, each, hidden} : Shape{each, batch, hidden});
  return std::vector<Type>{
      Type::tensor(x.dtype, batch_first ? Shape{batch, steps, each, hidden} : Shape{steps, each, batch, hidden}), last,
      last};
}

using Activation = std::function<double(double)>;

Result<Activation> activation(const std::string &name, double alpha, double beta) {
  if (name == "Sigmoid") return Activation([](double x) { return 1 / (1 + std::exp(-x)); });
  if (name == "Tanh") return Activation([](double x) { return std::tanh(x); });
  if (name == "Relu") return Activation([](double x) { return std::max(x, 0.0); });
  if (name == "Affine") return Activation([=](double x) { return alpha * x + beta; });
  if (name == "LeakyRelu") return Activation([=](double x) { return x < 0 ? alpha * x : x; });
  if (name == "ThresholdedRelu") return Activation([=](double x) { return x > alpha ? x : 0.0; });
  if (name == "ScaledTanh") return Activation([=](double x) { return alpha * std::tanh(beta * x); });
  if (name == "HardSigmoid") return Activation([=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); });
  if (name == "Elu") return Activation([=](double x) { return x < 0 ? alpha * std::expm1(x) : x; });
  if (name == "Softsign") return Activation([](double x) { return x / (1 + std::abs(x)); });
  if (name == "Softplus")
    return Activation([](double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); });
  return bad_input(fmt::format("activation \"{}\" is not known", name));
}

Result<std::vector<Activation>> activations(const Node &node, std::int64_t count) {
  const std::size_t each = is_lstm(node) ? 3 : node.is("GRU") ? 2 : 1;
  const std::vector<std::string> usual =
      node.is("RNN") ? std::vector<std::string>{"Tanh"} : std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"};
  const auto *names = node.get<std::vector<std::string>>("activations");
  const auto *alphas = node.get<std::vector<float>>("activation_alpha"),
             *betas = node.get<std::vector<float>>("activation_beta");
  std::vector<Activation> found;
  std::size_t next_alpha = 0, next_beta = 0;
  for (std::size_t i = 0; i < each * static_cast<std::size_t>(count); ++i) {
    const std::string name = names && i < names->size() ? (*names)[i] : usual[i % each];
    double alpha = name == "LeakyRelu"     ? 0.01
                   : name == "HardSigmoid" ? 0.2
                                           : 1,
           beta = name == "HardSigmoid"  ? 0.5
                  : name == "ScaledTanh" ? 1
                                         : 0;
    const bool has_alpha =
        name != "Sigmoid" && name != "Tanh" && name != "Relu" && name != "Softsign" && name != "Softplus";
    const bool has_beta = name == "Affine" || name == "ScaledTanh" || name == "HardSigmoid";
    if (has_alpha && alphas && next_alpha < alphas->size()) alpha = (*alphas)[next_alpha++];
    if (has_beta && betas && next_beta < betas->size()) beta = (*betas)[next_beta++];
    EDGEC_ASSIGN(Activation one, activation(name, alpha, beta));
    found.push_back(std::move(one));
  }
  return found;
}

/// The reals that uint8 codes of the numbers' own range stand for: those of DynamicQuantizeLinear.
std::vector<double> rounded(const std::vector<double> &reals) {
  float low = 0, high = 0;
  for (const double real : reals) {
    low = std::min(low, static_cast<float>(real));
    high = std::max(high, static_cast<float>(real));
  }
  const float scale = high == low ? 1 : (high - low) / 255;
  const float zero = std::clamp(std::nearbyint(-low / scale), 0.0F, 255.0F);
  std::vector<double> found(reals.size());
  std::ranges::transform(reals, found.begin(), [&](double real) {
    const float code = std::clamp(std::nearbyint(static_cast<float>(real) / scale) + zero, 0.0F, 255.0F);
    return static_cast<double>(code - zero) * scale;
  });
  return found;
}

/// One direction's numbers. W [gates * hidden, input], R [gates * hidden, hidden], B: Wb then Rb, P: peepholes i, o, f.
struct Direction {
  std::int64_t gates, hidden, input;
  std::span<const double> w, r;
  std::vector<double> wb, rb, p;
  std::span<const Activation> act;
  double clip;
  bool linear_before_reset, input_forget;
  bool rounds_state; ///< to codes of 8 bits, by its own range at each step, before it is multiplied

  [[nodiscard]] double limited(double x) const { return clip > 0 ? std::clamp(x, -clip, clip) : x; }
  [[nodiscard]] double dot(std::span<const double> matrix, std::int64_t row, const double *x, std::int64_t size) const {
    double sum = 0;
    for (std::int64_t i = 0; i < size; ++i) sum += matrix[static_cast<std::size_t>(row * size + i)] * x[i];
    return sum;
  }
  /// W x + R h + both biases of row `row`.
  [[nodiscard]] double pre(std::int64_t row, const double *x, const double *h) const {
    const auto k = static_cast<std::size_t>(row);
    return dot(w, row, x, input) + dot(r, row, h, hidden) + wb[k] + rb[k];
  }

  void step(const double *x, std::vector<double> &h, std::vector<double> &c) const {
    std::vector<double> next(h.size());
    if (gates == 1)
      for (std::int64_t i = 0; i < hidden; ++i)
        next[static_cast<std::size_t>(i)] = act[0](limited(pre(i, x, h.data())));
    else if (gates == 3)
      gru(x, h, next);
    else
      lstm(x, rounds_state ? rounded(h) : h, c, next);
    h = std::move(next);
  }

  void gru(const double *x, const std::vector<double> &h, std::vector<double> &next) const { // rows: z, r, h
    std::vector<double> reset(h.size()), gated(h.size());
    for (std::int64_t i = 0; i < hidden; ++i) {
      const auto k = static_cast<std::size_t>(i);
      reset[k] = act[0](limited(pre(hidden + i, x, h.data())));
      gated[k] = reset[k] * h[k];
    }
    for (std::int64_t i = 0; i < hidden; ++i) {
      const auto k = static_cast<std::size_t>(i), row = static_cast<std::size_t>(2 * hidden + i);
      const double z = act[0](limited(pre(i, x, h.data())));
      const double inner = linear_before_reset ? reset[k] * (dot(r, 2 * hidden + i, h.data(), hidden) + rb[row])
                                               : dot(r, 2 * hidden + i, gated.data(), hidden) + rb[row];
      const double candidate = act[1](limited(dot(w, 2 * hidden + i, x, input) + wb[row] + inner));
      next[k] = (1 - z) * candidate + z * h[k];
    }
  }

  void lstm(const double *x, const std::vector<double> &h, std::vector<double> &c,
            std::vector<double> &next) const { // i, o, f, c
    for (std::int64_t i = 0; i < hidden; ++i) {
      const auto k = static_cast<std::size_t>(i), n = static_cast<std::size_t>(hidden);
      const double in = act[0](limited(pre(i, x, h.data()) + p[k] * c[k]));
      const double forget =
          input_forget ? 1 - in : act[0](limited(pre(2 * hidden + i, x, h.data()) + p[2 * n + k] * c[k]));
      const double cell = forget * c[k] + in * act[1](limited(pre(3 * hidden + i, x, h.data())));
      const double out = act[0](limited(pre(hidden + i, x, h.data()) + p[n + k] * cell));
      next[k] = out * act[2](cell);
      c[k] = cell;
    }
  }
};

/// Operand sizes that the loops below rely on.
Status check_operands(const EvalArgs &args, std::int64_t count, std::int64_t batch, std::int64_t input,
                      std::int64_t hidden) {
  const std::int64_t g = gates(args.node);
  const std::int64_t wanted[] = {-1,    count * g * hidden * input, count * g * hidden * hidden, count * 2 * g * hidden,
                                 batch, count * batch * hidden,     count * batch * hidden,      count * 3 * hidden};
  for (std::size_t i = 1; i < args.inputs.size() && i < 8; ++i)
    if (args.inputs[i] && args.inputs[i]->size() != wanted[i])
      return bad_input(fmt::format("operand {} has {} elements, expected {}", i, args.inputs[i]->size(), wanted[i]));
  return {};
}

struct Sizes {
  std::int64_t steps, batch, input, hidden, count;
  bool batch_first;
};

Result<Sizes> sizes(const EvalArgs &args) {
  const Tensor &x = *args.inputs[0], &r = *args.inputs[2];
  if (r.rank() != 3) return bad_input(fmt::format("the recurrence weight has rank {}, not 3", r.rank()));
  const std::int64_t hidden = r.dims[is_dynamic(args.node) ? 1 : 2];
  EDGEC_ASSIGN(const std::int64_t count, directions(args.node));
  const bool batch_first = args.node.get_int("layout", 0) != 0;
  const Sizes found{x.dims[batch_first ? 1 : 0], x.dims[batch_first ? 0 : 1], x.dims[2], hidden, count, batch_first};
  EDGEC_CHECK(check_operands(args, count, found.batch, found.input, found.hidden));
  return found;
}

/// Codes [directions, from, rows] of scales and zero points [directions] or [directions, rows], as reals
/// [directions, rows, from].
Result<std::vector<double>> reals_of(const EvalArgs &args, std::size_t codes, std::size_t scale, const Dims &dims) {
  const Tensor &tensor = *args.inputs[codes];
  const auto scales = to_doubles(*args.inputs[scale]), zeros = to_doubles(*args.inputs[scale + 1]);
  const std::int64_t count = dims[0], from = dims[1], rows = dims[2];
  const bool fits = tensor.dims == dims && scales.size() == zeros.size() &&
                    (std::ssize(scales) == count || std::ssize(scales) == count * rows);
  if (!fits)
    return bad_input(fmt::format("operand {} is {} with {} scales and {} zero points", codes,
                                 to_string(Type::of(tensor)), scales.size(), zeros.size()));
  const auto all = to_doubles(tensor);
  std::vector<double> reals(all.size());
  for (std::int64_t d = 0; d < count; ++d)
    for (std::int64_t k = 0; k < from; ++k)
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto at = static_cast<std::size_t>(std::ssize(scales) == count ? d : d * rows + row);
        reals[static_cast<std::size_t>((d * rows + row) * from + k)] =
            (all[static_cast<std::size_t>((d * from + k) * rows + row)] - zeros[at]) * scales[at];
      }
  return reals;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  EDGEC_ASSIGN(const Sizes s, sizes(args));
  EDGEC_ASSIGN(const auto functions, activations(args.node, s.count));
  const std::int64_t g = gates(args.node);
  const bool dynamic = is_dynamic(args.node);
  std::vector<double> x = to_doubles(*args.inputs[0]), w = to_doubles(*args.inputs[1]), r = to_doubles(*args.inputs[2]);
  if (dynamic) {
    x = rounded(x);
    EDGEC_ASSIGN(w, reals_of(args, 1, 8, {s.count, s.input, g * s.hidden}));
    EDGEC_ASSIGN(r, reals_of(args, 2, 10, {s.count, s.hidden, g * s.hidden}));
  }
  const auto given = [&](std::size_t i, std::int64_t size) {
    return args.input(i) ? to_doubles(*args.inputs[i]) : std::vector<double>(static_cast<std::size_t>(size));
  };
  const auto biases = given(3, s.count * 2 * g * s.hidden), h0 = given(5, s.count * s.batch * s.hidden),
             c0 = given(6, s.count * s.batch * s.hidden);
  const auto peepholes = given(7, s.count * 3 * s.hidden);
  const auto lengths = args.input(4) ? to_int64s(*args.inputs[4])
                                     : std::vector<std::int64_t>(static_cast<std::size_t>(s.batch), s.steps);
  std::vector<double> y(static_cast<std::size_t>(s.steps * s.count * s.batch * s.hidden)), last_h(h0.size()),
      last_c(h0.size());
  const auto state_at = [&](std::int64_t d, std::int64_t b) {
    return static_cast<std::size_t>((s.batch_first ? b * s.count + d : d * s.batch + b) * s.hidden);
  };
  const auto part = [](const std::vector<double> &all, std::int64_t index, std::int64_t size) {
    return std::span(all).subspan(static_cast<std::size_t>(index * size), static_cast<std::size_t>(size));
  };
  const std::size_t each = functions.size() / static_cast<std::size_t>(s.count);
  for (std::int64_t d = 0; d < s.count; ++d) {
    const auto wb = part(biases, 2 * d, g * s.hidden), rb = part(biases, 2 * d + 1, g * s.hidden),
               p = part(peepholes, d, 3 * s.hidden);
    const Direction one{g,
                        s.hidden,
                        s.input,
                        part(w, d, g * s.hidden * s.input),
                        part(r, d, g * s.hidden * s.hidden),
                        {wb.begin(), wb.end()},
                        {rb.begin(), rb.end()},
                        {p.begin(), p.end()},
                        std::span(functions).subspan(static_cast<std::size_t>(d) * each, each),
                        args.node.get_float("clip", 0),
                        args.node.get_int("linear_before_reset", 0) != 0,
                        args.node.get_int("input_forget", 0) != 0,
                        dynamic};
    const bool reverse = d == 1 || args.node.get_string("direction", "forward") == "reverse";
    for (std::int64_t b = 0; b < s.batch; ++b) {
      const auto start = static_cast<std::ptrdiff_t>(state_at(d, b));
      std::vector<double> h(h0.begin() + start, h0.begin() + start + s.hidden),
          c(c0.begin() + start, c0.begin() + start + s.hidden);
      const std::int64_t length = std::clamp(lengths[static_cast<std::size_t>(b)], std::int64_t{0}, s.steps);
      for (std::int64_t k = 0; k < length; ++k) {
        const std::int64_t t = reverse ? length - 1 - k : k;
        one.step(x.data() + (s.batch_first ? b * s.steps + t : t * s.batch + b) * s.input, h, c);
        const std::int64_t to = s.batch_first ? (b * s.steps + t) * s.count + d : (t * s.count + d) * s.batch + b;
        std::ranges::copy(h, y.begin() + to * s.hidden);
      }
      std::ranges::copy(h, last_h.begin() + start);
      std::ranges::copy(c, last_c.begin() + start);
    }
  }
  const DType dtype = args.inputs[0]->dtype;
  auto outputs = one(from_doubles(dtype, *types[0].concrete(), y));
  outputs.emplace_back(from_doubles(dtype, *types[1].concrete(), last_h));
  outputs.emplace_back(from_doubles(dtype, *types[1].concrete(), last_c));
  return outputs;
}

OpDef network(std::string_view name, std::string_view summary) {
  return {.name = name,
          .since = 7,
          .summary = summary,
          .infer = infer,
          .reference = reference,
          .cost = [](const Node &, auto inputs, auto) -> Cost {
            double macs = 0;
            const auto x = inputs.size() > 2 && inputs[0] ? inputs[0]->concrete() : std::nullopt;
            for (std::size_t i = 1; x && i < 3; ++i)
              if (const auto dims = inputs[i] ? inputs[i]->concrete() : std::nullopt)
                macs += static_cast<double>(product(*dims, 0, dims->size())) * static_cast<double>((*x)[0] * (*x)[1]);
            return {macs};
          }};
}

/// onnxruntime docs/ContribOperators.md. Its runtime rounds the state of all samples of a call, or of those that one of
/// its threads computes, by one range; here each sample has its own.
OpDef dynamic_lstm() {
  OpDef def = network("DynamicQuantizeLSTM", "LSTM on codes whose ranges are found as it runs");
  def.domain = microsoft;
  def.since = 1;
  def.infer = [](const InferArgs &args) -> Result<std::vector<Type>> {
    for (const std::size_t i : {1, 2, 8, 9, 10, 11}) // those between are those of an LSTM, and may be omitted
      if (args.input(i) == nullptr) return bad_input(fmt::format("operand {} is missing", i));
    return infer(args);
  };
  return def;
}

const OpDef defs[] = {network("RNN", "simple recurrent layer"), network("GRU", "gated recurrent unit"),
                      network("LSTM", "long short-term memory"), dynamic_lstm()};

} // namespace

std::span<const OpDef> recurrent() { return defs; }

} // namespace edgec::ops
