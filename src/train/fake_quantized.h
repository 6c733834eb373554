// A network of codes as training sees it: floats that are rounded where the network has codes (Esser et al. 2020).
#pragma once

#include <vector>

#include "ir/opdef.h"
#include "train/trainer.h"

namespace edgec {

/// The same nodes on reals, with a FakeQuantize (ops/fake_quantize.cpp) wherever codes were: it answers as `codes`
/// does, up to the rounding of sums.
class FakeQuantized {
public:
  /// Error (unsupported): codes that are made or read by something else than QuantizeLinear, DequantizeLinear and
  /// integer operators.
  /// `keeps_zeros`: weights that are 0 stay so.
  static Result<FakeQuantized> of(const Graph &codes, const OpRegistry &ops, bool keeps_zeros);

  [[nodiscard]] const Graph &graph() const { return graph_; }
  Graph &graph() { return graph_; }
  /// Reals of weights and biases that are codes, and scales, those of activations too, that no integer kernel relies
  /// on.
  [[nodiscard]] const std::vector<Parameter> &parameters() const { return parameters_; }

  /// Writes codes and scales of graph()'s parameters, as they are now, into the network that it was made of.
  void write_back(Graph &codes) const;

private:
  friend class FakeQuantizer;
  /// A constant of codes: its id in the network of codes, and the reals' id in graph_.
  struct Stored {
    ValueId codes, reals, scale;
    std::int64_t low = 0, high = 0;
    int axis = -1;
    std::int64_t block = 0;
    bool rounded = true; ///< false: a bias
  };
  /// The scale of an activation: that of a QuantizeLinear and of what reads its codes.
  struct Border {
    NodeId quantize;
    std::int64_t low = 0, high = 0;
  };
  Graph graph_;
  std::vector<Parameter> parameters_;
  std::vector<Stored> stored_;
  std::vector<Border> borders_;
};

} // namespace edgec
