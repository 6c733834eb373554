// Files of earlier versions must be read for ever. Those in golden/ are never written again: a new format version adds
// new ones beside them.
#include <gtest/gtest.h>

#include "formats/flat/flat.h"
#include "support/file.h"
#include "tests/formats_flat/models.h"

namespace edgec {
namespace {

Result<Storage> golden(const std::string &name) {
  return map_file(EDGEC_SOURCE_DIR "/tests/formats_flat/golden/" + name);
}

Result<Model> read_golden(const std::string &name) {
  EDGEC_ASSIGN(const Storage file, golden(name));
  return parse_flat(file);
}

TEST(FlatGolden, Version1IsRead) {
  const auto everything = read_golden("everything-1.0.edgec");
  ASSERT_TRUE(everything) << everything.error().message;
  EXPECT_TRUE(testing::same_model(*everything, testing::rich_model()));
  const auto plain = read_golden("plain-1.0.edgec");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_TRUE(testing::same_model(*plain, testing::rich_model()));
  const auto network = read_golden("network-1.0.edgec");
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_TRUE(testing::same_model(*network, testing::small_network()));
}

TEST(FlatGolden, Version1Point1IsRead) {
  const auto everything = read_golden("everything-1.1.edgec");
  ASSERT_TRUE(everything) << everything.error().message;
  EXPECT_TRUE(testing::same_model(*everything, testing::rich_model()));
  const auto network = read_golden("network-1.1.edgec");
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_TRUE(testing::same_model(*network, testing::small_network()));
  const auto codes = read_golden("codes-1.1.edgec");
  ASSERT_TRUE(codes) << codes.error().message;
  EXPECT_TRUE(testing::same_model(*codes, testing::coded_network()));
}

TEST(FlatGolden, TheyHoldEveryEncoding) {
  std::string seen;
  for (const char *name : {"everything-1.0.edgec", "plain-1.0.edgec", "network-1.0.edgec", "everything-1.1.edgec",
                           "network-1.1.edgec", "codes-1.1.edgec"}) {
    const FlatInfo info = describe_flat(golden(name).value()).value();
    for (const FlatSection &section : info.sections) {
      seen += section.kind + " " + section.encoding + "\n";
      for (const FlatSection &part : section.parts) seen += part.kind + " " + part.encoding + "\n";
    }
  }
  for (const char *wanted : {"graph zstd", "graph plain", "tensors plain", "tensors palette", "tensors sparse",
                             "tensors planes", "memory plan plain", "compact graph bytes", "tensors parts", "part rans",
                             "part contexts", "part codes+contexts", "part floats"})
    EXPECT_NE(seen.find(wanted), std::string::npos) << wanted << " is not among\n" << seen;
}

} // namespace
} // namespace edgec
