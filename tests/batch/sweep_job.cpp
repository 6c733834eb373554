#include "batch/sweep_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "batch/job_scripts.h"
#include "support/process.h"

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

namespace fs = std::filesystem;

/// A command with the kinds of options that compress has.
struct Command {
  std::string calib, prune, format;
  bool int8 = false;
  double percentile = 0;
  std::int64_t threads = 0;
  std::vector<std::string> keep;
  Options options{"compress", "A command.", ""};

  Command() {
    options.add("--calib", "D", &calib, "samples");
    options.flag("--int8", &int8, "codes");
    options.add("--percentile", "P", &percentile, "of ranges").needs("int8");
    options.add("--prune", "R", &prune, "zeros");
    options.add("--keep", "NAME", &keep, "left float");
    options.add("--threads", "N", &threads, "threads");
    options.add("--format", "F", &format, "of the file");
    options.add("-o,--output", "FILE", &calib, "the file");
  }
};

std::shared_ptr<Options> command() {
  const auto made = std::make_shared<Command>();
  return {made, &made->options};
}

class SweepJobTest : public testing::Test {
protected:
  Result<TemporaryFolder> folder_ = TemporaryFolder::make();

  std::string file(const std::string &name, const std::string &text) {
    std::ofstream(folder_->path() / name) << text;
    return (folder_->path() / name).string();
  }
  std::string key(const Combination &combination) {
    auto job = JobMaker(command, {}).job(combination);
    return job ? job->key : job.error().message;
  }
};

TEST_F(SweepJobTest, IsACommandLineOfWhatHasAnEffect) {
  const std::string model = file("a.onnx", "a");
  JobMaker maker(command, {"prune", "percentile", "int8"});
  const auto job = maker.job({model, {{"percentile", {"99"}}, {"prune", {"0.5"}}, {"keep", {"-x", "y z"}}}});
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_THAT(job->words, ElementsAre(model, "--prune", "0.5", "--keep=-x", "--keep", "y z"));
  EXPECT_THAT(job->shown, ElementsAre(Pair("prune", "0.5")));
  EXPECT_THAT(job_lines({*job}, ResultFolder("r")),
              testing::AllOf(HasSubstr("--keep=-x --keep 'y z' -o r/"), HasSubstr("--force\n")));
}

TEST_F(SweepJobTest, KeyFollowsContentNotNames) {
  const std::string a = file("a.onnx", "net"), b = file("b.onnx", "net"), c = file("c.onnx", "other");
  const std::string x = file("x.npz", "1"), y = file("y.npz", "1"), z = file("z.npz", "2");
  EXPECT_EQ(key({a, {{"calib", {x}}}}), key({b, {{"calib", {y}}}}));
  EXPECT_NE(key({a, {{"calib", {x}}}}), key({a, {{"calib", {z}}}}));
  EXPECT_NE(key({a, {}}), key({c, {}}));
  EXPECT_NE(key({a, {{"prune", {"0.5"}}}}), key({a, {{"prune", {"0.6"}}}}));
  EXPECT_EQ(key({a, {{"prune", {"0.5"}}, {"int8", {"true"}}}}), key({a, {{"int8", {"true"}}, {"prune", {"0.5"}}}}));
  EXPECT_EQ(key({a, {{"threads", {"2"}}}}), key({a, {{"threads", {"1"}}}}));
  EXPECT_EQ(key({a, {{"percentile", {"99"}}}}), key({a, {}})) << "it has no effect without --int8";
}

TEST_F(SweepJobTest, PartsOfANetworkAndOfAListCount) {
  const std::string model = file("a.onnx", "location weights.bin"), list = file("l.csv", "file,label\np.png,1\n");
  file("weights.bin", "1"), file("p.png", "1"), file("unnamed.bin", "1");
  const std::string before = key({model, {{"calib", {list}}}});
  file("unnamed.bin", "2");
  EXPECT_EQ(key({model, {{"calib", {list}}}}), before);
  file("weights.bin", "2");
  const std::string moved = key({model, {{"calib", {list}}}});
  EXPECT_NE(moved, before);
  file("p.png", "2");
  EXPECT_NE(key({model, {{"calib", {list}}}}), moved);
}

TEST_F(SweepJobTest, RefusesWhatASweepSaysItself) {
  const std::string model = file("a.onnx", "a");
  EXPECT_THAT(key({model, {{"output", {"x.onnx"}}}}),
              HasSubstr("'output' is not an option of 'edgec compress' for a sweep"));
  EXPECT_THAT(key({model, {{"pruen", {"1"}}}}), HasSubstr("did you mean 'prune'"));
  EXPECT_THAT(key({model, {{"percentile", {"much"}}}}), HasSubstr("--percentile: 'much' is not a number"));
  EXPECT_THAT(key({"none.onnx", {}}), HasSubstr("none.onnx: cannot open"));
}

TEST(ShellLine, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_line({"a", "b c", "", "it's", "--x=1.5", "$HOME"}), R"(a 'b c' '' 'it'\''s' --x=1.5 '$HOME')");
}

} // namespace
} // namespace edgec
