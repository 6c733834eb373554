// Intermediate values of a student that are to become like those of its teacher (Romero et al. 2015).
#pragma once

#include <string>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// A value of the student and one of its teacher.
struct FeaturePair {
  ValueId student, teacher;
  bool asked = false; ///< by name: that they differ in shape is an error, else they are left out
};

/// Where blocks of layers end: values through which everything that follows sees the inputs. Of several with no layer
/// with weights between them the last; not the answers.
std::vector<ValueId> block_ends(const Graph &graph, const OpRegistry &ops);

/// The student's block ends whose name is a float value of the teacher, too.
std::vector<FeaturePair> features_of_one_name(const Graph &student, const Graph &teacher, const OpRegistry &ops);

/// `text`: pairs of names, the student's first: `a=b,c=d`. Error (usage): no pair, a name that is no value of its
/// network, or not one of floats that are computed.
Result<std::vector<FeaturePair>> named_features(std::string_view text, const Graph &student, const Graph &teacher);

} // namespace edgec
