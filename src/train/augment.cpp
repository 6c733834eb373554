#include "train/augment.h"

#include <algorithm>
#include <array>

namespace edgec {
namespace {

bool is_picture(const Dims &dims) { return dims.size() == 4 && dims[1] == 3 && dims[2] >= 16 && dims[3] >= 16; }

Tensor flipped(const Tensor &x) {
  std::vector<float> y(x.as<float>().begin(), x.as<float>().end());
  const auto width = x.dims[3];
  for (auto row = y.begin(); row != y.end(); row += width) std::reverse(row, row + width);
  return Tensor::of(x.dims, std::move(y));
}

/// Element i along an axis is what was `by` before it.
Tensor shifted(const Tensor &x, std::size_t axis, std::int64_t by) {
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < x.dims.size(); ++i) inner *= x.dims[i];
  const std::int64_t size = x.dims[axis], outer = x.size() / (size * inner);
  const auto from = x.as<float>();
  std::vector<float> y(from.size());
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t source = std::clamp<std::int64_t>(i - by, 0, size - 1);
      std::copy_n(from.begin() + (o * size + source) * inner, inner, y.begin() + (o * size + i) * inner);
    }
  return Tensor::of(x.dims, std::move(y));
}

std::int64_t within(Random &random, std::int64_t most) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * most + 1))) - most;
}

Tensor moved(Tensor x, Random &random) {
  if (is_picture(x.dims)) {
    for (const std::size_t axis : {2U, 3U})
      if (const std::int64_t by = within(random, x.dims[axis] / 8); by != 0) x = shifted(x, axis, by);
    return x;
  }
  constexpr std::int64_t most = 3, least_size = 16;
  std::size_t longest = 0;
  for (std::size_t axis = 1; axis < x.dims.size(); ++axis)
    if (longest == 0 || x.dims[axis] > x.dims[longest]) longest = axis;
  if (x.dims.size() < 3 || x.dims[longest] < least_size) return x;
  const std::int64_t by = within(random, most);
  return by == 0 ? x : shifted(x, longest, by);
}

Tensor mixed(const Tensor &a, const Tensor &b, float share) {
  const auto x = a.as<float>(), y = b.as<float>();
  std::vector<float> z(x.size());
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = share * x[i] + (1 - share) * y[i];
  return Tensor::of(a.dims, std::move(z));
}

Sample varied(Sample sample, const Augmentation &how, Random &random) {
  const bool flips = how.flips && random.below(2) == 1;
  for (Tensor &x : sample) {
    if (x.dtype != DType::float32 || x.size() == 0) continue;
    if (flips && is_picture(x.dims)) x = flipped(x);
    if (how.shifts) x = moved(std::move(x), random);
  }
  return sample;
}

bool can_mix(const Sample &a, const Sample &b) {
  return std::ranges::equal(a, b, [](const Tensor &x, const Tensor &y) {
    return x.dtype == DType::float32 && y.dtype == DType::float32 && x.dims == y.dims;
  });
}

} // namespace

Sample augmented(const Sample &sample, const Sample &other, const Augmentation &how, Random &random) {
  Sample found = varied(sample, how, random);
  if (!how.mixup || random.below(2) == 0 || !can_mix(sample, other)) return found;
  const Sample second = varied(other, how, random);
  const auto share = static_cast<float>(random.uniform());
  for (std::size_t i = 0; i < found.size(); ++i) found[i] = mixed(found[i], second[i], share);
  return found;
}

} // namespace edgec
