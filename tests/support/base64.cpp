#include "support/base64.h"

#include <gtest/gtest.h>

namespace edgec {
namespace {

TEST(Base64, IsThatOfTheStandard) { // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::string("\xff\x00", 2)), "/wA=");
}

} // namespace
} // namespace edgec
