#include "schemes/int8/exact_inputs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "schemes/fitting/held_out.h"

namespace edgec {
namespace {

constexpr std::size_t most_samples = 64;
constexpr std::size_t levels = 256;
constexpr double tolerance = 1e-3; // of a step: floats carry the noise of the arithmetic that made them

/// Values that were found to be known last, to skip the search for most of them: one for each hash.
class Known {
public:
  /// False where another of its hash was asked for since, or none yet; and for 0.
  bool operator()(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    std::uint32_t &last = last_[bits * 0x9e3779b1U >> (32 - log2_size)];
    return std::exchange(last, bits) == bits && bits != 0;
  }

private:
  static constexpr int log2_size = 12;
  std::vector<std::uint32_t> last_ = std::vector<std::uint32_t>(std::size_t{1} << log2_size);
};

/// Adds what is new; false once there are more than `levels`.
bool collect(std::vector<float> &values, Known &known, const Tensor &tensor) {
  for (const float value : tensor.as<float>()) {
    if (known(value)) continue;
    const auto place = std::ranges::lower_bound(values, value);
    if (place != values.end() && *place == value) continue;
    if (values.size() == levels || !std::isfinite(value)) return false;
    values.insert(place, value);
  }
  return true;
}

/// The codes of ascending, different values.
std::optional<Quant> quant_of(const std::vector<float> &values) {
  if (values.size() < 2) return std::nullopt;
  double step = static_cast<double>(values[1]) - static_cast<double>(values[0]);
  for (std::size_t i = 2; i < values.size(); ++i)
    step = std::min(step, static_cast<double>(values[i]) - static_cast<double>(values[i - 1]));
  const double low = values.front(), high = values.back();
  const double intervals = std::nearbyint((high - low) / step);
  if (!(step > 0) || intervals >= static_cast<double>(levels)) return std::nullopt;
  step = (high - low) / intervals;
  for (const float value : values) {
    const double place = static_cast<double>(value) / step;
    if (std::abs(place - std::nearbyint(place)) > tolerance) return std::nullopt;
  }
  const double least = std::min(0.0, std::nearbyint(low / step)), most = std::max(0.0, std::nearbyint(high / step));
  const double most_intervals = static_cast<double>(levels - 1);
  if (most - least > most_intervals) return std::nullopt;
  // What no sample had may lie between the steps, or beyond them on both sides.
  const double parts = std::floor(most_intervals / (most - least)), spare = most_intervals - parts * (most - least);
  return Quant::per_tensor(static_cast<float>(step / parts),
                           static_cast<std::int32_t>(-least * parts + std::floor(spare / 2)));
}

} // namespace

Result<std::optional<Quant>> exact_quant(const Job &job, std::size_t input) {
  std::vector<float> values;
  Known known;
  for (const std::size_t number : some_of(job.samples, most_samples)) {
    EDGEC_ASSIGN(const Sample sample, job.calibration->load(number));
    if (input >= sample.size() || sample[input].dtype != DType::float32 || !collect(values, known, sample[input]))
      return std::optional<Quant>();
  }
  return quant_of(values);
}

} // namespace edgec
