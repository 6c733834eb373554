#include "measure/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "measure/paired_latency.h"
#include "support/process.h"
#include "support/random.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A folder like /sys/class/powercap.
class Powercap : public testing::Test {
protected:
  Result<TemporaryFolder> folder_ = TemporaryFolder::make();

  void write(const std::string &zone, const std::string &file, const std::string &text) {
    fs::create_directories(folder_->path() / zone);
    std::ofstream(folder_->path() / zone / file) << text << "\n";
  }
  void zone(const std::string &path, const std::string &name, std::uint64_t microjoules) {
    write(path, "name", name), write(path, "max_energy_range_uj", "999999999");
    count(path, microjoules);
  }
  void count(const std::string &path, std::uint64_t microjoules) {
    write(path, "energy_uj", std::to_string(microjoules));
  }
};

TEST_F(Powercap, CountsPackagesAndMemoryOnce) {
  zone("intel-rapl:0", "package-0", 1'000'000), zone("intel-rapl:1", "package-1", 0);
  zone("intel-rapl:0:0", "core", 5), zone("intel-rapl:0:2", "dram", 7), zone("intel-rapl:2", "psys", 9);
  zone("intel-rapl-mmio:0", "package-0", 1'000'000);
  write("intel-rapl", "enabled", "1");
  auto meter = EnergyMeter::open(folder_->path());
  ASSERT_TRUE(meter) << meter.error().message;
  EXPECT_EQ(meter->zones(), "package-0, dram, package-1");
  count("intel-rapl:0", 3'000'000), count("intel-rapl:0:0", 900'000'000), count("intel-rapl:0:2", 500'007);
  count("intel-rapl:1", 250'000);
  EXPECT_DOUBLE_EQ(*meter->joules(), 2 + 0.5 + 0.25);
}

TEST_F(Powercap, CountersWrapAround) {
  zone("intel-rapl:0", "package-0", 999'000'000);
  auto meter = EnergyMeter::open(folder_->path());
  ASSERT_TRUE(meter);
  count("intel-rapl:0", 1'000'000);
  EXPECT_DOUBLE_EQ(*meter->joules(), 2);
  count("intel-rapl:0", 4'000'000);
  EXPECT_DOUBLE_EQ(*meter->joules(), 5) << "all since it was opened";
}

TEST_F(Powercap, SaysWhatCuresWhatCannotBeRead) {
  EXPECT_THAT(EnergyMeter::open(folder_->path() / "none").error().message, HasSubstr("modprobe intel_rapl_msr"));
  EXPECT_THAT(EnergyMeter::open(folder_->path()).error().message, HasSubstr("has no package that counts energy"));
  zone("intel-rapl:0", "package-0", 1);
  fs::permissions(folder_->path() / "intel-rapl:0/energy_uj", fs::perms::none);
  if (::geteuid() != 0) {
    EXPECT_THAT(EnergyMeter::open(folder_->path()).error().message, HasSubstr("Permission denied; as root: chmod a+r"));
  }
  fs::remove(folder_->path() / "intel-rapl:0/energy_uj");
  EXPECT_THAT(EnergyMeter::open(folder_->path()).error().message,
              HasSubstr("energy_uj: cannot be read: No such file or directory; as root: chmod a+r"));
}

TEST_F(Powercap, ACounterThatGoesAwayIsAnError) {
  zone("intel-rapl:0", "package-0", 1);
  auto meter = EnergyMeter::open(folder_->path());
  ASSERT_TRUE(meter);
  fs::remove(folder_->path() / "intel-rapl:0/energy_uj");
  EXPECT_EQ(meter->joules().error().code, Code::resource);
}

PairedLatency noisy_pair(double ratio, std::uint64_t seed) {
  Random random(seed);
  PairedLatency pair;
  for (int i = 0; i < 300; ++i) {
    const double load = 1 + 0.5 * random.uniform(); // meets both
    pair.first.push_back(ratio * load * (1 + 0.02 * random.normal()));
    pair.second.push_back(load * (1 + 0.02 * random.normal()));
  }
  return pair;
}

TEST(LatencyRatio, IsSureOfADifferenceThatIsThere) {
  const LatencyRatio ratio = latency_ratio(noisy_pair(1.5, 1));
  EXPECT_TRUE(ratio.shown());
  EXPECT_LT(ratio.low, 1.5);
  EXPECT_GT(ratio.high, 1.5);
  EXPECT_LT(ratio.high - ratio.low, 0.2);
}

TEST(LatencyRatio, SeldomShowsOneThatIsNot) {
  int shown = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) shown += latency_ratio(noisy_pair(1, seed)).shown();
  EXPECT_LE(shown, 8) << "3 of 60 are expected at 95 %";
}

} // namespace
} // namespace edgec
