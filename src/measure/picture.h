// A network as a report draws it: nodes, what they read from whom, and the numbers that they compute with.
#pragma once

#include <string>
#include <vector>

#include "measure/report.h"

namespace edgec {

/// Of the graph itself; bodies of If, Loop and Scan count as one node with theirs. Nodes are in topological order.
std::vector<NodeFigures> picture_of(const Graph &graph, const GraphSizes &sizes);

/// Gives each layer the histogram of its weight's reals, as the graph stores it.
void add_weight_histograms(const Graph &graph, const OpRegistry &ops, std::vector<LayerFigures> &layers);

} // namespace edgec
