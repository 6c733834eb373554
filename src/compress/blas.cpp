#include "compress/blas.h"

#include <algorithm>
#include <string_view>

extern "C" char *openblas_get_config();
extern "C" char *openblas_get_corename();
extern "C" int openblas_get_parallel();

namespace edgec {

Blas running_blas() {
  std::string_view config = openblas_get_config(); // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
  config.remove_prefix(std::min(config.size(), config.find(' ') + 1));
  return {.version = std::string(config.substr(0, config.find(' '))),
          .core = openblas_get_corename(),
          .threaded = openblas_get_parallel() != 0};
}

} // namespace edgec
