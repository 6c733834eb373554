#include "support/process.h"

#include <fstream>
#include <gtest/gtest.h>

namespace edgec {
namespace {

TEST(OutputOf, IsWhatTheCommandPrints) {
  EXPECT_EQ(output_of("printf 'a\\nb'").value(), "a\nb");
  EXPECT_EQ(output_of("true").value(), "");
}

TEST(OutputOf, NamesTheCommandThatFailedAndHow) {
  const auto failed = output_of("exit 7");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "exit 7: ended with status 7; 0 was expected");
  const auto killed = output_of("kill -9 $$");
  ASSERT_FALSE(killed);
  EXPECT_EQ(killed.error().message, "kill -9 $$: ended by signal 9");
}

TEST(ShellWord, StandsForAnyText) {
  for (const std::string text : {"plain", "two words", "it's", "$HOME `x` \"q\" \\", "", "a;b&c|d>e"})
    EXPECT_EQ(output_of("printf %s " + shell_word(text)).value(), text);
}

TEST(TemporaryFolder, GoesWithAllThatIsInIt) {
  std::filesystem::path path;
  {
    const auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    path = folder->path();
    std::filesystem::create_directory(path / "inner");
    std::ofstream(path / "inner" / "file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path / "inner" / "file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

} // namespace
} // namespace edgec
