#include "compress/moments.h"

#include <algorithm>

namespace edgec {
namespace {

void add_to(std::vector<double> &sum, const std::vector<double> &more) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

Matrix about(const Matrix &sums, double count, const std::vector<double> &left, const std::vector<double> &right) {
  Matrix result = sums;
  for (std::size_t i = 0; i < result.rows; ++i)
    for (std::size_t j = 0; j < result.columns; ++j) result(i, j) = sums(i, j) / count - left[i] * right[j];
  return result;
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

Covariance covariance(std::span<const Moments> folds, bool centred) {
  Moments all = folds.front();
  for (const Moments &fold : folds.subspan(1)) all.add(fold);
  const double count = std::max(1.0, all.count);
  Covariance result{count, all.x, all.y, {}, {}};
  for (double &mean : result.mean_x) mean = centred ? mean / count : 0;
  for (double &mean : result.mean_y) mean = centred ? mean / count : 0;
  result.h = about(all.yy, count, result.mean_y, result.mean_y);
  result.c = about(all.xy, count, result.mean_x, result.mean_y);
  if (all.count <= all.samples) {
    const double share = std::min(0.6, 0.8 * static_cast<double>(result.h.rows) / count);
    shrink(result.h, share);
    shrink(result.c, share);
  }
  return result;
}

} // namespace edgec
