// Models of models/ from ONNX into the flat binary and back.
#include <gtest/gtest.h>

#include "formats/flat/flat.h"
#include "formats/onnx/onnx.h"
#include "ir/text.h"
#include "tests/formats_flat/models.h"

namespace edgec {
namespace {

TEST(FlatOnnx, ModelsComeBackIdentical) {
  int seen = 0;
  for (const auto &entry : std::filesystem::directory_iterator(EDGEC_SOURCE_DIR "/models")) {
    if (entry.path().extension() != ".onnx") continue;
    ++seen;
    const auto model = read_onnx(entry.path());
    ASSERT_TRUE(model) << model.error().message;
    for (const bool plain : {false, true}) {
      const auto bytes = serialize_flat(*model, {.plain = plain});
      ASSERT_TRUE(bytes) << bytes.error().message;
      const auto read = parse_flat(Storage::copy(*bytes));
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_TRUE(testing::same_model(*model, *read)) << entry.path();
      EXPECT_EQ(to_text(*model), to_text(*read)) << entry.path();
      EXPECT_EQ(*serialize_onnx(*model, {}), *serialize_onnx(*read, {})) << entry.path();
      if (plain) continue;
      EXPECT_LT(bytes->size(), std::filesystem::file_size(entry.path())) << entry.path();
    }
  }
  EXPECT_GT(seen, 0);
}

} // namespace
} // namespace edgec
