#include "batch/sweep_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "batch/toml.h"
#include "support/process.h"

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Result<SweepFile> parsed(const std::string &text) {
  EDGEC_ASSIGN(const auto json, parse_toml(text, "s.toml"));
  return parse_sweep(json);
}

std::string error_of(const std::string &text) {
  const auto sweep = parsed(text);
  return sweep ? "" : sweep.error().message;
}

constexpr const char *network = "networks = ['models/digits_mlp.onnx']\n";

TEST(Toml, KeepsTheOrderOfTheFile) {
  const auto json = parse_toml("b = 1\na = [true, 2.5, 'x']\n[z]\nday = 2026-01-02\n", "t.toml");
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(json->dump(), R"({"b":1,"a":[true,2.5,"x"],"z":{"day":"2026-01-02"}})");
}

TEST(Toml, NamesTheLineOfAMistake) {
  EXPECT_THAT(parse_toml("a = 1\nb = \n", "t.toml").error().message, HasSubstr("t.toml: line 2: is not TOML"));
}

TEST(SweepFile, CrossesNetworksSettingsAndAxes) {
  const auto sweep =
      parsed("networks = ['models/digits_[cm]*.onnx']\n[options]\neffort = 'fast'\n[grid]\nprune = [false, "
             "0.5]\nkeep-float = [['first', 'last'], 'Conv']\n[[setting]]\nint8 = true\n[[setting]]\n");
  ASSERT_TRUE(sweep) << sweep.error().message;
  EXPECT_THAT(sweep->varied(), ElementsAre("int8", "prune", "keep-float"));
  const auto all = sweep->combinations();
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 2U * 2 * 2 * 2);
  EXPECT_EQ(all->front().network, "models/digits_cnn.onnx");
  EXPECT_EQ(all->back().network, "models/digits_mlp.onnx");
  EXPECT_THAT(all->front().options,
              ElementsAre(Pair("effort", ElementsAre("fast")), Pair("int8", ElementsAre("true")),
                          Pair("prune", ElementsAre()), Pair("keep-float", ElementsAre("first", "last"))));
  EXPECT_THAT((*all)[3].options, testing::Contains(Pair("keep-float", ElementsAre("Conv"))));
}

TEST(SweepFile, ANetworksOptionsBeatThoseOfAll) {
  const auto sweep =
      parsed("[options]\ncalib = 'a.npz'\n[[network]]\nmodel = 'models/digits_mlp.onnx'\ncalib = 'b.npz'\n");
  ASSERT_TRUE(sweep) << sweep.error().message;
  const auto all = sweep->combinations();
  ASSERT_TRUE(all && all->size() == 1);
  EXPECT_THAT(all->front().options, ElementsAre(Pair("calib", ElementsAre("b.npz"))));
}

TEST(SweepFile, SaysWhatIsWrong) {
  EXPECT_THAT(error_of("grids = 1\n"), HasSubstr("'grids' is not a part of a sweep file; did you mean 'grid'?"));
  EXPECT_THAT(error_of("[grid]\nprune = [0.5]\n"), HasSubstr("networks: is missing"));
  EXPECT_THAT(error_of(std::string(network) + "[grid]\nprune = 0.5\n"), HasSubstr("prune: a list was expected"));
  EXPECT_THAT(error_of(std::string(network) + "[grid]\nprune = []\n"), HasSubstr("prune: a list was expected"));
  EXPECT_THAT(error_of(std::string(network) + "[grid]\nprune = [0.5]\n[[setting]]\nprune = 0.1\n"),
              HasSubstr("prune: is in a [[setting]] and in [grid]"));
  EXPECT_THAT(error_of("[[network]]\ncalib = 'x'\n"), HasSubstr("model is missing"));
  const auto none = parsed("networks = ['nowhere/*.onnx']\n");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->combinations().error().message, "nowhere/*.onnx: there is no such file");
}

TEST(MatchingFiles, ANameMayLookLikeAPattern) {
  const auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const std::string path = (folder->path() / "a[1].onnx").string();
  std::ofstream(path) << "a";
  const auto found = matching_files(path);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, ElementsAre(path));
}

} // namespace
} // namespace edgec
