#include "data/box_labels.h"

#include <fstream>
#include <gtest/gtest.h>

#include "support/process.h"

namespace edgec {
namespace {

class ReadBoxLabels : public testing::Test {
protected:
  TemporaryFolder folder_ = std::move(TemporaryFolder::make().value());
  Result<BoxLabels> read(std::string_view json) const {
    const auto path = folder_.path() / "boxes.json";
    std::ofstream(path) << json;
    return read_box_labels(path.string());
  }
};

TEST_F(ReadBoxLabels, AreSharesOfTheImages) {
  const auto labels = read(R"({
    "images": [{"id": 7, "file_name": "val/b.jpg", "width": 200, "height": 100}, {"id": 3, "file_name": "a.jpg", "width": 10, "height": 10}],
    "categories": [{"id": 18, "name": "dog"}, {"id": 2, "name": "bicycle"}],
    "annotations": [{"image_id": 7, "bbox": [20, 10, 100, 50], "category_id": 18}, {"image_id": 7, "bbox": [0, 0, 1, 1], "category_id": 2, "iscrowd": 1}]})");
  ASSERT_TRUE(labels) << labels.error().message;
  EXPECT_EQ(labels->files, (std::vector<std::string>{"b.jpg", "a.jpg"}));
  EXPECT_EQ(labels->categories, 2U);
  ASSERT_EQ(labels->boxes[0].size(), 2U);
  EXPECT_EQ(labels->boxes[0][0].corners, (Corners{.1, .1, .6, .6}));
  EXPECT_EQ(labels->boxes[0][0].category, 1U);
  EXPECT_TRUE(labels->boxes[0][1].crowd);
  EXPECT_TRUE(labels->boxes[1].empty());
}

TEST_F(ReadBoxLabels, SayWhatIsWrong) {
  for (
      const char *json :
      {"", "[]", "{}", R"({"images": [{"id": 1}], "categories": [], "annotations": []})",
       R"({"images": [{"id": 1, "file_name": "a", "width": 0, "height": 1}], "categories": [], "annotations": []})",
       R"({"images": [], "categories": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0,0,1,1]}]})"}) {
    const auto labels = read(json);
    ASSERT_FALSE(labels) << json;
    EXPECT_EQ(labels.error().code, Code::bad_input);
    EXPECT_NE(labels.error().message.find("boxes.json: is not a list of boxes in COCO's JSON: "), std::string::npos);
  }
}

} // namespace
} // namespace edgec
