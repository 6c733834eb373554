// The linear algebra library that runs.
#pragma once

#include <string>

namespace edgec {

struct Blas {
  std::string version; ///< "0.3.21"
  std::string core;    ///< whose kernels were chosen: "Haswell"
  bool locks = true;   ///< as calls from several threads need; its serial build has none
};

Blas running_blas();

} // namespace edgec
