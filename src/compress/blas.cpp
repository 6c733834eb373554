#include "compress/blas.h"

#include <algorithm>
#include <dlfcn.h>
#include <string_view>

extern "C" char *openblas_get_config();
extern "C" char *openblas_get_corename();
extern "C" int openblas_get_parallel();

namespace edgec {
namespace {

/// The build of tools/packaging/openblas is part of the program. It has locks without threads.
bool linked_in() {
  Dl_info here{}, there{};
  return ::dladdr(reinterpret_cast<const void *>(&running_blas), &here) != 0 &&
         ::dladdr(reinterpret_cast<const void *>(&openblas_get_config), &there) != 0 &&
         here.dli_fbase == there.dli_fbase;
}

} // namespace

Blas running_blas() {
  std::string_view config = openblas_get_config(); // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
  config.remove_prefix(std::min(config.size(), config.find(' ') + 1));
  return {.version = std::string(config.substr(0, config.find(' '))),
          .core = openblas_get_corename(),
          .locks = linked_in() || openblas_get_parallel() != 0};
}

} // namespace edgec
