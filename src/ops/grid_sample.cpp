// GridSample: X [batch, channels, ...spatial] read at positions of a grid [batch, ...out, axes]; AffineGrid: the
// positions of a grid that an affine map moves (Jaderberg et al. 2015).
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0), &grid = *args.input(1);
  if (!in.shape || !grid.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  const std::size_t rank = in.shape->size();
  if (rank < 3 || grid.shape->size() != rank)
    return bad_input(fmt::format("an operand of rank {} and a grid of rank {}", rank, grid.shape->size()));
  const Dim &axes = grid.shape->back();
  if (axes.is_known() && axes.size != static_cast<std::int64_t>(rank) - 2)
    return bad_input(fmt::format("positions of {} numbers for {} axes", axes.size, rank - 2));
  Shape out{(*in.shape)[0], (*in.shape)[1]};
  out.insert(out.end(), grid.shape->begin() + 1, grid.shape->end() - 1);
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

enum class Padding { zeros, border, reflection };

struct Settings {
  Padding padding = Padding::zeros;
  std::string mode;
  bool align_corners = false;
};

Result<Settings> settings(const Node &node) {
  Settings found;
  found.align_corners = node.get_int("align_corners", 0) != 0;
  found.mode = node.get_string("mode", "linear");
  if (found.mode == "bilinear") found.mode = "linear";
  if (found.mode == "bicubic") found.mode = "cubic";
  if (found.mode != "linear" && found.mode != "cubic" && found.mode != "nearest")
    return bad_input(fmt::format("mode \"{}\"", found.mode));
  const std::string padding = node.get_string("padding_mode", "zeros");
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    return bad_input(fmt::format("padding_mode \"{}\"", padding));
  found.padding = padding == "border"       ? Padding::border
                  : padding == "reflection" ? Padding::reflection
                                            : Padding::zeros;
  return found;
}

/// Folds x back between low and high.
double reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  double distance = std::fmod(std::abs(x - low), 2 * range);
  if (distance > range) distance = 2 * range - distance;
  return low + distance;
}

/// Along one axis: which elements count how much; an index of -1 stands for 0.
struct Tap {
  std::int64_t index;
  double weight;
};

std::int64_t padded(double at, std::int64_t size, const Settings &settings) {
  const double low = settings.align_corners ? 0 : -0.5,
               high = settings.align_corners ? static_cast<double>(size - 1) : static_cast<double>(size) - 0.5;
  if (settings.padding == Padding::reflection)
    at = reflect(at, low, high);
  else if (settings.padding == Padding::zeros && (at < 0 || at > static_cast<double>(size - 1)))
    return -1;
  return std::clamp(static_cast<std::int64_t>(std::nearbyint(at)), std::int64_t{0}, size - 1);
}

double cubic(double x) { // Keys 1981 with a = -0.75
  constexpr double a = -0.75;
  x = std::abs(x);
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// The taps for a position in -1 .. 1 (NaN and what is far outside count as beyond the edge).
void taps(double position, std::int64_t size, const Settings &settings, std::vector<Tap> &found) {
  found.clear();
  const auto length = static_cast<double>(size);
  double x = settings.align_corners ? (position + 1) / 2 * (length - 1) : ((position + 1) * length - 1) / 2;
  if (!(std::abs(x) < 0x1p40)) x = -0x1p40;
  // Positions are folded back before interpolating, except for cubic, whose neighbours are.
  if (settings.mode != "cubic" && settings.padding == Padding::border) x = std::clamp(x, 0.0, length - 1);
  if (settings.mode != "cubic" && settings.padding == Padding::reflection)
    x = std::clamp(reflect(x, settings.align_corners ? 0 : -0.5, settings.align_corners ? length - 1 : length - 0.5),
                   0.0, length - 1);
  if (settings.mode == "nearest") {
    found.push_back({padded(std::nearbyint(x), size, settings), 1});
    return;
  }
  const double first = std::floor(x), fraction = x - first;
  if (settings.mode == "linear") {
    found.push_back({padded(first, size, settings), 1 - fraction});
    found.push_back({padded(first + 1, size, settings), fraction});
    return;
  }
  for (int k = -1; k <= 2; ++k) found.push_back({padded(first + k, size, settings), cubic(fraction - k)});
}

/// The weighted sum over all combinations of taps, axis by axis.
double sample(const double *x, const std::vector<std::vector<Tap>> &taps, const std::vector<std::int64_t> &steps,
              std::size_t axis) {
  if (axis == taps.size()) return *x;
  double sum = 0;
  for (const Tap &tap : taps[axis])
    if (tap.index >= 0 && tap.weight != 0)
      sum += tap.weight * sample(x + tap.index * steps[axis], taps, steps, axis + 1);
  return sum;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  EDGEC_ASSIGN(const Settings chosen, settings(args.node));
  const Tensor &in = *args.inputs[0], &grid = *args.inputs[1];
  if (grid.dims[0] != in.dims[0])
    return bad_input(fmt::format("a batch of {} and one of {}", in.dims[0], grid.dims[0]));
  const Dims dims = *types[0].concrete(), spatial(in.dims.begin() + 2, in.dims.end());
  if (std::ranges::find(spatial, 0) != spatial.end()) return bad_input("nothing to read from");
  const auto x = to_doubles(in), at = to_doubles(grid);
  const auto steps = strides(spatial);
  const std::size_t axes = spatial.size();
  const std::int64_t area = product(in.dims, 2, in.dims.size()), positions = product(dims, 2, dims.size());
  std::vector<double> out(static_cast<std::size_t>(*element_count(dims)));
  std::vector<std::vector<Tap>> found(axes);
  for (std::int64_t n = 0; n < dims[0]; ++n)
    for (std::int64_t p = 0; p < positions; ++p) {
      const double *position =
          at.data() + static_cast<std::size_t>(n * positions + p) * axes; // the last axis comes first
      for (std::size_t k = 0; k < axes; ++k) taps(position[axes - 1 - k], spatial[k], chosen, found[k]);
      for (std::int64_t c = 0; c < dims[1]; ++c)
        out[static_cast<std::size_t>((n * dims[1] + c) * positions + p)] =
            sample(x.data() + (n * dims[1] + c) * area, found, steps, 0);
    }
  return one(from_doubles(types[0].dtype, dims, out));
}

// ---- AffineGrid: theta [batch, axes, axes + 1] and the size [batch, channels, ...spatial] to [batch, ...spatial,
// axes]

Result<std::vector<Type>> infer_affine(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &theta = *args.input(0);
  const auto size = known_ints(args, 1);
  if (!size) return std::vector<Type>{Type::tensor(theta.dtype)};
  if (size->size() != 4 && size->size() != 5)
    return bad_input(fmt::format("a size of {} numbers, expected 4 or 5", size->size()));
  if (std::ranges::any_of(*size, [](std::int64_t n) { return n < 0; })) return bad_input("a negative size");
  const auto axes = static_cast<std::int64_t>(size->size()) - 2;
  if (const auto dims = theta.concrete(); dims && *dims != Dims{(*size)[0], axes, axes + 1})
    return bad_input(fmt::format("theta {} for {} axes and a batch of {}", to_string(theta), axes, (*size)[0]));
  Shape out{Dim::known((*size)[0])};
  for (std::size_t i = 2; i < size->size(); ++i) out.push_back(Dim::known((*size)[i]));
  out.push_back(Dim::known(axes));
  return std::vector<Type>{Type::tensor(theta.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> affine_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_affine));
  const Dims dims = *types[0].concrete();
  const bool corners = args.node.get_int("align_corners", 0) != 0;
  const auto theta = to_doubles(*args.inputs[0]);
  const std::size_t axes = dims.size() - 2;
  const std::int64_t positions = product(dims, 1, dims.size() - 1);
  const auto steps = strides(Dims(dims.begin() + 1, dims.end() - 1));
  std::vector<double> out, at(axes + 1, 1);
  for (std::int64_t n = 0; n < dims[0]; ++n)
    for (std::int64_t p = 0; p < positions; ++p) {
      for (std::size_t k = 0; k < axes; ++k) { // the last axis comes first
        const auto size = static_cast<double>(dims[k + 1]), index = static_cast<double>(p / steps[k] % dims[k + 1]);
        at[axes - 1 - k] = corners ? (size == 1 ? -1 : 2 * index / (size - 1) - 1) : (2 * index + 1) / size - 1;
      }
      for (std::size_t row = 0; row < axes; ++row) {
        double sum = 0;
        for (std::size_t k = 0; k <= axes; ++k)
          sum += theta[(static_cast<std::size_t>(n) * axes + row) * (axes + 1) + k] * at[k];
        out.push_back(sum);
      }
    }
  return one(from_doubles(types[0].dtype, dims, out));
}

const OpDef defs[] = {{.name = "AffineGrid",
                       .since = 20,
                       .summary = "positions of a grid moved by an affine map",
                       .infer = infer_affine,
                       .reference = affine_reference},
                      {.name = "GridSample",
                       .since = 16,
                       .summary = "interpolated at the positions of a grid",
                       .infer = infer,
                       .reference = reference}};

} // namespace

std::span<const OpDef> grid_sample() { return defs; }

} // namespace edgec::ops
