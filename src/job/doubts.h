// Signs that what goes into a network is not what it was made for: said as warnings, since a wrong preprocessing makes
// every figure wrong without any error.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "job/dataset.h"
#include "measure/fidelity.h"

namespace edgec {

/// Elements of the logits of one sample; 0: they depend on it.
std::size_t class_count(const Graph &graph);

/// Labels that are not classes of the network are an error (bad_input) that names the first; names whose number is not
/// that of its classes are a warning.
Status check_labels(const Labels &labels, std::size_t classes);

/// A sentence where a float network is right no more often than by guessing, and the samples are enough to say so.
std::optional<std::string> chance_warning(const Accuracy &accuracy, std::size_t classes);

/// A sentence where the first BatchNormalization is given values unlike those of training. Runs a few samples up to
/// there.
std::optional<std::string> input_warning(const Dataset &data, const Graph &graph);

} // namespace edgec
