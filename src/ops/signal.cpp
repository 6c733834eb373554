// DFT, STFT, MelWeightMatrix: spectra of signals. A complex number is two numbers along the last axis.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

using Complex = std::complex<double>;

constexpr std::int64_t longest = std::int64_t{1} << 20; // of one transform

/// e^(sign 2 pi i k / n) for k = 0 .. n - 1; quarter turns are exact.
std::vector<Complex> roots(std::int64_t n, int sign) {
  const Complex quarters[] = {{1, 0}, {0, 1.0 * sign}, {-1, 0}, {0, -1.0 * sign}};
  std::vector<Complex> found;
  for (std::int64_t k = 0; k < n; ++k) {
    if (4 * k % n == 0)
      found.push_back(quarters[4 * k / n]);
    else
      found.push_back(std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n)));
  }
  return found;
}

/// x[offset + i step] for i = 0 .. n - 1 transformed: Cooley and Tukey 1965 where n is even, the definition where it is
/// odd. `w` are the roots of the whole length w.size(), of which every (w.size() / n)-th is one of n.
std::vector<Complex> transform(const std::vector<Complex> &x, std::size_t offset, std::size_t step, std::size_t n,
                               const std::vector<Complex> &w) {
  const std::size_t stride = w.size() / n;
  std::vector<Complex> out(n);
  if (n % 2 == 0) {
    const auto even = transform(x, offset, 2 * step, n / 2, w), odd = transform(x, offset + step, 2 * step, n / 2, w);
    for (std::size_t k = 0; k < n; ++k) out[k] = even[k % (n / 2)] + w[k * stride] * odd[k % (n / 2)];
    return out;
  }
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i) out[k] += w[i * k % n * stride] * x[offset + i * step];
  return out;
}

// ---- DFT

struct DftSpec {
  std::size_t axis = 0;
  std::optional<std::int64_t> length; // absent: the axis's own
  bool inverse = false, onesided = false;
};

/// The axis is an attribute before opset 20 (1), an operand later (-2). Nothing: an operand is not known.
Result<std::optional<DftSpec>> dft_spec(const InferArgs &args, std::size_t rank) {
  if (rank < 2) return bad_input(fmt::format("the operand has rank {}, not at least 2", rank));
  DftSpec spec;
  std::int64_t axis = args.opset < 20 ? args.node.get_int("axis", 1) : -2;
  if (args.opset >= 20 && args.input(2)) {
    const auto given = known_ints(args, 2);
    if (!given || given->size() != 1) return std::optional<DftSpec>();
    axis = (*given)[0];
  }
  EDGEC_ASSIGN(const int at, normalize_axis(axis, static_cast<int>(rank)));
  if (at + 1 == static_cast<int>(rank))
    return bad_input("the last axis holds real and imaginary parts, it cannot be transformed");
  spec.axis = static_cast<std::size_t>(at);
  if (args.input(1)) {
    const auto given = known_ints(args, 1);
    if (!given || given->size() != 1) return std::optional<DftSpec>();
    if ((*given)[0] < 1 || (*given)[0] > longest)
      return bad_input(fmt::format("a transform of length {}", (*given)[0]));
    spec.length = (*given)[0];
  }
  spec.inverse = args.node.get_int("inverse", 0) != 0;
  spec.onesided = args.node.get_int("onesided", 0) != 0;
  return std::optional(spec);
}

Result<std::vector<Type>> infer_dft(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const auto spec, dft_spec(args, in.shape->size()));
  if (!spec) return std::vector<Type>{Type::tensor(in.dtype, Shape(in.shape->size()))};
  Shape out = *in.shape;
  if (out.back().is_known() && out.back().size != 1 && out.back().size != 2)
    return bad_input("the last axis must hold 1 or 2 numbers");
  const bool to_real = spec->inverse && spec->onesided;
  out.back() = Dim::known(to_real ? 1 : 2);
  Dim &length = out[spec->axis];
  if (spec->length) length = Dim::known(*spec->length);
  if (spec->onesided && !to_real) length = length.is_known() ? Dim::known(length.size / 2 + 1) : Dim::unknown();
  if (to_real && !spec->length)
    length = length.is_known() ? Dim::known(std::max<std::int64_t>(2 * (length.size - 1), 0)) : Dim::unknown();
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

/// One line of numbers as `n` complex ones, cut or filled with zeros. A one-sided one is completed by its conjugates.
std::vector<Complex> line_of(const std::vector<double> &x, std::size_t start, std::size_t step, std::size_t count,
                             std::size_t parts, std::size_t n, bool completed) {
  std::vector<Complex> line(n);
  const auto at = [&](std::size_t i) { return Complex(x[start + i * step], parts == 2 ? x[start + i * step + 1] : 0); };
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t mirrored = n - i;
    if (i < count && (!completed || i <= n / 2))
      line[i] = at(i);
    else if (completed && mirrored < count)
      line[i] = std::conj(at(mirrored));
  }
  return line;
}

Result<std::vector<RuntimeValue>> dft_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_dft));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const auto spec, dft_spec(ConcreteArgs(args), in.dims.size()));
  const Dims dims = *types[0].concrete();
  const auto x = to_doubles(in);
  const bool to_real = spec->inverse && spec->onesided;
  const auto parts = static_cast<std::size_t>(in.dims.back()), made = static_cast<std::size_t>(dims.back());
  const std::int64_t outer = product(in.dims, 0, spec->axis),
                     inner = product(in.dims, spec->axis + 1, in.dims.size() - 1);
  const std::int64_t count = in.dims[spec->axis], kept = dims[spec->axis];
  const std::int64_t n = spec->length ? *spec->length : to_real ? kept : count;
  if (n < 1 || n > longest) return bad_input(fmt::format("a transform of length {}", n));
  const auto w = roots(n, spec->inverse ? 1 : -1);
  std::vector<double> out(static_cast<std::size_t>(*element_count(dims)));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i) {
      const auto start = static_cast<std::size_t>(o * count * inner + i) * parts,
                 step = static_cast<std::size_t>(inner) * parts;
      const auto line =
          line_of(x, start, step, static_cast<std::size_t>(count), parts, static_cast<std::size_t>(n), to_real);
      const auto y = transform(line, 0, 1, static_cast<std::size_t>(n), w);
      for (std::int64_t k = 0; k < kept; ++k) {
        const Complex value = y[static_cast<std::size_t>(k)] / (spec->inverse ? static_cast<double>(n) : 1.0);
        double *to = out.data() + (static_cast<std::size_t>((o * kept + k) * inner + i)) * made;
        to[0] = value.real();
        if (made == 2) to[1] = value.imag();
      }
    }
  return one(from_doubles(types[0].dtype, dims, out));
}

// ---- STFT: [batch, length, 1 or 2] to [batch, frames, bins, 2]

struct StftSpec {
  std::int64_t step, frame;
  bool onesided;
};

Result<std::optional<StftSpec>> stft_spec(const InferArgs &args) {
  const auto step = known_ints(args, 1);
  std::optional<std::int64_t> frame;
  if (args.input(3)) {
    if (const auto given = known_ints(args, 3); given && given->size() == 1) frame = (*given)[0];
  } else if (args.input(2) && args.input(2)->shape && args.input(2)->shape->size() == 1 &&
             (*args.input(2)->shape)[0].is_known()) {
    frame = (*args.input(2)->shape)[0].size;
  }
  if (!step || step->size() != 1 || !frame) return std::optional<StftSpec>();
  if ((*step)[0] < 1 || *frame < 1 || *frame > longest)
    return bad_input(fmt::format("frames of {} every {}", *frame, (*step)[0]));
  return std::optional(StftSpec{(*step)[0], *frame, args.node.get_int("onesided", 1) != 0});
}

Result<std::vector<Type>> infer_stft(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  if (in.shape && in.shape->size() != 3)
    return bad_input(fmt::format("the signal has rank {}, not 3", in.shape->size()));
  EDGEC_ASSIGN(const auto spec, stft_spec(args));
  Shape out(4);
  out[3] = Dim::known(2);
  if (in.shape) out[0] = (*in.shape)[0];
  if (spec) out[2] = Dim::known(spec->onesided ? spec->frame / 2 + 1 : spec->frame);
  if (spec && in.shape && (*in.shape)[1].is_known()) {
    const std::int64_t room = (*in.shape)[1].size - spec->frame;
    if (room < 0) return bad_input(fmt::format("frames of {} in a signal of {}", spec->frame, (*in.shape)[1].size));
    out[1] = Dim::known(room / spec->step + 1);
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> stft_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_stft));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const auto spec, stft_spec(ConcreteArgs(args)));
  const Dims dims = *types[0].concrete();
  const auto x = to_doubles(in);
  const auto window =
      args.input(2) ? to_doubles(*args.inputs[2]) : std::vector<double>(static_cast<std::size_t>(spec->frame), 1);
  if (static_cast<std::int64_t>(window.size()) != spec->frame)
    return bad_input(fmt::format("a window of {} for frames of {}", window.size(), spec->frame));
  if (in.dims[2] != 1 && in.dims[2] != 2) return bad_input("the last axis must hold 1 or 2 numbers");
  const auto w = roots(spec->frame, -1);
  const auto n = static_cast<std::size_t>(spec->frame), parts = static_cast<std::size_t>(in.dims[2]);
  std::vector<double> out;
  for (std::int64_t b = 0; b < dims[0]; ++b)
    for (std::int64_t f = 0; f < dims[1]; ++f) {
      auto line =
          line_of(x, static_cast<std::size_t>(b * in.dims[1] + f * spec->step) * parts, parts, n, parts, n, false);
      for (std::size_t i = 0; i < n; ++i) line[i] *= window[i];
      const auto y = transform(line, 0, 1, n, w);
      for (std::int64_t k = 0; k < dims[2]; ++k)
        out.insert(out.end(), {y[static_cast<std::size_t>(k)].real(), y[static_cast<std::size_t>(k)].imag()});
    }
  return one(from_doubles(types[0].dtype, dims, out));
}

// ---- MelWeightMatrix: triangles on the mel scale, [bins of a spectrum, mel bins]

Result<std::vector<Type>> infer_mel(const InferArgs &args) {
  EDGEC_CHECK(require(args, 5));
  const std::int64_t dtype = args.node.get_int("output_datatype", 1);
  if (dtype <= 0 || dtype >= dtype_count)
    return bad_input(fmt::format("output_datatype={} is not an element type", dtype));
  Shape out(2);
  const auto bins = known_ints(args, 0), length = known_ints(args, 1);
  if (bins && length && bins->size() == 1 && length->size() == 1) {
    if ((*bins)[0] < 1 || (*length)[0] < 1 || (*bins)[0] > longest || (*length)[0] > longest)
      return bad_input("sizes must be positive");
    out = {Dim::known((*length)[0] / 2 + 1), Dim::known((*bins)[0])};
  }
  return std::vector<Type>{Type::tensor(static_cast<DType>(dtype), std::move(out))};
}

Result<std::vector<RuntimeValue>> mel_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_mel));
  double given[5];
  for (std::size_t i = 0; i < 5; ++i) {
    if (args.inputs[i]->size() != 1) return bad_input("all operands must be single numbers");
    given[i] = to_doubles(*args.inputs[i])[0];
  }
  const Dims dims = *types[0].concrete();
  const std::int64_t rows = dims[0], bins = dims[1];
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = mel(given[3]), step = (mel(given[4]) - low) / static_cast<double>(bins + 2);
  std::vector<std::int64_t> at; // the spectrum's bin of each corner
  for (std::int64_t i = 0; i < bins + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (low + step * static_cast<double>(i)) / 2595) - 1),
                 bin = std::floor((given[1] + 1) * hertz / given[2]);
    if (!(bin >= 0) || !(bin < static_cast<double>(rows))) return bad_input("an edge lies beyond the spectrum");
    at.push_back(static_cast<std::int64_t>(bin));
  }
  std::vector<double> out(static_cast<std::size_t>(rows * bins));
  for (std::int64_t i = 0; i < bins; ++i) {
    const std::int64_t first = at[static_cast<std::size_t>(i)], centre = at[static_cast<std::size_t>(i) + 1],
                       last = at[static_cast<std::size_t>(i) + 2];
    const auto cell = [&](std::int64_t row) -> double & { return out[static_cast<std::size_t>(row * bins + i)]; };
    if (centre == first) cell(centre) = 1;
    for (std::int64_t j = first; centre != first && j <= centre; ++j)
      cell(j) = static_cast<double>(j - first) / static_cast<double>(centre - first);
    for (std::int64_t j = centre; last != centre && j < last; ++j)
      cell(j) = static_cast<double>(last - j) / static_cast<double>(last - centre);
  }
  return one(from_doubles(types[0].dtype, dims, out));
}

OpDef signal_op(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                decltype(OpDef::reference) reference) {
  return {.name = name, .since = since, .summary = summary, .infer = infer, .reference = reference};
}

const OpDef defs[] = {
    signal_op("DFT", 17, "discrete Fourier transform", infer_dft, dft_reference),
    signal_op("STFT", 17, "Fourier transforms of windows that slide over a signal", infer_stft, stft_reference),
    signal_op("MelWeightMatrix", 17, "triangular filters on the mel scale", infer_mel, mel_reference),
};

} // namespace

std::span<const OpDef> signal() { return defs; }

} // namespace edgec::ops
