// What this process may use of the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace edgec {

/// Limits that a container or a batch system sets; nothing: there is none.
struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> processors; ///< of time: 1.5
};

/// The tightest of the process's group and those above it, or those of the tree's root. `root` is where the trees of
/// version 2 or 1 are mounted, `membership` the file that names the groups of a process.
CgroupLimits cgroup_limits(const std::string &root = "/sys/fs/cgroup",
                           const std::string &membership = "/proc/self/cgroup");

struct Machine {
  std::string processor; ///< its name; empty: not known
  int threads = 1;       ///< that this process may run at once
  std::uint64_t memory_bytes = 0, free_memory_bytes = 0;
  CgroupLimits limits;
  std::string temporary; ///< the folder of temporary files
  bool temporary_writable = false;
  std::uint64_t temporary_free_bytes = 0;
};

Machine this_machine();

} // namespace edgec
