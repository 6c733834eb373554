// Where a network's answers are read.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace edgec {

/// What one output is judged by.
struct Answer {
  ValueId value;                    ///< what a final Softmax, ArgMax or TopK reads, else the output itself
  std::optional<std::int64_t> axis; ///< along which that operator compares scores; nothing: there is none
  bool shares = false;              ///< that operator is a Softmax: scores far below the largest are never chosen
  bool tokens = false;              ///< the network reads integers: scores may be one row a position
};

/// One for each output of the graph. A final operator is looked for through Reshape, Flatten, Squeeze, Identity, Cast,
/// QuantizeLinear and DequantizeLinear.
std::vector<Answer> find_answers(const Graph &graph);

/// Infinite or as good as that: how masks say "never". Squares of such numbers hide all others.
inline bool is_endless(double number) { return !(std::abs(number) < 1e30); }

/// The numbers that errors of an answer are told by: those that a mask made are 0, as no error of theirs is seen:
/// endless ones, and what a Softmax takes for 0 whatever the largest score loses.
std::vector<double> judged_numbers(const Answer &answer, const Dims &dims, std::vector<double> numbers);

/// The value of the first one; none: the graph has no outputs.
ValueId find_logits(const Graph &graph);

/// The axis along which the largest of a tensor's elements is an answer: that of the final operator; of rows of numbers
/// ([N,C], [N,C,1,1]) the one that has them; the last one of [N,T,V] if the network reads tokens. Nothing: these are
/// numbers, not scores of classes, or there are none.
std::optional<std::size_t> class_axis(const Answer &answer, const Dims &dims);

} // namespace edgec
