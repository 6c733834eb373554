#include "support/pattern.h"

#include <gtest/gtest.h>

namespace edgec {
namespace {

TEST(Pattern, FitsTheWholeText) {
  const Pattern pattern = Pattern::parse("conv[0-9]+|fc.*").value();
  for (const char *text : {"conv1", "conv22", "fc", "fc/bias"}) EXPECT_TRUE(pattern.matches(text)) << text;
  for (const char *text : {"conv", "aconv1", "conv1b", "xfc", ""}) EXPECT_FALSE(pattern.matches(text)) << text;
}

TEST(Pattern, LongNamesTakeNoStackAndLittleTime) {
  EXPECT_FALSE(Pattern::parse("(a|aa)*b").value().matches(std::string(1'000'000, 'a')));
  EXPECT_TRUE(Pattern::parse("(.|x)*").value().matches(std::string(1'000'000, 'x')));
}

TEST(Pattern, WhatIsNoneIsASentence) {
  for (const char *text : {"(", "a{2,1}", "[z-a]", "*", "(?=x)", "\\1"}) {
    const auto pattern = Pattern::parse(text);
    ASSERT_FALSE(pattern) << text;
    EXPECT_EQ(pattern.error().code, Code::usage);
    EXPECT_NE(pattern.error().message.find("is not a regular expression"), std::string::npos);
  }
}

TEST(Pattern, OfANameFitsThatNameAlone) {
  for (const char *name : {"/block.1/Conv(a)", "a+b|c", "x[0]^2$", "back\\slash"}) {
    const auto pattern = Pattern::parse(Pattern::quoted(name));
    ASSERT_TRUE(pattern) << name;
    EXPECT_TRUE(pattern->matches(name)) << name;
    EXPECT_FALSE(pattern->matches(std::string(name) + "x")) << name;
  }
  EXPECT_FALSE(Pattern::parse(Pattern::quoted("a.c"))->matches("abc"));
}

} // namespace
} // namespace edgec
