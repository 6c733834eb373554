// Which channels to cut: those that cost the network's answer least for the work that they save.
#pragma once

#include <string>
#include <vector>

#include "passes/channels.h"
#include "schemes/fitting/layerwise.h"

namespace edgec {

/// A layer whose inputs are summed over, and what is known of it: the readers of channels.
struct ChannelReader {
  const Layer *layer = nullptr;
  Covariance inputs;      ///< of the K columns of its weight
  double sensitivity = 0; ///< fitting/sensitivity.h
};

struct ChannelChoice {
  std::vector<std::size_t> sets; ///< of the map, in the order in which they were chosen
  double macs = 0, macs_left = 0;
  int multiple = 1; ///< of which layers keep as many channels, if not all
};

/// Chooses sets step by step, each time those with the least added error (a sum over their readers of sensitivity times
/// BlockRemoval::cost) per multiply-accumulate saved, until at most `macs_wanted` are left or nothing can be cut. A
/// step leaves a multiple of `multiple` channels of each layer; where so little cannot be reached in such steps, they
/// are halved. Of each axis at least one index stays, and a part of those that would stay were all axes cut alike.
/// `excluded`: nodes that shall keep their outputs.
ChannelChoice choose_channels(const Graph &graph, const OpRegistry &ops, const ChannelMap &map,
                              const std::vector<ChannelReader> &readers, double macs_wanted,
                              const std::vector<NodeId> &excluded, int multiple);

/// The columns of a reader's weight (K of them) that belong to index `index` of `axis_size` of the axis it sums over.
std::vector<std::size_t> columns_of(std::size_t columns, std::int64_t axis_size, std::int64_t index);

} // namespace edgec
