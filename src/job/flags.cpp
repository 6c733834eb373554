#include "job/flags.h"

#include <fmt/format.h>

#include "kernels/isa.h"
#include "support/parallel.h"

namespace edgec {

void RunFlags::declare(Options &options) {
  options.group("Running");
  options.add("--threads", "N", &threads_given, "threads (default all processors); results do not depend on it")
      .between(1, 4096);
  options.add("--isa", "NAME", &isa_name, "use no more than this instruction set (default the best)")
      .one_of({"scalar", "avx2", "avx512", "vnni", "amx"});
  options.add("--seed", "S", &seed, "of everything random");
}

int RunFlags::threads() const { return threads_given > 0 ? static_cast<int>(threads_given) : hardware_threads(); }

Result<Isa> RunFlags::isa() const {
  const Isa wanted = isa_name.empty() ? Isa::amx : parse_isa(isa_name).value_or(Isa::amx);
  const Isa limit = apply_isa_limit(wanted); // before detect_isa(): asking oneDNN for the best fixes it
  if (!isa_name.empty() && limit < wanted)
    return unsupported(fmt::format("--isa: this processor has no {}; its best is {}", isa_name, name(limit)));
  return limit;
}

void OutputFlags::declare(Options &options, std::string help) {
  options.group("Output");
  options.add("-o,--output", "OUT", &path, std::move(help)).is_common();
  options.flag("--force", &force, "replace an existing file").is_common();
}

} // namespace edgec
