// Options of sharing weights by codebooks.
#pragma once

#include <cstdint>
#include <string>

namespace edgec {

struct ShareOptions {
  int bits = 0;                    ///< 2 .. 8; 0: off
  std::string codebook = "tensor"; ///< one for each; network: one for all tensors, each with a scale

  [[nodiscard]] bool one_for_all() const { return codebook == "network"; }
};

} // namespace edgec
