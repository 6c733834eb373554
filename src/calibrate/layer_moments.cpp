#include "calibrate/layer_moments.h"

#include <algorithm>
#include <utility>

#include "calibrate/patches.h"
#include "compress/gram.h"
#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

constexpr std::size_t rows_at_once = 2048; // of patches, summed in float32 before they are added in double
constexpr std::size_t samples_at_once = 64;
constexpr std::size_t panel = 64; // rows of a product that one thread computes at once

/// Adds rows, as long as the sums are, of numbers that do not depend on each other.
EDGEC_VECTOR_CLONES void add_rows(std::span<const float> values, std::span<double> sums) {
  const std::size_t width = sums.size(), rows = width == 0 ? 0 : values.size() / width;
  double *__restrict into = sums.data();
  const float *from = values.data();
  for (std::size_t row = 0; row < rows; ++row, from += width)
    for (std::size_t j = 0; j < width; ++j) into[j] += static_cast<double>(from[j]);
}

class Gatherer {
public:
  Gatherer(const Walk &original, const Walk &now, const LayerInputs &layer, std::size_t positions, int threads)
      : original_(original), now_(now), layer_(layer), positions_(positions), threads_(threads) {}

  Result<std::vector<std::vector<Moments>>> run(std::size_t samples, std::size_t folds) {
    EDGEC_ASSIGN(shape_, layer_.op->as_conv(*layer_.op_node, now_.dims(layer_.now, 0), layer_.weight_dims));
    columns_ = static_cast<std::size_t>(shape_.group_in() * shape_.taps());
    width_ = columns_ * static_cast<std::size_t>(shape_.groups);
    const auto groups = static_cast<std::size_t>(shape_.groups);
    std::vector<std::vector<Moments>> moments(groups);
    for (auto &group : moments) // each made where it stays: they may be large
      for (group.reserve(folds); group.size() < folds;) group.emplace_back(columns_);
    const std::size_t per_sample = std::min(positions_, static_cast<std::size_t>(shape_.batch * shape_.out_area()));
    const std::size_t step =
        std::clamp<std::size_t>(rows_at_once / std::max<std::size_t>(per_sample, 1), 1, samples_at_once);
    for (std::size_t fold = 0; fold < folds; ++fold)
      for (std::size_t start = fold; start < samples; start += step * folds) {
        std::vector<std::size_t> chunk;
        for (std::size_t i = start; i < samples && chunk.size() < step; i += folds) chunk.push_back(i);
        EDGEC_CHECK(load(chunk));
        EDGEC_CHECK(add(moments, fold, chunk.size()));
      }
    for (auto &group : moments)
      for (Moments &m : group) mirror(m.yy);
    return moments;
  }

private:
  const Walk &original_, &now_;
  const LayerInputs &layer_;
  std::size_t positions_;
  int threads_;
  ConvShape shape_;
  std::size_t columns_ = 0, width_ = 0;
  std::vector<float> x_, y_; // [rows, width]

  /// A sample's part of the rows.
  struct Slice {
    std::vector<std::int64_t> positions;
    ConvShape shape;
    std::size_t first_row = 0;
  };

  Status load(const std::vector<std::size_t> &chunk) {
    std::vector<Slice> slices(chunk.size());
    std::size_t rows = 0;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      Slice &slice = slices[i];
      EDGEC_ASSIGN(slice.shape,
                   layer_.op->as_conv(*layer_.op_node, now_.dims(layer_.now, chunk[i]), layer_.weight_dims));
      slice.positions = draw_positions(slice.shape, positions_, (chunk[i] << 20) + layer_.node.index);
      slice.first_row = std::exchange(rows, rows + slice.positions.size());
    }
    x_.resize(rows * width_);
    y_.resize(rows * width_);
    return parallel_for(chunk.size(), threads_, [&](std::size_t i, int) -> Status {
      const Slice &slice = slices[i];
      const auto fill = [&](const Walk &walk, ValueId stop, const Type &type, std::vector<float> &all) -> Status {
        EDGEC_ASSIGN(const Tensor data, walk.value(stop, chunk[i]));
        const auto part = std::span(all).subspan(slice.first_row * width_, slice.positions.size() * width_);
        fill_patches(slice.shape, slice.positions, data, type, walk.layout(stop), part);
        return {};
      };
      EDGEC_CHECK(fill(now_, layer_.now, layer_.now_type, y_));
      return fill(original_, layer_.original, layer_.original_type, x_);
    });
  }

  /// Rows [first, last) of one group's sum of y y^T, from the diagonal on.
  void add_yy(Moments &m, std::size_t offset, std::size_t rows, std::size_t first, std::size_t last) const {
    const std::size_t rest = columns_ - first;
    std::vector<float> sums((last - first) * rest);
    gram(rows, &y_[offset + first], last - first, width_, &y_[offset + first], rest, width_, sums.data());
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t j = first; j < columns_; ++j)
        m.yy(i, j) += static_cast<double>(sums[(i - first) * rest + j - first]);
  }

  /// The same rows of the sum of x y^T.
  void add_xy(Moments &m, std::size_t offset, std::size_t rows, std::size_t first, std::size_t last) const {
    std::vector<float> sums((last - first) * columns_);
    gram(rows, &x_[offset + first], last - first, width_, &y_[offset], columns_, width_, sums.data());
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t j = 0; j < columns_; ++j) m.xy(i, j) += static_cast<double>(sums[(i - first) * columns_ + j]);
  }

  /// Sums of the columns of all groups, which lie side by side.
  void add_sums(std::vector<std::vector<Moments>> &moments, std::size_t fold, const std::vector<float> &values,
                std::vector<double> Moments::*sums) const {
    std::vector<double> all;
    for (const auto &group : moments) all.insert(all.end(), (group[fold].*sums).begin(), (group[fold].*sums).end());
    add_rows(values, all);
    for (std::size_t g = 0; g < moments.size(); ++g)
      std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(g * columns_), columns_, (moments[g][fold].*sums).begin());
  }

  Status add(std::vector<std::vector<Moments>> &moments, std::size_t fold, std::size_t samples) {
    const std::size_t rows = width_ == 0 ? 0 : y_.size() / width_;
    const std::size_t panels = (columns_ + panel - 1) / panel;
    for (auto &group : moments) {
      group[fold].count += static_cast<double>(rows);
      group[fold].samples += static_cast<double>(samples);
    }
    const std::size_t products = moments.size() * panels * 2;
    return parallel_for(products + 2, threads_, [&](std::size_t task, int) -> Status {
      if (task == products) add_sums(moments, fold, x_, &Moments::x);
      if (task > products) add_sums(moments, fold, y_, &Moments::y);
      if (task >= products) return {};
      const std::size_t group = task / 2 / panels, first = task / 2 % panels * panel,
                        last = std::min(first + panel, columns_);
      if (task % 2 == 0)
        add_xy(moments[group][fold], group * columns_, rows, first, last);
      else
        add_yy(moments[group][fold], group * columns_, rows, first, last);
      return {};
    });
  }

  static void mirror(Matrix &m) {
    for (std::size_t i = 0; i < m.rows; ++i)
      for (std::size_t j = 0; j < i; ++j) m(i, j) = m(j, i);
  }
};

} // namespace

Result<std::vector<std::vector<Moments>>> layer_moments(const Walk &original, const Walk &now, const LayerInputs &layer,
                                                        std::size_t samples, std::size_t folds, std::size_t positions,
                                                        int threads) {
  if (layer.op == nullptr || layer.op->as_conv == nullptr) return unsupported("it is not a convolution or product");
  return Gatherer(original, now, layer, positions, threads).run(samples, folds);
}

} // namespace edgec
