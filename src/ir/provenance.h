// What a written file says of how it was made.
#pragma once

#include <cstdint>
#include <string>

#include "ir/graph.h"

namespace edgec {

/// Only what decides the bytes: no threads, paths, times or verbosity.
struct Provenance {
  std::string version; ///< of edgec
  std::string options; ///< those that affect the result, as a recipe or command line says them
  std::uint64_t seed = 0;
  std::string isa;     ///< instruction set that calibration ran on; empty: nothing was run
};

/// Puts provenance and the input's SHA-256 into the metadata (keys "edgec.version", "edgec.options", "edgec.seed",
/// "edgec.isa", "edgec.input_sha256"), in place of what an earlier run said; other entries stay as they are.
void add_provenance(Model &model, const Provenance &provenance);

} // namespace edgec
