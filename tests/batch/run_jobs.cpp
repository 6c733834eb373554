// Jobs of a program that crashes, refuses or succeeds: a shell script stands for edgec.
#include "batch/run_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/process.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(RunJobs, WhatBefallsOneJobEndsNoOther) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const fs::path program = folder->path() / "program";
  std::ofstream(program)
      << "#!/bin/sh\n"
         "case $2 in\n"
         "crash) kill -SEGV $$;;\n"
         "refuse) echo 'edgec: error: refuse: is none' >&2; exit 3;;\n"
         "*) echo '{\"schema\": \"edgec-report/1\", \"provenance\": {\"output\": \"x\"}}' >\"$6\";;\n"
         "esac\n";
  fs::permissions(program, fs::perms::owner_all);
  const ResultFolder results(folder->path() / "results");
  ASSERT_TRUE(results.open());
  std::vector<SweepJob> jobs;
  for (const char *name : {"crash", "refuse", "a", "b"}) jobs.push_back({name, name, {}, {name}});
  RunJobs how{program.string(), 3, 1, {}};
  std::size_t ended = 0;
  how.ended = [&](const SweepJob &, const JobFailure *) { ++ended; };
  const Status ran = run_jobs(jobs, results, how);
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(ended, 4U);
  const JobResult crashed = results.result(jobs[0]), refused = results.result(jobs[1]);
  ASSERT_TRUE(crashed.failure && refused.failure);
  EXPECT_THAT(crashed.failure->message, HasSubstr("ended by signal 11"));
  EXPECT_EQ(refused.failure->message, "refuse: is none");
  EXPECT_EQ(refused.failure->status, 3);
  EXPECT_TRUE(results.result(jobs[2]).figures && results.result(jobs[3]).figures);
  for (const auto &entry : fs::directory_iterator(results.path()))
    EXPECT_THAT(entry.path().filename().string(), testing::Not(testing::StartsWith("work-")));
}

TEST(RunJobs, AReportSaysWhereItsFileLies) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  std::ofstream(folder->path() / "report.json") << R"({"provenance": {"output": "work/x"}})";
  name_output(folder->path(), "results/KEY/model.onnx");
  std::ifstream stream(folder->path() / "report.json");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_THAT(text, HasSubstr("results/KEY/model.onnx"));
}

} // namespace
} // namespace edgec
