// Layers compressed one after another, each on what the compressed layers before it give, towards what the original
// network computes there: the frame in which rounding, pruning, sharing and rate-distortion choices run.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "compress/refit.h"
#include "ir/clamp.h"
#include "schemes/fitting/weights.h"

namespace edgec {

/// A weighted layer, in the graph under compression and in the original.
struct Layer {
  NodeId node;
  WeightInfo weights;
  ValueId weight;             ///< the constant that it read before schemes; several layers may
  ValueId original_data;      ///< what it reads in the original
  ValueId output;             ///< what it gives in the graph: its output, or that of an activation behind it
  ValueId target;             ///< the same in the original: whose channel means it should keep
  std::optional<Clamp> clamp; ///< of an activation between the sums and `output`
  Dims dims;                  ///< of the weight
  Matrix original;            ///< the original's weights, a row [K] per output channel, group after group
  std::vector<double> bias;   ///< real, of the graph under compression; empty: the operator has none

  [[nodiscard]] std::size_t groups() const { return static_cast<std::size_t>(weights.groups); }
  [[nodiscard]] std::size_t group_rows() const { return original.rows / groups(); }
};

/// The weight as rows of output channels; nothing where its layout has none (grouped ConvTranspose, stacks of
/// matrices).
std::optional<Matrix> weight_rows(const Tensor &weight, const WeightInfo &info);
/// Rows of output channels in the weight's own layout.
template <class T>
std::vector<T> as_stored(std::vector<T> rows, const Dims &dims, const WeightInfo &info) {
  if (info.channel_axis == 0) return rows;
  const auto k = static_cast<std::size_t>(dims[0]), n = static_cast<std::size_t>(dims[1]);
  std::vector<T> turned(rows.size());
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < k; ++j) turned[j * n + i] = rows[i * k + j];
  return turned;
}

struct LayerSteps {
  /// Puts weights fitted to the groups' moments into the graph and returns the reals that they stand for, a row per
  /// output channel. Not called for layers whose moments cannot be had. May free what it needs no more of the groups
  /// but FitGroup::all.
  std::function<Result<Matrix>(Layer &, std::span<FitGroup> groups)> fit;
  /// Gives a layer the weights that `first`, which read the same constant, was fitted; false: it cannot have them.
  /// Absent: each layer is fitted by itself.
  std::function<bool(Layer &, const Layer &first)> follow;
  /// Puts layer.bias into the graph.
  std::function<void(Layer &)> store_bias;
  std::size_t positions = 128; ///< per sample that the moments look at
  std::size_t folds = 2;       ///< that FitGroup keeps apart; 1: none
  std::function<void(std::size_t done, std::size_t all)> progress;
};

/// Tells the job's progress of so many things done; empty where nobody wants to know. The job must outlive it.
std::function<void(std::size_t done, std::size_t all)> layer_progress(const Job &job, std::string_view what);

/// Runs `steps` over the layers in topological order on job.samples. A weight that several layers read is fitted once,
/// by the first of them, to what all of them read (the later ones in the original: `follow`). After each fit the bias
/// takes up the shift of the means, then it is set so that the channel means behind the activation are those of the
/// original (`means`, by Layer::target). One Newton step is target minus mean over the share of values that the clamp
/// leaves free (Nagel et al. 2019, section 4.2, but matched after the activation).
Status compress_layers(Graph &graph, const Graph &original, std::span<Layer *const> layers,
                       const RangeStatistics &means, const Job &job, const LayerSteps &steps);

} // namespace edgec
