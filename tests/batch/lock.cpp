#include "batch/lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "batch/toml.h"
#include "support/process.h"

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

LockedResult result(double bytes, double top1, const std::string &sha256 = "ab") {
  return {"r.json", "m.onnx", sha256, {{"bytes", bytes, 0}, {"top1", top1, 0.01}}};
}

TEST(Lock, IsWhatItWasWhenItIsReadAgain) {
  const std::vector<LockedResult> results{result(34091, 0.98), {"b \"c\".json", "", "", {{"sqnr-db", 29.625, 0.5}}}};
  const std::string text = lock_text(results);
  const auto json = parse_toml(text, "edgec.lock");
  ASSERT_TRUE(json) << json.error().message;
  const auto again = parse_lock(*json);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(lock_text(*again), text);
  EXPECT_EQ((*again)[0].figures[1].tolerance, 0.01);
}

TEST(Lock, FiguresMayMoveWithinTheirTolerance) {
  EXPECT_TRUE(differences(result(100, 0.98), result(100, 0.99)).empty());
  EXPECT_TRUE(differences(result(100, 0.98), result(100, 0.97)).empty());
  EXPECT_THAT(differences(result(100, 0.98), result(101, 0.96)),
              ElementsAre(Field(&LockDifference::by, "+1 (+1 %), 0 allowed"), Field(&LockDifference::figure, "top1")));
  EXPECT_THAT(differences(result(1, 1, "cd"), result(1, 1)), ElementsAre(Field(&LockDifference::figure, "sha256")));
  LockedResult unmeasured = result(100, 1);
  unmeasured.figures.pop_back();
  EXPECT_THAT(differences(result(100, 1), unmeasured), ElementsAre(Field(&LockDifference::found, "not measured")));
  EXPECT_TRUE(differences(unmeasured, result(100, 1)).empty()) << "what the lock does not have is not checked";
}

TEST(Lock, AnUpdateKeepsWhatWasEdited) {
  LockedResult edited = result(100, 0.98, "");
  edited.figures[1].tolerance = 0.2;
  LockedResult other = result(5, 0.5);
  other.report = "new.json";
  const auto lock = updated({edited}, {result(200, 0.9), other});
  ASSERT_EQ(lock.size(), 2U);
  EXPECT_EQ(lock[0].sha256, "");
  EXPECT_EQ(lock[0].figures[0].value, 200);
  EXPECT_EQ(lock[0].figures[1].tolerance, 0.2);
  EXPECT_EQ(lock[1].report, "new.json");
}

TEST(Lock, SaysWhatIsWrongWithIt) {
  const auto error_of = [](const char *text) { return parse_lock(*parse_toml(text, "l")).error().message; };
  EXPECT_THAT(error_of("a = 1\n"), HasSubstr("holds no result"));
  EXPECT_THAT(error_of("[[result]]\nbytes = 1\n"), HasSubstr("report is missing"));
  EXPECT_THAT(error_of("[[result]]\nreport = 'r'\nsize = 1\n"), HasSubstr("'size' is not a figure"));
  EXPECT_THAT(error_of("[[result]]\nreport = 'r'\nbytes = 'many'\n"), HasSubstr("bytes: a number was expected"));
}

TEST(Lock, TheFileMustBeThatOfTheReport) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const std::string file = (folder->path() / "m.onnx").string();
  std::ofstream(file) << "abc";
  const nlohmann::ordered_json report{
      {"provenance",
       {{"output", file}, {"output_sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}},
      {"after", {{"bytes", 3}, {"macs", nullptr}}}};
  const auto found = result_of("r.json", report);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->figures, ElementsAre(Field(&LockedFigure::name, "bytes")));
  std::ofstream(file) << "abd";
  EXPECT_THAT(result_of("r.json", report).error().message, HasSubstr("is not the file of this report"));
}

} // namespace
} // namespace edgec
