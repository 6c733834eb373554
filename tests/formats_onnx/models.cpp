// Whole files of models/: read, written, read again.
#include "formats/onnx/onnx.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace edgec {
namespace {

std::vector<std::filesystem::path> model_files() {
  std::vector<std::filesystem::path> files;
  for (const auto &entry : std::filesystem::directory_iterator(EDGEC_SOURCE_DIR "/models"))
    if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  return files;
}

TEST(OnnxModels, SurviveARoundTrip) {
  ASSERT_FALSE(model_files().empty());
  for (const auto &file : model_files()) {
    const auto first = read_onnx(file);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->source_bytes, std::filesystem::file_size(file));
    const auto bytes = serialize_onnx(*first, {});
    ASSERT_TRUE(bytes) << bytes.error().message;
    const auto copy = std::filesystem::path(testing::TempDir()) / ("copy-" + file.filename().string());
    ASSERT_TRUE(write_onnx(*first, copy, {.force = true}));
    const auto second = read_onnx(copy);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(*serialize_onnx(*second, {}), *bytes) << file;
    EXPECT_EQ(second->graph.node_count(), first->graph.node_count());
  }
}

} // namespace
} // namespace edgec
