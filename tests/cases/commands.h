// What a text case can ask for.
#pragma once

#include "tests/cases/case_file.h"

namespace edgec::cases {

/// Runs a case's command on its graph. Commands:
///   passes NAME ... [--types] [--fold-growth BYTES]   the pass manager with these passes; notes, then the graph
///   infer                                             the graph with all types
/// `--types` prints all types, else only quantized ones.
Outcome run_command(const Case &one);

/// Runs the graphs above and below `---- expect` on the same seeded inputs with the reference kernels. Outputs must
/// agree to 1e-5 of their largest magnitude. Gives the complaint, or nothing; `ran` says whether they could be run.
std::string compare_runs(const Case &one, const Outcome &outcome, bool &ran);

} // namespace edgec::cases
