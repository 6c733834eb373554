#include "calibrate/layer_moments.h"

#include <algorithm>

#include "calibrate/patches.h"
#include "support/parallel.h"

namespace edgec {
namespace {

constexpr std::size_t rows_at_once = 2048; // of patches, summed in float32 before they are added in double
constexpr std::size_t panel = 64;          // columns of a product that one thread computes

class Gatherer {
public:
  Gatherer(const Walk &original, const Walk &now, const LayerInputs &layer, std::size_t positions, int threads)
      : original_(original), now_(now), layer_(layer), positions_(positions), threads_(threads) {}

  Result<std::vector<std::vector<Moments>>> run(std::size_t samples, std::size_t folds) {
    EDGEC_ASSIGN(const Tensor first, now_.value(layer_.now, 0));
    EDGEC_ASSIGN(shape_, layer_.op->as_conv(*layer_.op_node, first.dims, layer_.weight_dims));
    columns_ = static_cast<std::size_t>(shape_.group_in() * shape_.taps());
    width_ = columns_ * static_cast<std::size_t>(shape_.groups);
    const auto groups = static_cast<std::size_t>(shape_.groups);
    std::vector<std::vector<Moments>> moments(groups, std::vector<Moments>(folds, Moments(columns_)));
    const std::size_t per_sample = std::min(positions_, static_cast<std::size_t>(shape_.batch * shape_.out_area()));
    const std::size_t step = std::max<std::size_t>(1, rows_at_once / std::max<std::size_t>(per_sample, 1));
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
  std::vector<std::vector<float>> x_parts_, y_parts_;
  std::vector<float> x_, y_; // [rows, width]

  Status load(const std::vector<std::size_t> &chunk) {
    x_parts_.assign(chunk.size(), {});
    y_parts_.assign(chunk.size(), {});
    EDGEC_CHECK(parallel_for(chunk.size(), threads_, [&](std::size_t i, int) -> Status {
      EDGEC_ASSIGN(const Tensor now, now_.value(layer_.now, chunk[i]));
      EDGEC_ASSIGN(const Tensor before, original_.value(layer_.original, chunk[i]));
      EDGEC_ASSIGN(const ConvShape shape, layer_.op->as_conv(*layer_.op_node, now.dims, layer_.weight_dims));
      const auto positions = draw_positions(shape, positions_, (chunk[i] << 20) + layer_.node.index);
      append_patches(shape, positions, now, layer_.now_type, now_.layout(layer_.now), y_parts_[i]);
      append_patches(shape, positions, before, layer_.original_type, original_.layout(layer_.original), x_parts_[i]);
      return {};
    }));
    x_.clear();
    y_.clear();
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      x_.insert(x_.end(), x_parts_[i].begin(), x_parts_[i].end());
      y_.insert(y_.end(), y_parts_[i].begin(), y_parts_[i].end());
    }
    return {};
  }

  /// One panel of one group's products: its rows [first, last) of yy (from the diagonal on) and of xy.
  void add_panel(Moments &m, std::size_t offset, std::size_t rows, std::size_t first, std::size_t last) const {
    std::vector<float> sums((last - first) * columns_);
    const std::size_t rest = columns_ - first;
    gram(rows, &y_[offset + first], last - first, width_, &y_[offset + first], rest, width_, sums.data());
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t j = first; j < columns_; ++j) m.yy(i, j) += static_cast<double>(sums[(i - first) * rest + j - first]);
    gram(rows, &x_[offset + first], last - first, width_, &y_[offset], columns_, width_, sums.data());
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t j = 0; j < columns_; ++j) m.xy(i, j) += static_cast<double>(sums[(i - first) * columns_ + j]);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t j = first; j < last; ++j) {
        m.x[j] += static_cast<double>(x_[row * width_ + offset + j]);
        m.y[j] += static_cast<double>(y_[row * width_ + offset + j]);
      }
  }

  Status add(std::vector<std::vector<Moments>> &moments, std::size_t fold, std::size_t samples) {
    const std::size_t rows = width_ == 0 ? 0 : y_.size() / width_;
    const std::size_t panels = (columns_ + panel - 1) / panel;
    for (auto &group : moments) {
      group[fold].count += static_cast<double>(rows);
      group[fold].samples += static_cast<double>(samples);
    }
    return parallel_for(moments.size() * panels, threads_, [&](std::size_t task, int) -> Status {
      const std::size_t group = task / panels, first = task % panels * panel;
      add_panel(moments[group][fold], group * columns_, rows, first, std::min(first + panel, columns_));
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
  if (layer.op == nullptr || layer.op->as_conv == nullptr) return unsupported("it is no convolution or product");
  return Gatherer(original, now, layer, positions, threads).run(samples, folds);
}

} // namespace edgec
