#include "batch/result_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "batch/sweep_table.h"
#include "support/process.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Results : public testing::Test {
protected:
  Result<TemporaryFolder> folder_ = TemporaryFolder::make();
  ResultFolder results_{folder_->path()};
  SweepJob job_{"0123", "net.onnx", {{"prune", "0,5"}}, {"net.onnx"}};

  /// A folder of work with such a report, put in the job's place.
  Status take(const std::string &report) {
    EDGEC_ASSIGN(const WorkFolder work, WorkFolder::make(folder_->path()));
    const fs::path made = work.path() / "0123";
    fs::create_directory(made);
    std::ofstream(made / "report.json") << report;
    return results_.take(made, job_);
  }
};

constexpr const char *report = R"({"schema": "edgec-report/1", "after": {"bytes": 300}, "before": {"bytes": 1000},
  "evaluated": {"top1": 0.5}, "verified": {"agreement": 0.75}, "budgets": [{"name": "--max-size", "limit": 200,
  "found": 300, "met": false}], "provenance": {"output_sha256": "ab"}})";

TEST_F(Results, AreReadFromTheReport) {
  EXPECT_FALSE(results_.result(job_).there());
  ASSERT_TRUE(take(report));
  const JobResult result = results_.result(job_);
  ASSERT_TRUE(result.figures);
  EXPECT_EQ(result.figures->bytes, 300);
  EXPECT_EQ(result.figures->quality(), 0.5);
  EXPECT_EQ(result.figures->missed, "--max-size 200 was asked, 300 was found");
}

TEST_F(Results, HalfAReportIsNone) {
  ASSERT_TRUE(take(std::string(report).substr(0, 60)));
  EXPECT_FALSE(results_.result(job_).there());
  ASSERT_TRUE(take(report)) << "what is half there is replaced";
  EXPECT_TRUE(results_.result(job_).figures);
}

TEST_F(Results, TheFirstResultStays) {
  ASSERT_TRUE(take(report));
  std::string other = report;
  ASSERT_TRUE(take(other.replace(other.find("300"), 3, "400")));
  EXPECT_EQ(results_.result(job_).figures->bytes, 300);
}

TEST_F(Results, WorkOfTheDeadIsClearedAwayAndOfTheLivingNot) {
  const auto living = WorkFolder::make(folder_->path());
  ASSERT_TRUE(living);
  const fs::path left = folder_->path() / "work-abcdef";
  fs::create_directory(left);
  ASSERT_TRUE(results_.open());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(living->path()));
}

TEST_F(Results, FailuresAreTold) {
  fs::create_directory(results_.of(job_));
  ASSERT_TRUE(write_failure(results_.of(job_), {3, "net.onnx: is no \"network\""}));
  const SweepTable table = sweep_table({job_}, {"prune"}, results_);
  EXPECT_THAT(table_csv(table),
              HasSubstr("net.onnx,\"0,5\",failed,,,,,,,,,,0123,\"net.onnx: is no \"\"network\"\"\"\n"));
  EXPECT_EQ(table_json(table)["jobs"][0]["status"], 3);
  EXPECT_THAT(table_page(table), HasSubstr("failed: net.onnx: is no &quot;network&quot;"));
  EXPECT_THAT(table_text(table, 0), HasSubstr("1 jobs, 1 failed"));
}

TEST_F(Results, MayPassWhereMemoryRanOut) {
  EXPECT_TRUE((JobFailure{-9, ""}).may_pass());
  EXPECT_TRUE((JobFailure{5, ""}).may_pass());
  EXPECT_FALSE((JobFailure{3, ""}).may_pass());
}

TEST(SweepTable, MarksTheFrontOfEachNetwork) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const ResultFolder results(folder->path());
  std::vector<SweepJob> jobs;
  const auto add = [&](const std::string &network, int bytes, double top1) {
    jobs.push_back({std::to_string(jobs.size()), network, {}, {network}});
    fs::create_directory(results.of(jobs.back()));
    std::ofstream(results.of(jobs.back()) / "report.json")
        << nlohmann::json{{"schema", "edgec-report/1"}, {"after", {{"bytes", bytes}}}, {"evaluated", {{"top1", top1}}}};
  };
  add("a", 100, 0.9), add("a", 200, 0.8), add("a", 50, 0.5), add("b", 900, 0.1);
  const SweepTable table = sweep_table(jobs, {}, results);
  EXPECT_TRUE(table.rows[0].best);
  EXPECT_FALSE(table.rows[1].best);
  EXPECT_TRUE(table.rows[2].best);
  EXPECT_TRUE(table.rows[3].best) << "of its own network";
}

TEST(SweepTable, JudgesANetworkByWhatAllItsResultsHave) {
  SweepTable table;
  const auto add = [&](std::optional<double> top1, double agreement) {
    JobFigures figures;
    figures.bytes = 100, figures.top1 = top1, figures.agreement = agreement;
    table.rows.push_back({{"k", "a", {}, {}}, {figures, {}}, false});
  };
  add(0.5, 0.9), add(0.6, 0.8);
  EXPECT_EQ(table.quality_of("a"), &JobFigures::top1);
  add({}, 0.7);
  EXPECT_EQ(table.quality_of("a"), &JobFigures::agreement);
  EXPECT_EQ(table.quality_of("b"), &JobFigures::top1) << "there is none";
}

} // namespace
} // namespace edgec
