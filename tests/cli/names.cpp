#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/command.h"

namespace edgec {
namespace {

TEST(Commands, EveryFileIsACommandOfItsName) {
  std::multiset<std::string> names, files;
  for (const CommandDef *command : all_commands()) names.emplace(command->name);
  for (const auto &file : std::filesystem::directory_iterator(EDGEC_SOURCE_DIR "/src/cli/commands")) {
    std::string stem = file.path().stem().string();
    std::ranges::replace(stem, '_', '-');
    if (file.path().extension() == ".cpp" && !stem.starts_with('-')) files.insert(stem);
  }
  EXPECT_EQ(names, files);
}

} // namespace
} // namespace edgec
