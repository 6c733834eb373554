#include "support/machine.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "support/number.h"
#include "support/parallel.h"
#include "support/text.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path &path) {
  std::ifstream stream(path);
  std::string line;
  std::getline(stream, line);
  return line;
}

template <class T>
void tighten(std::optional<T> &limit, std::optional<T> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

/// "max" and version 1's largest multiple of a page are not limits.
std::optional<std::uint64_t> bytes_of(const std::string &text) {
  constexpr std::uint64_t unlimited = std::uint64_t{1} << 60;
  const auto bytes = parse_number<std::uint64_t>(text);
  return bytes && *bytes < unlimited ? bytes : std::nullopt;
}

std::optional<double> share(const std::string &quota, const std::string &period) {
  const auto time = parse_number<double>(quota), all = parse_number<double>(period);
  return time && all && *time > 0 && *all > 0 ? std::optional(*time / *all) : std::nullopt;
}

/// What one folder says, in the files of either version.
void read_limits(const fs::path &folder, CgroupLimits &limits) {
  tighten(limits.memory_bytes, bytes_of(first_line(folder / "memory.max")));
  tighten(limits.memory_bytes, bytes_of(first_line(folder / "memory.limit_in_bytes")));
  const std::string both = first_line(folder / "cpu.max");
  if (const auto space = both.find(' '); space != std::string::npos)
    tighten(limits.processors, share(both.substr(0, space), both.substr(space + 1)));
  tighten(limits.processors, share(first_line(folder / "cpu.cfs_quota_us"), first_line(folder / "cpu.cfs_period_us")));
}

/// "MemTotal:       24 kB" of /proc/meminfo.
std::uint64_t memory_line(std::string_view name) {
  std::ifstream stream("/proc/meminfo");
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(name)) continue;
    const auto end = line.find(" kB");
    const std::string_view number = trim(std::string_view(line).substr(name.size(), end - name.size()));
    return parse_number<std::uint64_t>(number).value_or(0) * 1024;
  }
  return 0;
}

std::string processor_name() {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with("model name")) return std::string(trim(std::string_view(line).substr(line.find(':') + 1)));
  return {};
}

} // namespace

CgroupLimits cgroup_limits(const std::string &root, const std::string &membership) {
  CgroupLimits limits;
  std::ifstream stream(membership);
  for (std::string line; std::getline(stream, line);) { // "0::/batch/job", "4:memory:/batch/job"
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const fs::path tree = fs::path(root) / line.substr(first + 1, second - first - 1);
    for (fs::path group = fs::path(line.substr(second + 1)).relative_path();; group = group.parent_path()) {
      read_limits(tree / group, limits);
      if (group.empty()) break;
    }
  }
  return limits;
}

Machine this_machine() {
  Machine machine{.processor = processor_name(), .threads = hardware_threads(), .limits = cgroup_limits()};
  machine.memory_bytes = memory_line("MemTotal:");
  machine.free_memory_bytes = memory_line("MemAvailable:");
  std::error_code failed;
  const fs::path folder = fs::temp_directory_path(failed);
  if (failed) return machine;
  machine.temporary = folder.string();
  machine.temporary_writable = ::access(folder.c_str(), W_OK | X_OK) == 0;
  if (const auto space = fs::space(folder, failed); !failed) machine.temporary_free_bytes = space.available;
  return machine;
}

} // namespace edgec
