// Loops over several arrays at once whose neighbours lie different distances apart: broadcasting, slicing, transposing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace edgec {

/// Rows of elements of N arrays over a common iteration space, as long as the arrays allow: axes that lie in all of
/// them as one are joined.
template <std::size_t N>
class Rows {
public:
  using Steps = std::array<std::int64_t, N>;

  /// `strides[k][i]`: elements between neighbours of array k along axis i, 0 where it is broadcast.
  Rows(std::span<const std::int64_t> sizes, const std::array<std::vector<std::int64_t>, N> &strides) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == 1) continue;
      Axis axis{sizes[i], {}};
      for (std::size_t k = 0; k < N; ++k) axis.steps[k] = strides[k][i];
      if (!axes_.empty() && joins(axes_.back(), axis)) {
        axis.size *= axes_.back().size;
        axes_.back() = axis;
      } else {
        axes_.push_back(axis);
      }
    }
    if (axes_.empty()) axes_.push_back({1, {}});
    inner_ = axes_.back();
    axes_.pop_back();
    for (const Axis &axis : axes_) count_ *= axis.size;
  }

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t size() const { return inner_.size; }   ///< elements of a row
  [[nodiscard]] const Steps &steps() const { return inner_.steps; } ///< between neighbours in a row

  /// run(offsets, first, last) covers elements first .. last - 1 of every row, on at most `threads` threads: whole rows
  /// where there are several, parts of the only one.
  template <class F>
  void each(int threads, std::int64_t grain, const F &run) const {
    const std::int64_t total = count_ * inner_.size;
    threads = static_cast<int>(std::clamp<std::int64_t>(total / grain, 1, std::max(threads, 1)));
    if (count_ == 1) {
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
      for (int t = 0; t < threads; ++t) run(Steps{}, inner_.size * t / threads, inner_.size * (t + 1) / threads);
      return;
    }
    std::vector<Position> starts; // made here: an allocation that fails inside could not be caught outside
    for (int t = 0; t < threads; ++t) starts.emplace_back(axes_, count_ * t / threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int t = 0; t < threads; ++t) {
      Position position = std::move(starts[static_cast<std::size_t>(t)]);
      for (std::int64_t row = count_ * t / threads; row < count_ * (t + 1) / threads; ++row, position.next())
        run(position.offsets, std::int64_t{0}, inner_.size);
    }
  }

private:
  struct Axis {
    std::int64_t size;
    Steps steps;
  };
  /// Where a row begins in each array.
  struct Position {
    const std::vector<Axis> &axes;
    std::vector<std::int64_t> at;
    Steps offsets{};

    Position(const std::vector<Axis> &all, std::int64_t row) : axes(all), at(all.size()) {
      for (std::size_t i = axes.size(); i-- > 0;) {
        at[i] = row % axes[i].size;
        row /= axes[i].size;
        for (std::size_t k = 0; k < N; ++k) offsets[k] += at[i] * axes[i].steps[k];
      }
    }
    void next() {
      for (std::size_t i = axes.size(); i-- > 0;) {
        for (std::size_t k = 0; k < N; ++k) offsets[k] += axes[i].steps[k];
        if (++at[i] < axes[i].size) return;
        for (std::size_t k = 0; k < N; ++k) offsets[k] -= axes[i].steps[k] * axes[i].size;
        at[i] = 0;
      }
    }
  };
  std::vector<Axis> axes_; // outermost first, without the inner one
  Axis inner_{};
  std::int64_t count_ = 1;

  static bool joins(const Axis &outer, const Axis &inner) {
    for (std::size_t k = 0; k < N; ++k)
      if (outer.steps[k] != inner.steps[k] * inner.size) return false;
    return true;
  }
};

} // namespace edgec
