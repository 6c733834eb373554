// Graphs and models in ONNX's textual syntax (onnx docs/Syntax.md, onnx/defs/parser.h), for tests, diffs and people.
//
// What is said beyond that syntax:
//  - quantized types carry scale and zero point: `uint8[1,64]{0.0213,12}`, per channel `int8[8,3]{axis=0; 0.1,0; ...}`;
//  - a graph output that is a value of another name (an input, a constant, twice the same value): `float[4] y = x`;
//  - origins that are not just the node's name stand behind it: `[conv1 | conv1 | bn1] y = Conv(x, w)`;
//  - elements of 2- and 4-bit integers are written one by one; 8- and 16-bit floats by their bits, as ONNX does;
//  - names of domains, operators and attributes that are not identifiers are quoted; a type that is not known is `?`;
//  - lists of tensors, graphs and types; attributes of kinds the IR does not look into, as hexadecimal bytes.
// Not part of the syntax, and not printed: doc strings and metadata of graphs, nodes and values. Values without a name
// get one, and so do values whose name is taken.
#pragma once

#include <string>
#include <string_view>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec {

struct TextOptions {
  /// Tensors of more than 16 elements are printed as a hash: equal text means equal graphs, but does not parse.
  bool hash_tensors = false;
  /// Types of inner values that are not quantized are left out: what inference gives again.
  bool only_quantized_types = false;
};

std::string to_text(const Graph &graph, const TextOptions &options = {});
std::string to_text(const Model &model, const TextOptions &options = {});

/// Errors (Code::bad_input) begin with line and column. Sub-graphs and types nest at most 32 deep, and nothing is
/// allocated before the text that it stands for was read.
Result<Graph> parse_graph(std::string_view text);
Result<Model> parse_model(std::string_view text);
Result<Type> parse_type(std::string_view text);

/// A name as the syntax writes it: as it is where it is an identifier, else quoted.
std::string name_text(std::string_view name);
/// "..." with \" and \\ inside.
std::string quoted_text(std::string_view text);

} // namespace edgec
