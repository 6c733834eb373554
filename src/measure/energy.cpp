#include "measure/energy.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <optional>

namespace edgec {
namespace {

namespace fs = std::filesystem;

constexpr const char *cure_missing =
    "on bare metal with x86: modprobe intel_rapl_msr; in a container: -v /sys/class/powercap:/sys/class/powercap:ro";
constexpr const char *cure_right = "as root: chmod a+r /sys/class/powercap/*/energy_uj";

std::string text_in(const fs::path &path) {
  std::ifstream stream(path);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::optional<std::uint64_t> number_in(const fs::path &path) {
  std::ifstream stream(path);
  std::uint64_t number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

/// Packages, and memory, which no package counts. Cores are parts of a package; psys, and the same package by way of
/// memory-mapped registers, are all of it once more.
bool counts(const fs::path &zone, const std::string &name) {
  return !zone.filename().string().starts_with("intel-rapl-mmio") && (name.starts_with("package") || name == "dram");
}

} // namespace

fs::path EnergyMeter::system_root() {
  const char *other = std::getenv("EDGEC_POWERCAP");
  return other != nullptr && *other != 0 ? other : "/sys/class/powercap";
}

Result<EnergyMeter> EnergyMeter::open(const fs::path &root) {
  EnergyMeter meter;
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto &entry : fs::directory_iterator(root, error)) folders.push_back(entry.path());
  if (error)
    return unsupported(
        fmt::format("{}: {}: the kernel shows no energy counters; {}", root.string(), error.message(), cure_missing));
  std::ranges::sort(folders);
  for (const fs::path &folder : folders) {
    const std::string name = text_in(folder / "name");
    const auto range = number_in(folder / "max_energy_range_uj");
    if (!counts(folder, name) || !range) continue;
    errno = 0;
    const auto now = number_in(folder / "energy_uj");
    if (!now)
      return unsupported(fmt::format("{}: cannot be read: {}; {}", (folder / "energy_uj").string(),
                                     errno != 0 ? std::strerror(errno) : "no number is in it", cure_right));
    meter.zones_.push_back({folder / "energy_uj", name, *range, *now});
  }
  if (meter.zones_.empty())
    return unsupported(fmt::format("{}: has no package that counts energy; {}", root.string(), cure_missing));
  return meter;
}

Result<double> EnergyMeter::joules() {
  for (Zone &zone : zones_) {
    const auto now = number_in(zone.file);
    if (!now) return resource_error(fmt::format("{}: can no longer be read", zone.file.string()));
    // Behind its largest value a counter begins at 0 again.
    const std::uint64_t used = *now >= zone.last ? *now - zone.last : zone.range - zone.last + *now + 1;
    total_ += 1e-6 * static_cast<double>(used);
    zone.last = *now;
  }
  return total_;
}

std::string EnergyMeter::zones() const {
  std::string text;
  for (const Zone &zone : zones_) text += (text.empty() ? "" : ", ") + zone.name;
  return text;
}

} // namespace edgec
