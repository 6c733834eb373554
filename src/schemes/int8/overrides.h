// Numbers that a user chooses for nodes by name: `--precision NAME=TYPE`, `--keep-float NAME`.
#pragma once

#include "schemes/int8/options.h"
#include "schemes/job.h"
#include "schemes/precision.h"

namespace edgec {

/// Whether each rule is NAME=TYPE with a type that there is, and an expression. Error (usage): what is wrong.
Status check_overrides(const Int8Options &options);

/// Whether a rule asks for numbers that ONNX has since then only.
bool needs_opset_21(const Int8Options &options);

/// Puts the rules into `spec`, in order, so that a later one wins. NAME is "first" or "last" (of the layers with
/// weights), an operator type, or a regular expression that fits a whole name of nodes or of the graph's inputs.
/// "float": nodes compute on floats, inputs stay float; "int8", "int16": their outputs, or the inputs, have so many
/// bits; "int4": their weights. Error (usage): a rule that names nothing.
Status apply_overrides(const Graph &graph, const Job &job, NetworkSpec &spec);

} // namespace edgec
