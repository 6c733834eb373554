#include "diagnose/cause.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "compress/int8.h"

namespace edgec {
namespace {

constexpr double uneven = 3;           // times the noise that scales of their own would leave to channels
constexpr double outlying = 8;         // a channel beside the median one
constexpr double notable_share = 1e-3; // of values beyond the codes
constexpr double few_codes = 20;       // of all that there are
constexpr double parts_apart = 8;      // ranges of what a Concat joins
constexpr double coarse_scores = 0.1;  // a step before a Softmax: shares are off by as much of themselves
constexpr double float16_end = 65504, float16_start = 0x1p-14;

constexpr std::array definitions{
    CauseDef{CauseKind::depthwise_per_tensor, "depthwise weights per tensor",
             "one scale serves all channels of depthwise weights, and small channels become a few codes or none",
             "--int8"},
    CauseDef{CauseKind::weights_per_tensor, "weights per tensor",
             "one scale serves all output channels, and small ones become a few codes or none", "--int8"},
    CauseDef{CauseKind::outlier_channel, "outlier channel",
             "one channel sets the range of all, whose values become a few codes", "--int8 --equalize on"},
    CauseDef{CauseKind::saturation, "saturated range", "values beyond the range of the codes are cut off",
             "--int8 --range minmax"},
    CauseDef{CauseKind::zero_point, "zero point", "the zero point leaves no codes on one side of zero", "--int8"},
    CauseDef{CauseKind::dead, "dead values", "values that differ become one code", "--int8"},
    CauseDef{CauseKind::few_values, "too few distinct values", "the range of the codes is far wider than the values'",
             "--int8"},
    CauseDef{CauseKind::bias_overflow, "bias overflow",
             "the bias in steps of input scale times weight scale is beyond 32 bits", "--int8"},
    CauseDef{CauseKind::mixed_head, "mixed head",
             "values of different sizes (boxes and scores) are joined, and the larger ones set the scale of all",
             "--int8", true},
    CauseDef{CauseKind::softmax_input, "softmax input",
             "scores are rounded before a Softmax, which makes more of an error the wider their range is", "--int8",
             true},
    CauseDef{CauseKind::half_overflow, "float16 overflow", "values beyond 65504 become infinite", "--float16"},
    CauseDef{CauseKind::half_underflow, "float16 underflow", "values are too small for the digits of float16",
             "--float16"},
    CauseDef{CauseKind::coarse, "too few bits", "nothing is broken: so many bits hold no more",
             "--int8 --activation-bits 16"},
};

struct CodeRange {
  double low = 0, high = 0, step = 1; // reals
};

CodeRange range_of(const RoundedTensor &tensor, std::size_t channel = 0) {
  const IntegerRange codes = integer_range(tensor.dtype);
  const double step = static_cast<double>(tensor.quant.scales[channel]);
  const auto zero = static_cast<double>(tensor.quant.zero_points[channel]);
  return {step * (static_cast<double>(codes.low) - zero), step * (static_cast<double>(codes.high) - zero), step};
}

/// What lies beyond the codes: its share, below and above, and its noise beside that of rounding.
struct Outside {
  double below = 0, above = 0; // shares
  double cut = 0, rounding = 0, power = 0;
};

Outside outside(const LogHistogram &histogram, CodeRange range) {
  Outside found;
  const auto all = static_cast<double>(histogram.total());
  histogram.for_each([&](float low, float high, std::uint32_t count) {
    const double value = (static_cast<double>(low) + static_cast<double>(high)) / 2;
    const double share = static_cast<double>(count) / all;
    const double beyond = value < range.low - range.step / 2    ? range.low - value
                          : value > range.high + range.step / 2 ? value - range.high
                                                                : 0;
    found.power += share * value * value;
    found.cut += share * beyond * beyond;
    if (beyond == 0)
      found.rounding += share * std::min(range.step * range.step / 12, value * value);
    else
      (value < range.low ? found.below : found.above) += share;
  });
  return found;
}

double median(std::vector<double> values) {
  std::erase(values, 0.0);
  if (values.empty()) return 0;
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

double largest(const ValueStatistics &seen) {
  return std::max(std::abs(static_cast<double>(seen.minimum)), std::abs(static_cast<double>(seen.maximum)));
}

class ValueCause {
public:
  ValueCause(const RoundedTensor &tensor, const RangeStatistics &all, const ValueStatistics &seen)
      : tensor_(tensor), all_(all), seen_(seen) {}

  [[nodiscard]] Cause find() const {
    if (tensor_.is_half()) return half();
    const CodeRange range = range_of(tensor_);
    const double low = std::max<double>(seen_.minimum, tensor_.clamp ? tensor_.clamp->low : seen_.minimum);
    const double high = std::min<double>(seen_.maximum, tensor_.clamp ? tensor_.clamp->high : seen_.maximum);
    for (const auto &found :
         {beyond(range, low, high), narrow(range, low, high), joined(), scores(range), channel(range)})
      if (!found.text.empty()) return found;
    return {
        CauseKind::coarse, fmt::format("{} bits of {:.3g} .. {:.3g}", bits(tensor_.dtype), range.low, range.high), {}};
  }

private:
  const RoundedTensor &tensor_;
  const RangeStatistics &all_;
  const ValueStatistics &seen_;

  [[nodiscard]] Cause half() const {
    const double most = largest(seen_);
    if (tensor_.dtype == DType::float16 && (most > float16_end || seen_.infinite))
      return {CauseKind::half_overflow, fmt::format("its values reach {:.3g}", most), {}};
    if (tensor_.dtype == DType::float16 && most > 0 && most < float16_start)
      return {CauseKind::half_underflow, fmt::format("its values are {:.3g} at most", most), {}};
    return {CauseKind::coarse, fmt::format("{} of {:.3g} at most", name(tensor_.dtype), most), {}};
  }

  /// Cut off: on one side of zero altogether, or at an end.
  [[nodiscard]] Cause beyond(CodeRange range, double low, double high) const {
    if (!seen_.histogram) return {};
    CodeRange wide = range; // what the activation takes away is none of the codes' doing
    if (tensor_.clamp && tensor_.clamp->low >= range.low - range.step) wide.low = -INFINITY;
    if (tensor_.clamp && tensor_.clamp->high <= range.high + range.step) wide.high = INFINITY;
    const Outside found = outside(*seen_.histogram, wide);
    const double share = found.below + found.above;
    if (share < notable_share || found.cut < found.rounding) return {};
    const bool none_below = range.low > -range.step && low < -2 * range.step && !std::isinf(wide.low);
    const bool none_above = range.high < range.step && high > 2 * range.step && !std::isinf(wide.high);
    if (none_below || none_above)
      return {CauseKind::zero_point,
              fmt::format("zero point {} leaves {:.3g} .. {:.3g} of {:.3g} .. {:.3g}: {:.1f} % of the values become 0",
                          tensor_.quant.zero_point(), range.low, range.high, low, high, 100 * share),
              {}};
    return {CauseKind::saturation,
            fmt::format("its codes end at {:.3g} .. {:.3g}, its values at {:.3g} .. {:.3g}: {:.2g} % are cut off",
                        range.low, range.high, low, high, 100 * share),
            {}};
  }

  [[nodiscard]] Cause narrow(CodeRange range, double low, double high) const {
    const double used = (high - low) / range.step;
    if (high > low && used < 1)
      return {CauseKind::dead,
              fmt::format("its values {:.3g} .. {:.3g} lie within one step of {:.3g}", low, high, range.step),
              {}};
    if (high > low && used < few_codes)
      return {CauseKind::few_values,
              fmt::format("its values {:.3g} .. {:.3g} are {:.0f} codes of {:.3g} .. {:.3g}", low, high,
                          std::ceil(used), range.low, range.high),
              {}};
    return {};
  }

  [[nodiscard]] Cause joined() const {
    double least = INFINITY, most = 0;
    for (const ValueId part : tensor_.part_reals) {
      const auto found = all_.find(part);
      if (found == all_.end() || largest(found->second) == 0) continue;
      least = std::min(least, largest(found->second)), most = std::max(most, largest(found->second));
    }
    if (most < parts_apart * least) return {};
    return {CauseKind::mixed_head,
            fmt::format("it joins {} parts that reach {:.3g} to {:.3g}", tensor_.parts.size(), least, most),
            tensor_.parts};
  }

  [[nodiscard]] Cause scores(CodeRange range) const {
    if (!tensor_.softmax || range.step < coarse_scores) return {};
    return {CauseKind::softmax_input,
            fmt::format("a step of {:.2g} before the Softmax: shares are off by up to {:.0f} %", range.step,
                        100 * std::expm1(range.step / 2)),
            {tensor_.node}};
  }

  [[nodiscard]] Cause channel(CodeRange range) const {
    std::vector<double> peaks(seen_.channel_peak.begin(), seen_.channel_peak.end());
    if (peaks.size() < 3) return {};
    const auto top = std::ranges::max_element(peaks);
    const double usual = median(peaks);
    if (!(*top > outlying * usual) || usual == 0) return {};
    return {CauseKind::outlier_channel,
            fmt::format("channel {} reaches {:.3g}, the median one {:.3g}: {:.0f} codes", top - peaks.begin(), *top,
                        usual, std::ceil(usual / range.step)),
            {}};
  }
};

/// max |w| of each output channel.
std::vector<double> peaks_of(const Tensor &weight, int axis) {
  const auto values = to_floats(weight);
  const auto peaks = channel_maxima(values, ChannelSpan::of(weight.dims, axis));
  return {peaks.begin(), peaks.end()};
}

Cause half_constant(const RoundedTensor &tensor) {
  double most = 0;
  for (const double value : to_doubles(*tensor.original))
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  if (tensor.dtype == DType::float16 && most > float16_end)
    return {CauseKind::half_overflow, fmt::format("it holds {:.3g}", most), {}};
  if (tensor.dtype == DType::float16 && most > 0 && most < float16_start)
    return {CauseKind::half_underflow, fmt::format("it holds {:.3g} at most", most), {}};
  return {CauseKind::coarse, fmt::format("{}", name(tensor.dtype)), {}};
}

Cause bias_cause(const RoundedTensor &tensor) {
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  const auto values = to_doubles(*tensor.original);
  std::size_t beyond = 0;
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t k = tensor.quant.scales.size() == values.size() ? i : 0;
    const double code = std::abs(values[i] / static_cast<double>(tensor.quant.scales[k]));
    if (code > most) ++beyond, worst = std::max(worst, code);
  }
  if (beyond > 0)
    return {CauseKind::bias_overflow,
            fmt::format("{} of {} biases need codes to {:.2g}, beyond {:.2g}", beyond, values.size(), worst, most),
            {}};
  return {CauseKind::coarse, "a bias in 32 bits", {}};
}

/// Noise beside its power that one scale for all leaves to a channel, on average, in units of what a scale of its own
/// leaves; 0: there is nothing to compare.
double unevenness(const Tensor &weight, int axis, const std::vector<double> &peaks) {
  const auto values = to_floats(weight);
  const ChannelSpan span = ChannelSpan::of(weight.dims, axis);
  std::vector<double> power(peaks.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    power[i / static_cast<std::size_t>(span.inner) % peaks.size()] += static_cast<double>(values[i] * values[i]);
  const double top = *std::ranges::max_element(peaks);
  double together = 0, apart = 0;
  for (std::size_t c = 0; c < peaks.size(); ++c) {
    if (power[c] == 0) continue;
    const double own = peaks[c] * peaks[c] / power[c];
    together += std::min(top * top / power[c], 1e6 * own);
    apart += own;
  }
  return apart > 0 ? together / apart : 0;
}

Cause weight_cause(const RoundedTensor &tensor) {
  const Tensor &weight = *tensor.original;
  const auto axis = tensor.info ? tensor.info->channel_axis : 0;
  const bool has_channels = weight.rank() >= 2 && axis < weight.rank();
  const std::vector<double> peaks = has_channels ? peaks_of(weight, axis) : std::vector<double>{};
  const double usual = median(peaks), top = peaks.empty() ? 0 : *std::ranges::max_element(peaks);
  const bool one_scale = tensor.quant.is_per_tensor() && peaks.size() > 1;
  if (one_scale && usual > 0 && unevenness(weight, axis, peaks) > uneven) {
    const bool depthwise = tensor.info && tensor.info->groups > 1 && weight.dims[axis == 0 ? 1U : 0U] == 1;
    return {depthwise ? CauseKind::depthwise_per_tensor : CauseKind::weights_per_tensor,
            fmt::format("one scale for {} channels, whose largest weight is {:.1f} times that of the median one; its "
                        "noise is {:.0f} times "
                        "that of scales of their own",
                        peaks.size(), top / usual, unevenness(weight, axis, peaks)),
            {}};
  }
  const auto values = to_doubles(weight), rounded = to_doubles(tensor.rounded);
  std::size_t cut = 0;
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    most = std::max(most, std::abs(values[i]));
    cut += std::abs(values[i]) > 1.1 * std::abs(rounded[i]) && std::abs(values[i]) > top / 2 ? 1 : 0;
  }
  if (static_cast<double>(cut) > notable_share * static_cast<double>(values.size()))
    return {CauseKind::saturation, fmt::format("{} of {} weights are cut off", cut, values.size()), {}};
  const std::vector<double> left = has_channels ? peaks_of(tensor.rounded, axis) : std::vector<double>{};
  std::size_t dead = 0;
  for (std::size_t i = 0; i < left.size(); ++i) dead += left[i] == 0 && peaks[i] > 0 ? 1 : 0;
  if (dead > 0) return {CauseKind::dead, fmt::format("{} of {} channels have become 0", dead, left.size()), {}};
  const double step = static_cast<double>(*std::ranges::max_element(tensor.quant.scales));
  if (bits(tensor.dtype) == 8 && 2 * most < few_codes * step)
    return {CauseKind::few_values, fmt::format("its weights are {:.0f} codes", std::ceil(2 * most / step)), {}};
  return {CauseKind::coarse, fmt::format("weights of {} bits", bits(tensor.dtype)), {}};
}

} // namespace

const CauseDef &definition(CauseKind kind) { return *std::ranges::find(definitions, kind, &CauseDef::kind); }

Cause find_cause(const RoundedTensor &tensor, const RangeStatistics &seen) {
  if (tensor.is_constant() && !tensor.original) return {CauseKind::coarse, "not in the float network", {}};
  if (tensor.is_constant() && tensor.is_half()) return half_constant(tensor);
  if (tensor.role == RoundedTensor::Role::bias) return bias_cause(tensor);
  if (tensor.role == RoundedTensor::Role::weight) return weight_cause(tensor);
  const auto found = seen.find(tensor.reals);
  if (found == seen.end()) return {CauseKind::coarse, "its values were not seen", {}};
  return ValueCause(tensor, seen, found->second).find();
}

std::optional<double> expected_noise(const RoundedTensor &tensor, const RangeStatistics &seen) {
  const auto found = seen.find(tensor.reals);
  if (tensor.is_half() || found == seen.end() || !found->second.histogram) return std::nullopt;
  const Outside noise = outside(*found->second.histogram, range_of(tensor));
  return noise.power > 0 ? (noise.cut + noise.rounding) / noise.power : 0;
}

} // namespace edgec
