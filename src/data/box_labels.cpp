#include "data/box_labels.h"

#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "support/file.h"

namespace edgec {
namespace {

using Json = nlohmann::json;

struct Image {
  std::size_t index;
  double width, height;
};

BoxLabels labels_of(const Json &json) {
  BoxLabels labels;
  std::map<std::int64_t, Image> images;
  for (const Json &image : json.at("images")) {
    const Image one{labels.files.size(), image.at("width").get<double>(), image.at("height").get<double>()};
    if (!(one.width > 0) || !(one.height > 0)) throw std::invalid_argument("an image without width or height");
    images[image.at("id").get<std::int64_t>()] = one;
    labels.files.push_back(std::filesystem::path(image.at("file_name").get<std::string>()).filename().string());
  }
  std::set<std::int64_t> categories;
  for (const Json &category : json.at("categories")) categories.insert(category.at("id").get<std::int64_t>());
  labels.categories = categories.size();
  labels.boxes.resize(labels.files.size());
  for (const Json &annotation : json.at("annotations")) {
    const auto image = images.find(annotation.at("image_id").get<std::int64_t>());
    const auto category = categories.find(annotation.at("category_id").get<std::int64_t>());
    if (image == images.end() || category == categories.end())
      throw std::invalid_argument("an annotation of an image or a category that is not listed");
    const auto box = annotation.at("bbox").get<std::array<double, 4>>();
    const auto &[index, width, height] = image->second;
    labels.boxes[index].push_back(
        {.corners = {box[0] / width, box[1] / height, (box[0] + box[2]) / width, (box[1] + box[3]) / height},
         .category = static_cast<std::size_t>(std::distance(categories.begin(), category)),
         .crowd = annotation.value("iscrowd", 0) != 0});
  }
  return labels;
}

} // namespace

Result<BoxLabels> read_box_labels(const std::string &path) {
  EDGEC_ASSIGN(const Storage file, read_file(path));
  try {
    const std::string_view text{reinterpret_cast<const char *>(file.data()), file.size()};
    return labels_of(Json::parse(text));
  } catch (const std::exception &error) {
    return bad_input(fmt::format("{}: is not a list of boxes in COCO's JSON: {}", path, error.what()));
  }
}

} // namespace edgec
