// Groups of flags that commands share: a flag means the same in each of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/kernel.h"
#include "support/option.h"

namespace edgec {

/// How networks are run: --threads, --isa, --seed.
struct RunFlags {
  std::int64_t threads_given = 0; ///< 0: all processors
  std::string isa_name;           ///< empty: the best
  std::uint64_t seed = 0;

  void declare(Options &options);
  [[nodiscard]] int threads() const;
  /// Limits the process to the instruction set asked for. Error (unsupported): this processor lacks it.
  [[nodiscard]] Result<Isa> isa() const;
};

/// Where a result goes: --force; the path itself is an argument or -o.
struct OutputFlags {
  std::string path;
  bool force = false;

  void declare(Options &options, std::string help);
};

} // namespace edgec
