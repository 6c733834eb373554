// Second moments of what a layer reads, in the original network (x) and in the compressed one so far (y).
#pragma once

#include "compress/matrix.h"

namespace edgec {

/// Sums over positions (patches of K numbers).
struct Moments {
  double count = 0;         ///< positions
  double samples = 0;       ///< samples that they come from
  std::vector<double> x, y; ///< [K]
  Matrix yy, xy;            ///< sum of y y^T and of x y^T, [K, K]

  explicit Moments(std::size_t columns = 0) : x(columns), y(columns), yy(columns, columns), xy(columns, columns) {}
  void add(const Moments &other);
};

/// The same about the means: the bias absorbs those.
struct Covariance {
  double count = 0;
  std::vector<double> mean_x, mean_y;
  Matrix h; ///< cov(y, y)
  Matrix c; ///< cov(x, y)

  /// H and C become those of the positions of both, each about its own means; the means stay.
  void add(const Covariance &other);
};

/// The covariance. Where each sample has one position only (behind global pooling) there are fewer
/// samples than H has dimensions: H and C are shrunk towards their diagonals, by t = min(.6, .8 K / n). Not `centred`
/// (a layer without a bias to absorb the means): the means count as 0.
Covariance covariance(Moments moments, bool centred = true);

/// Adds white noise of `share` times the mean power of a column to what is read: H and C get share * mean diagonal(H)
/// on their diagonals, so that every fit is drawn towards the original's weights by the same ridge. For samples that
/// are not those that the network will see.
void whiten(Covariance &covariance, double share);

} // namespace edgec
