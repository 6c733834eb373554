// Limits of control groups, read from made-up trees of both versions.
#include "support/machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace edgec {
namespace {

namespace fs = std::filesystem;

CgroupLimits limits_of(const std::map<std::string, std::string> &files) {
  const fs::path root = fs::path(testing::TempDir()) / ("edgec_cgroup." + std::to_string(::getpid()));
  fs::remove_all(root);
  for (const auto &[name, text] : files) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text << "\n";
  }
  const CgroupLimits limits = cgroup_limits(root, root / "membership");
  fs::remove_all(root);
  return limits;
}

TEST(Machine, TheTightestLimitOfAGroupAndThoseAboveHolds) {
  const auto limits = limits_of({{"membership", "0::/batch/job"},
                                 {"memory.max", "max"},
                                 {"batch/memory.max", "1000000"},
                                 {"batch/job/memory.max", "2000000"},
                                 {"batch/cpu.max", "max 100000"},
                                 {"batch/job/cpu.max", "150000 100000"}});
  EXPECT_EQ(limits.memory_bytes, 1000000U);
  EXPECT_EQ(limits.processors, 1.5);
}

TEST(Machine, VersionOneHasATreeForEachController) {
  const auto limits = limits_of({{"membership", "4:memory:/job\n3:cpu,cpuacct:/job"},
                                 {"memory/memory.limit_in_bytes", "9223372036854771712"},
                                 {"memory/job/memory.limit_in_bytes", "4096000"},
                                 {"cpu,cpuacct/job/cpu.cfs_quota_us", "-1"},
                                 {"cpu,cpuacct/job/cpu.cfs_period_us", "100000"}});
  EXPECT_EQ(limits.memory_bytes, 4096000U);
  EXPECT_FALSE(limits.processors);
}

TEST(Machine, WithoutGroupsThereIsNoLimit) {
  EXPECT_FALSE(limits_of({{"other", ""}}).memory_bytes);
  EXPECT_FALSE(limits_of({{"membership", "0::/"}, {"cpu.max", "odd"}, {"memory.max", "-1"}}).processors);
}

TEST(Machine, ThisOneHasMemoryAndAFolderForTemporaryFiles) {
  const Machine machine = this_machine();
  EXPECT_GT(machine.memory_bytes, machine.free_memory_bytes);
  EXPECT_GT(machine.free_memory_bytes, 0U);
  EXPECT_GE(machine.threads, 1);
  EXPECT_TRUE(machine.temporary_writable);
}

} // namespace
} // namespace edgec
