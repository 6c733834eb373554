// Cross-layer equalization: factors that move the size of a channel from one layer's rows, or the scale of a
// normalization, to the next layer's columns.
#pragma once

#include <vector>

#include "ir/clamp.h"
#include "schemes/fitting/weights.h"

namespace edgec {

/// A constant of one number for each channel: operand `index` of `node`.
struct ChannelVector {
  NodeId node;
  std::size_t index;
};

/// What only weighted layers read, directly or through operators that keep channels apart and commute with positive
/// factors: a weighted layer's output (behind Relu or Clip), or the last axis of a normalization or a product with a
/// constant, which products of matrices sum over.
struct EqualizedTensor {
  ValueId value; ///< behind the activation: whose channel peaks and powers are needed
  NodeId producer;
  std::optional<WeightInfo> producer_weights; ///< none: no layer
  std::vector<ChannelVector> vectors;         ///< multiplied as well: a bias, a normalization's scale
  bool last_axis = false;                     ///< channels are the last axis of the value, else the second
  std::optional<Clamp> clamp;
  std::vector<WeightTensor::Reader> readers;
  std::vector<double> factors; ///< per channel; empty: none are worth while
};

/// The tensors of `graph` that can be equalized.
std::vector<EqualizedTensor> find_equalizable(const Graph &graph, const Job &job);

/// Chooses each tensor's factors s_i = (R / a_i)^alpha w_i^beta (a_i: channel peak, R: the largest, w_i: norm of the
/// readers' weights) with the least predicted noise sum_i W_i^2 D^2 / (12 s_i^2) + D_w^2 s_i^2 E[x_i^2] / 12, D and D_w
/// the steps of the tensor and of the readers' rows. Through a Clip a channel may only grow up to its bound: saturation
/// at the tensor's top then is the clip. After Nagel et al. 2019, section 4.1; of normalizations as Xiao et al. 2023
/// (SmoothQuant), whose factors are those of alpha = beta = 1/2.
void choose_factors(const Graph &graph, std::vector<EqualizedTensor> &tensors, const RangeStatistics &statistics,
                    int weight_levels = 127);

/// Multiplies the producers' rows and vectors, divides the readers' columns. Weights become constants of their own.
void equalize(Graph &graph, const std::vector<EqualizedTensor> &tensors);

} // namespace edgec
