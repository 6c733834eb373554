// How well boxes are found: COCO's mean average precision.
#pragma once

#include <span>
#include <vector>

#include "data/box_labels.h"
#include "measure/metric.h"

namespace edgec {

struct Detection {
  Corners corners{};
  std::size_t category = 0;
  double score = 0;
};

/// Area shared by two boxes, as a share of what both cover; 0 where they cover nothing.
double intersection_over_union(const Corners &a, const Corners &b);

/// The best of each category's boxes, none of which covers more than `overlap` with a better one (non-maximum
/// suppression); at most `most`, by falling score.
std::vector<Detection> without_doubles(std::vector<Detection> found, double overlap, std::size_t most);

/// Mean over categories that have boxes, and over intersections over union of .5, .55 .. .95, of the precision at
/// recalls of 0, .01 .. 1 (Lin et al. 2014; pycocotools' COCOeval of bounding boxes, all areas; scripts/check_map runs
/// both). Of each image at most 100 detections count. 0 where there are no boxes.
double mean_average_precision(std::span<const std::vector<Detection>> found,
                              std::span<const std::vector<LabelledBox>> labels, std::size_t categories);

/// Of a network whose outputs are boxes, [..., M, 4] (left, top, right, bottom: shares of the image where none of them
/// is above 2, else pixels of `width` by `height`), and scores, [..., M, classes]: as many as there are categories, or
/// one more, the first, for what is nothing. Scores above .01 count, doubles (above .5) do not. Samples are matched by
/// their file, else by their order. Error (bad_input): no such outputs, or a sample without labels.
Metric map_metric(BoxLabels labels, double width, double height);

} // namespace edgec
