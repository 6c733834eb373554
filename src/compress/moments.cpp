#include "compress/moments.h"

#include <algorithm>
#include <utility>

namespace edgec {
namespace {

void add_to(std::vector<double> &sum, const std::vector<double> &more) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

/// Means of products about the means, in the memory of the sums.
Matrix about(Matrix sums, double count, const std::vector<double> &left, const std::vector<double> &right) {
  for (std::size_t i = 0; i < sums.rows; ++i)
    for (std::size_t j = 0; j < sums.columns; ++j) sums(i, j) = sums(i, j) / count - left[i] * right[j];
  return sums;
}

/// Products are summed in float32 before the means are taken off: what is left of inputs that hardly vary is rounding.
/// As if noise of that power were on both networks' inputs: it keeps H positive, and a fit where the weights were.
void add_rounding_noise(Covariance &found, const std::vector<double> &powers) {
  constexpr double relative = 1e-6;
  for (std::size_t i = 0; i < found.h.rows; ++i) {
    found.h(i, i) += relative * powers[i];
    found.c(i, i) += relative * powers[i];
  }
}

void shrink(Matrix &m, double share) {
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < m.columns; ++j)
      if (i != j) m(i, j) *= 1 - share;
}

} // namespace

void Moments::add(const Moments &other) {
  count += other.count;
  samples += other.samples;
  add_to(x, other.x);
  add_to(y, other.y);
  add_to(yy.data, other.yy.data);
  add_to(xy.data, other.xy.data);
}

void Covariance::add(const Covariance &other) {
  const double share = other.count / (count + other.count);
  const auto mix = [share](Matrix &m, const Matrix &more) {
    for (std::size_t i = 0; i < m.data.size(); ++i) m.data[i] += share * (more.data[i] - m.data[i]);
  };
  mix(h, other.h);
  mix(c, other.c);
  count += other.count;
}

Covariance covariance(Moments all, bool centred) {
  const double count = std::max(1.0, all.count);
  Covariance result{count, std::move(all.x), std::move(all.y), {}, {}};
  for (double &mean : result.mean_x) mean = centred ? mean / count : 0;
  for (double &mean : result.mean_y) mean = centred ? mean / count : 0;
  std::vector<double> powers;
  for (std::size_t i = 0; i < all.yy.rows; ++i) powers.push_back(all.yy(i, i) / count);
  result.h = about(std::move(all.yy), count, result.mean_y, result.mean_y);
  result.c = about(std::move(all.xy), count, result.mean_x, result.mean_y);
  add_rounding_noise(result, powers);
  if (all.count <= all.samples) {
    const double share = std::min(0.6, 0.8 * static_cast<double>(result.h.rows) / count);
    shrink(result.h, share);
    shrink(result.c, share);
  }
  return result;
}

void whiten(Covariance &covariance, double share) {
  const double ridge = share * mean_diagonal(covariance.h);
  for (std::size_t i = 0; i < covariance.h.rows; ++i) covariance.h(i, i) += ridge, covariance.c(i, i) += ridge;
}

} // namespace edgec
