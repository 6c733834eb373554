// What holds for every scheme.
#include "schemes/scheme.h"

#include <gtest/gtest.h>

#include "tests/schemes/settings.h"

namespace edgec {
namespace {

TEST(Schemes, NoneIsWantedByDefault) { EXPECT_TRUE(wanted_schemes({}).empty()); }

TEST(Schemes, RunInTheOrderOfTheirPhases) {
  const auto wanted =
      wanted_schemes(settings_of({"int8", "share=4", "prune=0.5", "low-rank=0.5", "prune-channels=0.1"}));
  std::vector<std::string_view> names;
  for (const SchemeDef *scheme : wanted) names.push_back(scheme->name);
  EXPECT_EQ(names, (std::vector<std::string_view>{"prune-channels", "low-rank", "prune-second-order",
                                                  "share-second-order", "quantize-int8"}));
}

TEST(Schemes, EachHasAFlagThatExistsAndASummary) {
  Settings settings;
  Options options("compress", "", "");
  declare_schemes(options, settings);
  for (const SchemeDef *scheme : all_schemes()) {
    EXPECT_FALSE(scheme->summary.empty()) << scheme->name;
    EXPECT_NE(options.find(scheme->flag.substr(2, scheme->flag.find(' ') - 2)), nullptr) << scheme->name;
    EXPECT_NE(scheme->wanted, nullptr) << scheme->name;
    EXPECT_NE(scheme->run, nullptr) << scheme->name;
  }
}

} // namespace
} // namespace edgec
