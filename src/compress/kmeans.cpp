#include "compress/kmeans.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace edgec {
namespace {

/// Ascending numbers and their running sums, so that a cluster, which is a run of them, has its mean at once.
struct Sorted {
  std::vector<float> numbers;
  std::vector<double> sums; // sums[i]: of the first i numbers

  explicit Sorted(std::span<const float> from) : numbers(from.begin(), from.end()), sums(from.size() + 1) {
    std::ranges::sort(numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) sums[i + 1] = sums[i] + static_cast<double>(numbers[i]);
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

std::vector<double> lloyd(const Sorted &sorted, std::size_t count) {
  const double low = sorted.numbers.front();
  const double high = sorted.numbers.back();
  std::vector<double> centres(count);
  for (std::size_t i = 0; i < count; ++i)
    centres[i] = low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1);
  const bool has_zero = std::ranges::binary_search(sorted.numbers, 0.0F);
  const auto zero = std::ranges::min_element(centres, {}, [](double centre) { return std::abs(centre); });
  if (has_zero) *zero = 0;
  constexpr int enough = 10000; // each step lowers the error, so that it ends; this only bounds the time
  std::vector<std::size_t> before;
  for (int step = 0; step < enough; ++step) {
    const std::vector<std::size_t> begin = runs(sorted, centres);
    if (begin == before) break;
    for (std::size_t i = 0; i < count; ++i) {
      const bool pinned = has_zero && zero - centres.begin() == static_cast<std::ptrdiff_t>(i);
      if (begin[i] == begin[i + 1] || pinned) continue; // an empty run's centre waits where it is
      centres[i] = (sorted.sums[begin[i + 1]] - sorted.sums[begin[i]]) / static_cast<double>(begin[i + 1] - begin[i]);
    }
    before = begin;
  }
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
    for (const double centre : lloyd(sorted, std::size_t{1} << bits)) book.values.push_back(static_cast<float>(centre));
    std::ranges::sort(book.values);
    const auto repeated = std::ranges::unique(book.values);
    book.values.erase(repeated.begin(), repeated.end());
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
