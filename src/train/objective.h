// What training minimizes, as one graph: a network, a loss beside its teacher's answers, and the gradients.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// How far a student's answers s are from its teacher's t.
enum class Loss {
  squared_error, ///< mean((s - t)^2) / mean(t^2): the reciprocal of the SQNR
  divergence,    ///< KL(softmax(t / T), softmax(s / T)) T^2 (Hinton, Vinyals and Dean 2015), a mean over answers
  cosine,        ///< 1 - cos(s, t), a mean over rows
  projection     ///< s . t, with t of random signs: the mean square of its gradient is the diagonal of the answers'
                 ///< Gauss-Newton matrix (Hutchinson 1990)
};

/// T of the divergence, where nothing else is said.
inline constexpr double usual_temperature = 4;

/// The same nodes as the student's; parameters and the teacher's answers are graph inputs.
struct Objective {
  Graph graph;
  std::vector<ValueId> inputs, parameters, targets; ///< graph inputs, in this order; targets: answers, then features
  std::optional<ValueId> labels;                    ///< the last graph input: [rows, classes], shares of each class
  ValueId loss;
  std::vector<ValueId> gradients; ///< of the parameters, in their order
};

/// Where a network's answers are read: before a final Softmax. `outputs`: of these outputs alone; empty: of all.
std::vector<ValueId> answers_of(const Graph &graph, std::span<const std::size_t> outputs = {});

/// The graph with `batch` rows in every input whose first axis is open or 1, and all shapes inferred anew. Error
/// (unsupported): its shapes do not follow, or its outputs do not have as many rows.
Result<Graph> with_batch(const Graph &graph, const OpRegistry &ops, std::span<const Type> inputs, std::int64_t batch);

/// Classes that the first answer tells apart, where it has one row of them a sample. Error (unsupported): it has not.
Result<std::int64_t> classes_of(const Graph &graph);

/// `student`: all shapes known (with_batch()). `parameters`: float32 constants of it. `powers`: the mean square of each
/// of the teacher's answers (those of `outputs`), then of its features. `hard`: the share of the cross-entropy with the
/// right classes in the loss; the rest is `loss` and the mean over `features`, values of the student, of their squared
/// error; at 1 there are no targets. Error: as differentiate() and classes_of().
Result<Objective> make_objective(const Graph &student, const OpRegistry &ops, std::span<const ValueId> parameters,
                                 Loss loss, std::span<const double> powers, double hard = 0,
                                 std::span<const ValueId> features = {}, std::span<const std::size_t> outputs = {},
                                 double temperature = usual_temperature);

} // namespace edgec
