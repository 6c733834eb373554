// Regression on few points: a mean and how sure it is, anywhere (Rasmussen, Williams 2006, algorithm 2.1).
#pragma once

#include <vector>

namespace edgec {

/// Along each axis the distance of two points, 0 to 1.
using AxisDistances = std::vector<double>;

struct Predicted {
  double mean = 0, deviation = 0;
};

/// The covariance of two points is exp(-sum of weight * squared distance); the weights are those under which the values
/// are likeliest, found axis by axis.
class GaussianProcess {
public:
  /// `distances[i][j]` of two of the points, `values` what they gave.
  GaussianProcess(const std::vector<std::vector<AxisDistances>> &distances, const std::vector<double> &values);
  /// At a point so far from each of those that are known.
  [[nodiscard]] Predicted at(const std::vector<AxisDistances> &from_known) const;

private:
  std::vector<double> weights_, factor_, solved_; // factor_: Cholesky's, row by row; solved_: the covariance's inverse
                                                  // times the values
  double mean_ = 0, scale_ = 1;

  double fit(const std::vector<std::vector<AxisDistances>> &distances, const std::vector<double> &scaled);
};

} // namespace edgec
