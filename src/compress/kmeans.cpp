#include "compress/kmeans.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace edgec {
namespace {

/// Ascending numbers and their running sums, so that a cluster, which is a run of them, has its mean and error at once.
struct Sorted {
  std::vector<float> numbers;
  std::vector<double> sums, squares; // sums[i]: of the first i numbers

  explicit Sorted(std::span<const float> from)
      : numbers(from.begin(), from.end()), sums(from.size() + 1), squares(from.size() + 1) {
    std::ranges::sort(numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto number = static_cast<double>(numbers[i]);
      sums[i + 1] = sums[i] + number;
      squares[i + 1] = squares[i] + number * number;
    }
  }
  [[nodiscard]] double mean(std::size_t begin, std::size_t end) const {
    return (sums[end] - sums[begin]) / static_cast<double>(end - begin);
  }
  /// Sum of squared distances of the run to a centre.
  [[nodiscard]] double error(std::size_t begin, std::size_t end, double centre) const {
    const auto count = static_cast<double>(end - begin);
    return squares[end] - squares[begin] - 2 * centre * (sums[end] - sums[begin]) + count * centre * centre;
  }
};

/// Where each centre's run begins, and where the last one ends. A number in the middle of two centres goes to the
/// lower.
std::vector<std::size_t> runs(const Sorted &sorted, std::span<const double> centres) {
  std::vector<std::size_t> begin(centres.size() + 1, sorted.numbers.size());
  begin[0] = 0;
  for (std::size_t i = 1; i < centres.size(); ++i) {
    const double middle = (centres[i - 1] + centres[i]) / 2;
    const auto above =
        std::ranges::upper_bound(sorted.numbers, middle, {}, [](float x) { return static_cast<double>(x); });
    begin[i] = static_cast<std::size_t>(above - sorted.numbers.begin());
  }
  return begin;
}

std::vector<float> distinct(const Sorted &sorted, std::size_t limit) {
  std::vector<float> found;
  for (const float number : sorted.numbers) {
    if (!found.empty() && found.back() == number) continue; // -0 and 0 are one value
    if (found.size() == limit) return {};
    found.push_back(number + 0.0F);
  }
  return found;
}

/// Moves each centre to the mean of its run until the runs stay as they are. `zero`: a centre at zero does not move.
void settle(const Sorted &sorted, std::vector<double> &centres, bool zero) {
  constexpr int enough = 10000; // each step lowers the error, so that it ends; this only bounds the time
  std::vector<std::size_t> before;
  for (int step = 0; step < enough; ++step) {
    std::vector<std::size_t> begin = runs(sorted, centres);
    if (begin == before) return;
    for (std::size_t i = 0; i < centres.size(); ++i)
      if (begin[i] < begin[i + 1] && !(zero && centres[i] == 0)) centres[i] = sorted.mean(begin[i], begin[i + 1]);
    before = std::move(begin);
  }
}

/// Puts a centre that no number chose halfway between the centre of the run with the largest error and that run's
/// farthest number. False where every centre has numbers.
bool reseed(const Sorted &sorted, std::vector<double> &centres) {
  const std::vector<std::size_t> begin = runs(sorted, centres);
  std::size_t idle = centres.size(), worst = 0;
  double most = 0;
  for (std::size_t i = 0; i < centres.size(); ++i) {
    if (begin[i] == begin[i + 1]) idle = i;
    const double error = sorted.error(begin[i], begin[i + 1], centres[i]);
    if (error > most) most = error, worst = i;
  }
  if (idle == centres.size() || most == 0) return false;
  const double low = sorted.numbers[begin[worst]];
  const double high = sorted.numbers[begin[worst + 1] - 1];
  const double farthest = centres[worst] - low > high - centres[worst] ? low : high;
  centres[idle] = (centres[worst] + farthest) / 2;
  std::ranges::sort(centres);
  return true;
}

/// Where the centres start: from the smallest to the largest number, denser towards zero, as weights are. The exponent
/// gave the best outputs on five networks' calibration data among 1 (evenly) to 2.
std::vector<double> start(double low, double high, std::size_t count) {
  constexpr double exponent = 1.75;
  std::vector<double> centres(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double place = static_cast<double>(i) / static_cast<double>(count - 1);
    const double signed_place = 2 * place - 1;
    const double reach = std::pow(std::abs(signed_place), exponent);
    centres[i] = low >= 0 || high <= 0 ? low + (high - low) * place : signed_place < 0 ? low * reach : high * reach;
  }
  return centres;
}

std::vector<double> centres_of(const Sorted &sorted, std::size_t count) {
  std::vector<double> centres = start(sorted.numbers.front(), sorted.numbers.back(), count);
  const bool zero = std::ranges::binary_search(sorted.numbers, 0.0F);
  if (zero) *std::ranges::min_element(centres, {}, [](double centre) { return std::abs(centre); }) = 0;
  settle(sorted, centres, zero);
  for (std::size_t i = 0; i < count && reseed(sorted, centres); ++i) settle(sorted, centres, zero);
  return centres;
}

} // namespace

Codebook kmeans_codebook(std::span<const float> numbers, int bits) {
  assert(bits >= 1 && bits <= 8);
  assert(std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }));
  Codebook book;
  if (numbers.empty()) return book;
  const Sorted sorted(numbers);
  book.values = distinct(sorted, std::size_t{1} << bits);
  if (book.values.empty()) {
    for (const double centre : centres_of(sorted, std::size_t{1} << bits))
      book.values.push_back(static_cast<float>(centre));
    std::ranges::sort(book.values);
    book.values.erase(std::unique(book.values.begin(), book.values.end()), book.values.end());
  }
  book.codes.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto above = std::ranges::lower_bound(book.values, numbers[i]);
    auto code = static_cast<std::size_t>(above - book.values.begin());
    const auto distance = [&](std::size_t c) {
      return std::abs(static_cast<double>(book.values[c]) - static_cast<double>(numbers[i]));
    };
    if (code == book.values.size() || (code > 0 && distance(code - 1) <= distance(code))) --code;
    book.codes[i] = static_cast<std::uint8_t>(code);
    book.squared_error += distance(code) * distance(code);
  }
  return book;
}

} // namespace edgec
