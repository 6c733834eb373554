#include "schemes/rate/fit_rate.h"

#include <algorithm>
#include <cmath>

#include "compress/rate_distortion.h"

namespace edgec {
namespace {

constexpr double refit_damping = 0.05; // of H's mean diagonal

/// Columns of a row that belong to one input channel.
std::size_t taps_of(const Dims &dims, const WeightInfo &info) {
  std::size_t taps = 1;
  for (std::size_t i = 2; i < dims.size() && info.channel_axis == 0; ++i) taps *= static_cast<std::size_t>(dims[i]);
  return std::max<std::size_t>(taps, 1);
}

/// Bits of mantissa with which floats leave as much error as the steps of the rate would; nothing where codes of 8
/// bits, with the steps that those need, are the better bargain: a bit is worth lambda of error, and codes leave c / 12
/// of that a weight, more in proportion to their squared steps. Floats are rounded to nearest, no error is carried on.
std::optional<int> float_mantissa(std::span<const RateGroup> groups, const RatedCodes &rated,
                                  const RateRounding &options) {
  constexpr double sign_and_exponent = 4;
  constexpr int most = 16;
  double power = 0; // that the spacing of floats without a mantissa has at the outputs
  std::size_t count = 0;
  for (const RateGroup &group : groups) {
    double own = 0;
    for (const double w : group.weights.data)
      if (w != 0) own += std::exp2(2.0 * std::ilogb(w));
    power += own * mean_diagonal(group.h);
    count += group.weights.data.size();
  }
  const double asked = options.step_constant * options.lambda * static_cast<double>(count);
  if (!(power > 0) || !(asked > 0)) return std::nullopt;
  const int kept = std::clamp(static_cast<int>(std::ceil(0.5 * std::log2(power / asked))), 1, most);
  const double more_bits = kept + sign_and_exponent - rated.bits / static_cast<double>(count);
  return options.step_constant / 12 * (rated.excess - 1) > more_bits ? std::optional(kept) : std::nullopt;
}

} // namespace

/// A float with `kept` bits of mantissa: the file codes those only.
float with_mantissa(double value, int kept) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(fraction, kept + 1)), exponent - kept - 1));
}

Result<RatedLayer> fit_rate(const Layer &layer, std::span<const FitGroup> groups, double rate,
                            const Sensitivities &sensitivities, std::vector<float> least_scales, int threads,
                            int levels) {
  std::vector<RateGroup> rate_groups;
  for (const FitGroup &group : groups)
    rate_groups.push_back({refit(group.weights, group.all, refit_damping), group.all.h});
  // A layer that does not move the logits is rounded as if it did a little: samples may be too few to see it.
  double least = 0;
  for (const auto &[node, sensitivity] : sensitivities)
    if (sensitivity > 0) least = least > 0 ? std::min(least, sensitivity) : sensitivity;
  const auto found = sensitivities.find(layer.node);
  const double sensitivity =
      found == sensitivities.end() || found->second <= 0 ? std::max(least, 1e-12) : found->second;
  const bool integer = !least_scales.empty();
  const RateRounding options{.lambda = rate / sensitivity,
                             .taps = taps_of(layer.dims, layer.weights),
                             .threads = threads,
                             .least_scales = std::move(least_scales),
                             .levels = levels};
  EDGEC_ASSIGN(RatedCodes rated, round_for_rate(rate_groups, options));
  Matrix reals(layer.original.rows, layer.original.columns);
  for (std::size_t i = 0; i < reals.data.size(); ++i)
    reals.data[i] = static_cast<double>(rated.scales[i / reals.columns]) * rated.codes[i];
  const auto kept = integer ? std::nullopt : float_mantissa(rate_groups, rated, options);
  if (kept) {
    const std::size_t size = layer.group_rows() * reals.columns;
    for (std::size_t i = 0; i < reals.data.size(); ++i)
      reals.data[i] = with_mantissa(rate_groups[i / size].weights.data[i % size], *kept);
    rated.bits = (*kept + 4.0) * static_cast<double>(reals.data.size());
  }
  double error = 0;
  const std::size_t group_size = layer.group_rows() * reals.columns;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Matrix difference = rate_groups[g].weights;
    for (std::size_t i = 0; i < difference.data.size(); ++i) difference.data[i] -= reals.data[g * group_size + i];
    error += inner_product(difference, product(difference, groups[g].all.h));
  }
  return RatedLayer{
      kept.has_value(), std::move(rated.codes), std::move(rated.scales), std::move(reals), rated.bits, error};
}

} // namespace edgec
