// The page's colours can be read in both themes, and its script stays small.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace edgec {
namespace {

std::string text_of(const std::string &name) {
  std::ostringstream text;
  text << std::ifstream(std::string(EDGEC_SOURCE_DIR) + "/src/report/html/" + name).rdbuf();
  return text.str();
}

using Colours = std::map<std::string, int>; ///< 0xRRGGBB

/// The custom properties of the n-th ":root { ... }".
Colours colours_of(const std::string &css, int theme) {
  std::size_t at = css.find(":root");
  for (int i = 0; i < theme; ++i) at = css.find(":root", at + 1);
  const std::string block = css.substr(at, css.find('}', at) - at);
  Colours found;
  const std::regex colour("--([a-z0-9-]+): #([0-9a-f]+);");
  for (std::sregex_iterator it(block.begin(), block.end(), colour), end; it != end; ++it) {
    std::string digits = (*it)[2];
    if (digits.size() == 3) digits = {digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]};
    found[(*it)[1]] = std::stoi(digits, nullptr, 16);
  }
  return found;
}

/// Relative luminance (WCAG 2.1).
double luminance(int colour) {
  double sum = 0;
  const double parts[] = {0.2126, 0.7152, 0.0722};
  for (int i = 0; i < 3; ++i) {
    const double c = (colour >> (16 - 8 * i) & 255) / 255.0;
    sum += parts[i] * (c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
  }
  return sum;
}

double contrast(int a, int b) {
  const double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
  return std::max(x, y) / std::min(x, y);
}

TEST(PageStyle, TextHasAContrastOfFourAndAHalfInBothThemes) {
  const std::string css = text_of("page.css");
  const std::pair<const char *, const char *> pairs[] = {
      {"ink", "page"},       {"ink", "card"},       {"soft", "page"},      {"soft", "card"},  {"accent", "page"},
      {"accent", "card"},    {"good", "good-fill"}, {"look", "look-fill"}, {"ink", "int8"},   {"soft", "int8"},
      {"poor", "poor-fill"}, {"ink", "look-fill"},  {"ink", "mute-fill"},  {"ink", "int4"},   {"soft", "int4"},
      {"ink", "half"},       {"soft", "half"},      {"ink", "float"},      {"soft", "float"}, {"ink", "other"},
      {"soft", "other"}};
  for (const int theme : {0, 1}) {
    const Colours colours = colours_of(css, theme);
    for (const auto &[text, ground] : pairs) {
      ASSERT_TRUE(colours.contains(text) && colours.contains(ground)) << text << ' ' << ground;
      EXPECT_GE(contrast(colours.at(text), colours.at(ground)), 4.5) << text << " on " << ground << ", theme " << theme;
    }
  }
}

TEST(PageStyle, ScriptIsSmall) {
  EXPECT_GT(text_of("page.js").size(), 0U);
  EXPECT_LE(text_of("page.js").size(), 15'000U);
}

} // namespace
} // namespace edgec
