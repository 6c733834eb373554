// Where to look next for the rate at which a file has a wanted size.
#pragma once

#include <vector>

namespace edgec {

/// Sizes seen at some rates. Bytes fall about linearly with the logarithm of the rate, but may jump.
class RateBracket {
public:
  /// `limit`: bytes that must not be exceeded; `wanted`: a little less; `slope`: bytes that doubling the rate adds (<
  /// 0).
  RateBracket(double limit, double wanted, double slope) : limit_(limit), wanted_(wanted), slope_(slope) {}

  void add(double rate, double bytes);
  /// Whether files of at least `bytes` are no smaller than one already seen at a lower rate: there is nothing to gain.
  [[nodiscard]] bool rises(double rate, double bytes) const;
  /// At least one size is known.
  [[nodiscard]] double next() const;
  /// No other rate is worth a try: those around the limit are near to each other or sizes jump between them; or all
  /// sizes are below it and lower rates do not add a byte.
  [[nodiscard]] bool closed() const;
  /// As seen, between the two sizes nearest to the wanted one; else the one given.
  [[nodiscard]] double slope() const;

private:
  struct Point {
    double log_rate, bytes;
  };
  double limit_, wanted_, slope_;
  std::vector<Point> points_; // nearest to the wanted size first
  int within_ = 0;            // sizes seen since there was one on each side
  int flat_ = 0;              // sizes that had been seen before

  [[nodiscard]] const Point *nearest(bool above) const;
};

} // namespace edgec
