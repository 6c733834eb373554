// The right boxes of images.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "support/result.h"

namespace edgec {

/// Left, top, right, bottom, as shares of an image's width and height.
using Corners = std::array<double, 4>;

struct LabelledBox {
  Corners corners{};
  std::size_t category = 0; ///< rank of its id among all ids of categories
  bool crowd = false;       ///< many of them: what is found there counts neither for nor against
};

struct BoxLabels {
  std::vector<std::string> files;              ///< of the images, without folders
  std::vector<std::vector<LabelledBox>> boxes; ///< of each image
  std::size_t categories = 0;
};

/// COCO's JSON: "images" (id, file_name, width, height), "annotations" (image_id, bbox [x, y, width, height] in pixels,
/// category_id, iscrowd), "categories" (id). Error (bad_input) names the file and what is wrong with it.
Result<BoxLabels> read_box_labels(const std::string &path);

} // namespace edgec
