#include "compress/survivors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "support/parallel.h"

namespace edgec {
namespace {

constexpr std::array dampings{0.003, 0.01, 0.03, 0.1, 0.3};
constexpr double plain_damping = 0.03;
constexpr double mask_damping = 0.01;
/// Rows that decide on the damping.
constexpr std::size_t judging_rows = 16;
/// Multiplications that a loss curve may take.
constexpr double curve_work = 2e9;

/// A row of a layer, counted through its groups.
struct RowPlace {
  std::size_t group, row;
};

std::vector<RowPlace> all_rows(std::span<const FitGroup> groups) {
  std::vector<RowPlace> rows;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (std::size_t r = 0; r < groups[g].weights.rows; ++r) rows.push_back({g, r});
  return rows;
}

/// The columns of a row that stay, or those that go.
std::vector<std::size_t> columns_of(const Mask &mask, std::size_t row, std::size_t columns, bool kept) {
  std::vector<std::size_t> found;
  for (std::size_t j = 0; j < columns; ++j)
    if ((mask[row * columns + j] != 0) == kept) found.push_back(j);
  return found;
}

/// What fits to one covariance at one damping share. The fit of a row's survivors S is the least
/// w H w - 2 w (W C) + d |w - W|^2 with w = 0 elsewhere: solved in S, or as the step from the fit of all weights that
/// makes the others, P, zero (optimal brain surgeon), whichever is smaller.
class Fitter {
public:
  Fitter(const Matrix &weights, const Covariance &m, double damping, bool all)
      : weights_(weights), h_(m.h), wc_(product(weights, m.c)), ridge_(damping * mean_diagonal(m.h)) {
    if (!all) return;
    pull_ = wc_;
    const Matrix wh = product(weights, h_);
    for (std::size_t i = 0; i < pull_.data.size(); ++i) pull_.data[i] -= wh.data[i];
    inverse_ = inverse(h_, ridge_);
    whole_ = product(pull_, inverse_);
    for (std::size_t i = 0; i < whole_.data.size(); ++i) whole_.data[i] += weights.data[i];
  }

  [[nodiscard]] const Matrix &whole() const { return whole_; }

  /// The row's weights [K]; worth [K], where wanted, of those that stay: w^2 / [H_SS^-1]_jj.
  void fit(std::size_t row, const Mask &mask, std::span<double> fitted, std::span<double> worth = {}) const {
    const auto kept = columns_of(mask, row, weights_.columns, true),
               gone = columns_of(mask, row, weights_.columns, false);
    std::ranges::fill(fitted, 0.0);
    if (whole_.rows > 0 && gone.size() < kept.size())
      without(row, gone, kept, fitted, worth);
    else
      within(row, kept, fitted, worth);
  }

  /// E|w' y - w x|^2 of the row up to a constant.
  [[nodiscard]] double error(std::size_t row, std::span<const double> fitted) const {
    double sum = 0;
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      if (fitted[i] == 0) continue;
      double product = 0;
      for (std::size_t j = 0; j < fitted.size(); ++j) product += h_(i, j) * fitted[j];
      sum += fitted[i] * (product - 2 * wc_(row, i));
    }
    return sum;
  }

private:
  const Matrix &weights_, &h_;
  Matrix wc_, pull_, inverse_, whole_;
  double ridge_;

  void within(std::size_t row, std::span<const std::size_t> kept, std::span<double> fitted,
              std::span<double> worth) const {
    std::vector<double> right(weights_.columns);
    for (const std::size_t i : kept) right[i] = wc_(row, i) + ridge_ * weights_(row, i);
    take(solve_part(h_, ridge_, kept, right, !worth.empty()), kept, fitted, worth);
  }

  void without(std::size_t row, std::span<const std::size_t> gone, std::span<const std::size_t> kept,
               std::span<double> fitted, std::span<double> worth) const {
    take(remove_part(inverse_, gone, kept, whole_.row(row), !worth.empty()), kept, fitted, worth);
  }

  static void take(const PartSolution &solution, std::span<const std::size_t> kept, std::span<double> fitted,
                   std::span<double> worth) {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      fitted[kept[i]] = solution.x[i];
      if (!worth.empty()) worth[kept[i]] = solution.x[i] * solution.x[i] / solution.inverse_diagonal[i];
    }
  }
};

Result<double> best_damping(std::span<const FitGroup> groups, std::span<const Mask> kept, int threads) {
  std::vector<RowPlace> rows = all_rows(groups), some;
  const std::size_t count = std::min(rows.size(), judging_rows);
  for (std::size_t i = 0; i < count; ++i) some.push_back(rows[i * rows.size() / count]);
  using Errors = std::array<double, dampings.size()>;
  std::vector<Errors> errors(some.size());
  EDGEC_CHECK(parallel_for(some.size(), threads, [&](std::size_t i, int) -> Status {
    const auto [g, row] = some[i];
    const std::size_t columns = groups[g].weights.columns;
    Matrix weights(1, columns);
    std::ranges::copy(groups[g].weights.row(row), weights.data.begin());
    const auto from = kept[g].begin() + static_cast<std::ptrdiff_t>(row * columns);
    const Mask mask(from, from + static_cast<std::ptrdiff_t>(columns));
    std::vector<double> fitted(columns);
    errors[i] = {};
    for (const std::size_t fold : {0U, 1U}) {
      const Fitter judge(weights, groups[g].folds[1 - fold], 0, false);
      for (std::size_t d = 0; d < dampings.size(); ++d) {
        Fitter(weights, groups[g].folds[fold], dampings[d], false).fit(0, mask, fitted);
        errors[i][d] += judge.error(0, fitted);
      }
    }
    return {};
  }));
  Errors sum{};
  for (const Errors &each : errors)
    for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += each[d];
  return dampings[static_cast<std::size_t>(std::ranges::min_element(sum) - sum.begin())];
}

/// (w - fitted) H (w - fitted)^T of a row.
double loss_of(const FitGroup &group, std::size_t row, std::span<const double> fitted) {
  Matrix difference(1, group.weights.columns);
  for (std::size_t j = 0; j < fitted.size(); ++j) difference.data[j] = group.weights(row, j) - fitted[j];
  return inner_product(difference, product(difference, group.all.h));
}

/// Rows spread over the groups, as many as `work` multiplications of K^3 a row allow.
std::vector<FitGroup> some_of(std::span<const FitGroup> groups, double work) {
  const std::vector<RowPlace> rows = all_rows(groups);
  const auto k = static_cast<double>(std::max<std::size_t>(1, groups.front().weights.columns));
  const auto count = std::min(rows.size(), static_cast<std::size_t>(std::clamp(work / (k * k * k), 8.0, 64.0)));
  std::vector<FitGroup> some;
  for (std::size_t i = 0; i < count;) {
    const std::size_t g = rows[i * rows.size() / count].group;
    std::vector<double> taken;
    for (; i < count && rows[i * rows.size() / count].group == g; ++i)
      std::ranges::copy(groups[g].weights.row(rows[i * rows.size() / count].row), std::back_inserter(taken));
    FitGroup part{Matrix(taken.size() / groups[g].weights.columns, groups[g].weights.columns), groups[g].all, {}};
    part.weights.data = std::move(taken);
    some.push_back(std::move(part));
  }
  return some;
}

std::vector<Fitter> fitters(std::span<const FitGroup> groups, double damping) {
  std::vector<Fitter> all;
  for (const FitGroup &group : groups) all.emplace_back(group.weights, group.all, damping, true);
  return all;
}

/// Saliencies of the survivors after refitting them; what is gone is worth nothing. `loss`: of all rows together.
Result<std::vector<Matrix>> survivors_worth(std::span<const FitGroup> groups, std::span<const Fitter> fits,
                                            std::span<const Mask> kept, int threads, double *loss = nullptr) {
  std::vector<Matrix> worth;
  for (const FitGroup &group : groups) worth.emplace_back(group.weights.rows, group.weights.columns);
  const std::vector<RowPlace> rows = all_rows(groups);
  std::vector<double> losses(rows.size());
  EDGEC_CHECK(parallel_for(rows.size(), threads, [&](std::size_t i, int) -> Status {
    const auto [g, row] = rows[i];
    std::vector<double> fitted(worth[g].columns);
    fits[g].fit(row, kept[g], fitted, worth[g].row(row));
    if (loss != nullptr) losses[i] = loss_of(groups[g], row, fitted);
    return {};
  }));
  if (loss != nullptr) *loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  return worth;
}

void keep_n_of_m(const Matrix &worth, const Sparsity &sparsity, Mask &mask) {
  const std::size_t channels = worth.columns / sparsity.taps, m = static_cast<std::size_t>(sparsity.m);
  for (std::size_t row = 0; row < worth.rows; ++row)
    for (std::size_t tap = 0; tap < sparsity.taps; ++tap)
      for (std::size_t first = 0; first < channels; first += m) {
        std::vector<std::size_t> columns;
        for (std::size_t c = first; c < std::min(first + m, channels); ++c) columns.push_back(c * sparsity.taps + tap);
        std::ranges::stable_sort(columns, std::greater<>(), [&](std::size_t j) { return worth(row, j); });
        for (std::size_t i = static_cast<std::size_t>(sparsity.n); i < columns.size(); ++i)
          mask[row * worth.columns + columns[i]] = 0;
      }
}

} // namespace

std::vector<Mask> split_mask(const Mask &mask, std::size_t groups) {
  std::vector<Mask> parts;
  const auto size = static_cast<std::ptrdiff_t>(mask.size() / groups);
  for (auto from = mask.begin(); from != mask.end(); from += size) parts.emplace_back(from, from + size);
  return parts;
}

Matrix saliencies(const Matrix &weights, const Matrix &h, double damping) {
  const Matrix inverted = inverse(h, damping * mean_diagonal(h));
  Matrix worth(weights.rows, weights.columns);
  for (std::size_t i = 0; i < worth.rows; ++i)
    for (std::size_t j = 0; j < worth.columns; ++j) worth(i, j) = weights(i, j) * weights(i, j) / inverted(j, j);
  return worth;
}

std::vector<Mask> choose_masks(std::span<const Matrix> worth, const Sparsity &sparsity) {
  std::vector<Mask> masks;
  std::vector<std::pair<double, std::size_t>> all; // worth and place, through the groups
  for (const Matrix &each : worth) {
    for (const double value : each.data) all.emplace_back(value, all.size());
    masks.emplace_back(each.data.size(), char{1});
    if (sparsity.m > 0) keep_n_of_m(each, sparsity, masks.back());
  }
  if (sparsity.m > 0 || all.empty()) return masks;
  const auto gone =
      static_cast<std::size_t>(std::llround(std::clamp(sparsity.share, 0.0, 1.0) * static_cast<double>(all.size())));
  std::ranges::nth_element(all, all.begin() + static_cast<std::ptrdiff_t>(std::min(gone, all.size() - 1)));
  const std::size_t size = worth.front().data.size();
  for (std::size_t i = 0; i < gone; ++i) masks[all[i].second / size][all[i].second % size] = 0;
  return masks;
}

Result<std::vector<Mask>> second_order_masks(std::span<const FitGroup> groups, const Sparsity &sparsity, int steps,
                                             int threads) {
  std::vector<Mask> masks;
  for (const FitGroup &group : groups) masks.emplace_back(group.weights.data.size(), char{1});
  const std::vector<Fitter> fits = fitters(groups, mask_damping);
  EDGEC_ASSIGN(auto worth, survivors_worth(groups, fits, masks, threads));
  for (int step = 1; step <= steps; ++step) {
    Sparsity now = sparsity;
    now.share *= static_cast<double>(step) / steps;
    if (sparsity.m > 0) now.n = sparsity.m - (sparsity.m - sparsity.n) * step / steps;
    masks = choose_masks(worth, now);
    if (step == steps) break;
    EDGEC_ASSIGN(worth, survivors_worth(groups, fits, masks, threads));
  }
  return masks;
}

Result<std::vector<double>> loss_curve(std::span<const FitGroup> groups, std::span<const double> shares, int threads) {
  const std::vector<FitGroup> some = some_of(groups, curve_work);
  double rows = 0, all = 0;
  for (const FitGroup &group : some) rows += static_cast<double>(group.weights.rows);
  for (const FitGroup &group : groups) all += static_cast<double>(group.weights.rows);
  const std::vector<Fitter> fits = fitters(some, mask_damping);
  std::vector<Matrix> worth;
  for (const FitGroup &group : some) worth.push_back(saliencies(group.weights, group.all.h, mask_damping));
  std::vector<double> losses;
  for (const double share : shares) {
    double loss = 0;
    EDGEC_ASSIGN(worth, survivors_worth(some, fits, choose_masks(worth, {.share = share}), threads, &loss));
    losses.push_back(loss * all / rows);
  }
  return losses;
}

namespace {

/// What the next zero of a layer costs a weight, by the share of zeros: lines between the middles of the curve's steps,
/// made to rise.
struct Prices {
  std::vector<double> shares{0.0}, prices{0.0};
  double size = 0;

  Prices(const LossCurve &curve, std::span<const double> at) : size(static_cast<double>(curve.weights)) {
    double before = 0, loss = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      shares.push_back((before + at[i]) / 2);
      prices.push_back(std::max(prices.back(), (curve.losses[i] - loss) / ((at[i] - before) * std::max(size, 1.0))));
      before = at[i];
      loss = curve.losses[i];
    }
  }

  /// The share at which zeros cost so much.
  [[nodiscard]] double share_at(double price) const {
    const auto above = static_cast<std::size_t>(std::ranges::upper_bound(prices, price) - prices.begin());
    if (above == 0 || above == prices.size()) return above == 0 ? 0.0 : 1.0;
    const double part = (price - prices[above - 1]) / (prices[above] - prices[above - 1]);
    return shares[above - 1] + part * (shares[above] - shares[above - 1]);
  }
};

} // namespace

std::vector<double> share_out(std::span<const LossCurve> curves, std::span<const double> shares, double ratio) {
  std::vector<std::optional<Prices>> layers;
  double all = 0, low = -1, high = 0; // prices: nothing goes below 0
  for (const LossCurve &curve : curves) {
    layers.emplace_back();
    if (curve.losses.size() != shares.size()) continue; // a layer that cannot be fitted keeps its weights
    layers.back().emplace(curve, shares);
    all += layers.back()->size;
    high = std::max(high, layers.back()->prices.back());
  }
  const auto shares_at = [&](double price) {
    std::vector<double> found;
    for (std::size_t i = 0; i < layers.size(); ++i)
      found.push_back(layers[i] ? std::min(layers[i]->share_at(price), std::max(curves[i].most, ratio)) : 0.0);
    return found;
  };
  const auto zeros = [&](const std::vector<double> &found) {
    double sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i) sum += layers[i] ? found[i] * layers[i]->size : 0.0;
    return sum;
  };
  constexpr int halvings = 200;
  for (int i = 0; i < halvings && low < high; ++i) {
    const double price = (low + high) / 2;
    (zeros(shares_at(price)) < ratio * all ? low : high) = price;
  }
  // Layers may jump to all zeros at one price: between the two sides of it.
  std::vector<double> found = shares_at(low);
  const std::vector<double> more = shares_at(high);
  const double missing = ratio * all - zeros(found), jump = zeros(more) - zeros(found);
  for (std::size_t i = 0; i < found.size() && jump > 0; ++i)
    found[i] += std::clamp(missing / jump, 0.0, 1.0) * (more[i] - found[i]);
  return found;
}

Result<Refit> refit_survivors(std::span<const FitGroup> groups, std::span<const Mask> kept, int threads) {
  const bool folded = std::ranges::all_of(groups, [](const FitGroup &group) { return group.folds.size() >= 2; });
  Refit result{{}, plain_damping};
  if (folded) {
    EDGEC_ASSIGN(result.damping, best_damping(groups, kept, threads));
  }
  for (const FitGroup &group : groups) result.weights.emplace_back(group.weights.rows, group.weights.columns);
  const std::vector<Fitter> fits = fitters(groups, result.damping);
  const std::vector<RowPlace> rows = all_rows(groups);
  EDGEC_CHECK(parallel_for(rows.size(), threads, [&](std::size_t i, int) -> Status {
    const auto [g, row] = rows[i];
    fits[g].fit(row, kept[g], result.weights[g].row(row));
    return {};
  }));
  return result;
}

} // namespace edgec
