// The second moments of one weighted layer's inputs, from two walks: the original network and the one being compressed.
#pragma once

#include <vector>

#include "calibrate/walk.h"
#include "compress/moments.h"

namespace edgec {

/// A layer as the two walks see it: stops that its data comes from, types, and how it reads them.
struct LayerInputs {
  NodeId node;                  ///< in `now`; for error messages and the seed of positions
  ValueId original, now;        ///< stops of the walks
  Type original_type, now_type; ///< scales of codes
  const Node *op_node = nullptr;
  const OpDef *op = nullptr;
  Dims weight_dims;
};

/// Moments by group, then by fold (sample number modulo `folds`). Of each sample `positions` positions at most are
/// looked at, the same in both networks. Sums run in a fixed order whatever the number of threads.
/// Code::unsupported: the layer is not a convolution or product with a plain weight.
Result<std::vector<std::vector<Moments>>> layer_moments(const Walk &original, const Walk &now, const LayerInputs &layer,
                                                        std::size_t samples, std::size_t folds, std::size_t positions,
                                                        int threads);

} // namespace edgec
