// How large a network is: parameters, bytes, zeros, distinct values, bits and multiply-accumulates.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// One constant, as stored.
struct TensorSizes {
  std::string name;
  Type type;
  std::uint64_t elements = 0, bytes = 0;
  std::uint64_t zeros = 0;    ///< elements that stand for the real 0 (a quantized one: the zero point)
  std::uint64_t distinct = 0; ///< different elements (a float NaN counts by its bits)
  int bits = 0;               ///< an element takes, as stored
  /// A weight: floating, quantized, or codes of at most 8 bits, and read as data by some node. Not shapes, axes and
  /// indices, nor what only sets how an operator computes: scales, zero points, a Resize's factors; nor single numbers
  /// (the bounds of a Clip, an epsilon), except as the weight or bias of a layer. Moving means and variances count.
  bool parameter = false;
};

/// One node that has parameters or multiply-accumulates.
struct LayerSizes {
  std::string label, op;
  std::optional<Dims> output;         ///< dims of its first output, symbols taken as 1
  std::optional<double> macs;         ///< nothing: not known
  std::vector<TensorSizes> constants; ///< those it reads, also from Constant nodes and from graphs around its own
  bool integer = false;               ///< computes on codes: reads quantized data and weights
  bool in_body = false;               ///< of an If, Loop or Scan
  std::optional<DType> data;          ///< of what a layer's weight is applied to; nothing: it is no such layer
};

/// Nodes by operator: "Conv", "domain:Op"; sub-graphs included.
std::map<std::string, std::size_t> count_operators(const Graph &graph);
std::size_t count_nodes(const Graph &graph);

struct GraphSizes {
  std::size_t nodes = 0;
  std::map<std::string, std::size_t> operators; ///< count_operators()
  std::vector<TensorSizes> constants;           ///< every constant once, sub-graphs' and Constant nodes' included
  std::vector<LayerSizes> layers;
  std::uint64_t parameters = 0, nonzero_parameters = 0;
  std::uint64_t parameter_bytes = 0; ///< uncompressed
  std::uint64_t constant_bytes = 0;  ///< of all constants
  double macs = 0;                   ///< of the nodes whose cost is known, for one run with symbolic dims taken as 1
  /// The dims that were taken as 1: symbols of the inputs; "?" stands for those without a name.
  std::vector<std::string> unit_dims;
  std::size_t macs_unknown = 0; ///< nodes whose operator states a cost that unknown shapes hide
};

/// In which types layers with weights compute: "int8 weights per channel, uint8 activations in 27 of 28 layers", the
/// most frequent first; empty where all is float.
std::string precision_text(const GraphSizes &sizes);

/// The graph's types must have been inferred. Weights of mapped files are read once, in pieces. Without
/// `count_distinct`, TensorSizes::distinct is 0: counting takes a copy of each tensor, sorted.
GraphSizes measure_sizes(const Graph &graph, const OpRegistry &ops, bool count_distinct = true);

/// The graph with each symbolic or unknown dimension of its inputs taken as 1 and types inferred again; as it is where
/// that does not fit.
Graph with_unit_dims(const Graph &graph, const OpRegistry &ops);

} // namespace edgec
