// Inputs of a network that become constants: --fix-input.
#pragma once

#include <span>
#include <string>

#include "ir/graph.h"

namespace edgec {

/// Makes a constant of each graph input that a text NAME=VALUE names: VALUE is one element for all, or all of them in
/// row-major order, separated by commas; it fits the input's type and shape. One open dim follows from the number of
/// elements. `skip_absent`: names of no input are left. Types are to be inferred again. Errors (usage): no such input
/// (and near names), one named twice, what is not an element of the type, another number of elements than the shape
/// has.
Status fix_inputs(Graph &graph, std::span<const std::string> texts, bool skip_absent);

} // namespace edgec
