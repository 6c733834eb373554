// Energy that the processor says it has used: RAPL, by the kernel's powercap files. Read, never guessed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/result.h"

namespace edgec {

/// Counts joules of all packages, and of memory where it is counted apart. The files' counters wrap around: to be read
/// more often than that takes, which is many minutes.
class EnergyMeter {
public:
  /// The zones below a folder like /sys/class/powercap. Errors (unsupported) say what is missing and the line that
  /// cures it: no such folder, no zone, no right to read.
  static Result<EnergyMeter> open(const std::filesystem::path &root);
  /// The folder of this system; EDGEC_POWERCAP in the environment names another.
  static std::filesystem::path system_root();

  /// Joules since open(). Error (resource): a counter can no longer be read.
  Result<double> joules();
  /// "package-0, dram".
  [[nodiscard]] std::string zones() const;

private:
  struct Zone {
    std::filesystem::path file;
    std::string name;
    std::uint64_t range = 0; ///< the counter's largest value, in microjoules
    std::uint64_t last = 0;
  };
  std::vector<Zone> zones_;
  double total_ = 0;
};

} // namespace edgec
