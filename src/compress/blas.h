// The linear algebra library that runs.
#pragma once

#include <string>

namespace edgec {

struct Blas {
  std::string version;  ///< "0.3.21"
  std::string core;     ///< whose kernels were chosen: "Haswell"
  bool threaded = true; ///< its build with locks, which calls from several threads need
};

Blas running_blas();

} // namespace edgec
