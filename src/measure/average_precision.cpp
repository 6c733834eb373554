#include "measure/average_precision.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>

namespace edgec {
namespace {

constexpr std::size_t most_detections = 100; // of an image
constexpr double least_score = 0.01, double_overlap = 0.5;
constexpr int recall_points = 101;
constexpr double recall_step = 0.01;

double area(const Corners &box) { return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]); }

double intersection(const Corners &a, const Corners &b) {
  return area({std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])});
}

/// A detection's verdict at one overlap.
struct Verdict {
  double score = 0;
  bool right = false, ignored = false;
};

/// One image and category: each detection, best first, takes the free label that it overlaps most.
void match(std::span<const Detection> found, std::span<const LabelledBox> labels, double least_overlap,
           std::vector<Verdict> &verdicts) {
  std::vector<bool> taken(labels.size());
  for (const Detection &detection : found) {
    std::optional<std::size_t> best;
    double most = least_overlap;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const LabelledBox &label = labels[i];
      if ((taken[i] && !label.crowd) || (best && !labels[*best].crowd && label.crowd)) continue;
      const double shared = intersection(detection.corners, label.corners);
      const double own = area(detection.corners);
      const double overlap =
          label.crowd ? (own > 0 ? shared / own : 0) : intersection_over_union(detection.corners, label.corners);
      const bool better = best && labels[*best].crowd && !label.crowd ? overlap >= least_overlap : overlap >= most;
      if (!better) continue;
      most = overlap;
      best = i;
    }
    if (best) taken[*best] = true;
    verdicts.push_back({detection.score, best && !labels[*best].crowd, best && labels[*best].crowd});
  }
}

/// The area under precision over recall.
double average_precision(std::vector<Verdict> verdicts, std::size_t labels) {
  std::erase_if(verdicts, [](const Verdict &verdict) { return verdict.ignored; });
  std::ranges::stable_sort(verdicts, std::ranges::greater(), &Verdict::score);
  std::vector<double> precision, recall;
  double right = 0;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    right += verdicts[i].right ? 1 : 0;
    precision.push_back(right / static_cast<double>(i + 1));
    recall.push_back(right / static_cast<double>(labels));
  }
  for (std::size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  for (int point = 0; point < recall_points; ++point) {
    // As numpy.linspace rounds them, which pycocotools compares with: 0.57 is a little more than 57 of 100.
    const double wanted = point + 1 == recall_points ? 1 : point * recall_step;
    const auto place = std::ranges::lower_bound(recall, wanted);
    if (place != recall.end()) sum += precision[static_cast<std::size_t>(place - recall.begin())];
  }
  return sum / recall_points;
}

template <class Box>
std::vector<Box> of_category(std::span<const Box> boxes, std::size_t category) {
  std::vector<Box> found;
  std::ranges::copy_if(boxes, std::back_inserter(found), [&](const Box &box) { return box.category == category; });
  return found;
}

/// Which outputs hold boxes and scores.
struct BoxOutputs {
  std::size_t boxes, scores;
};

std::optional<BoxOutputs> box_outputs(const NetworkOutputs &outputs) {
  if (outputs.calls.empty()) return std::nullopt;
  const auto &first = outputs.calls.front().outputs;
  std::optional<BoxOutputs> found;
  for (std::size_t b = 0; b < first.size(); ++b)
    for (std::size_t s = 0; s < first.size(); ++s) {
      const Dims &boxes = first[b].dims, &scores = first[s].dims;
      if (b == s || boxes.size() < 2 || boxes.back() != 4 || scores.size() != boxes.size()) continue;
      if (!std::equal(boxes.begin(), boxes.end() - 1, scores.begin())) continue;
      const bool named = outputs.names[b].find("box") != std::string::npos;
      if (!found || named) found = BoxOutputs{b, s};
    }
  return found;
}

class Decoder {
public:
  Decoder(const NetworkOutputs &outputs, BoxOutputs which, std::size_t categories, double width, double height)
      : which_(which), categories_(categories) {
    constexpr double least_pixels = 2;
    double largest = 0;
    for (const CallOutputs &call : outputs.calls)
      for (const double edge : call.outputs[which.boxes].values) largest = std::max(largest, std::abs(edge));
    if (largest > least_pixels) scale_ = {1 / width, 1 / height, 1 / width, 1 / height};
  }

  /// Of one row of a call.
  [[nodiscard]] std::vector<Detection> detections(const CallOutputs &call, std::size_t row) const {
    const OutputNumbers &boxes = call.outputs[which_.boxes], &scores = call.outputs[which_.scores];
    const auto classes = static_cast<std::size_t>(scores.dims.back());
    const std::size_t first_class = classes == categories_ + 1 ? 1 : 0;
    const std::size_t count = boxes.values.size() / 4 / std::max<std::size_t>(call.rows, 1);
    std::vector<Detection> found;
    for (std::size_t i = row * count; i < (row + 1) * count; ++i)
      for (std::size_t c = first_class; c < classes; ++c) {
        const double score = scores.values[i * classes + c];
        if (!(score > least_score)) continue;
        Detection one{.category = c - first_class, .score = score};
        for (std::size_t edge = 0; edge < 4; ++edge) one.corners[edge] = boxes.values[i * 4 + edge] * scale_[edge];
        found.push_back(one);
      }
    return without_doubles(std::move(found), double_overlap, most_detections);
  }

private:
  BoxOutputs which_;
  std::size_t categories_;
  Corners scale_{1, 1, 1, 1};
};

Result<double> map_of(const BoxLabels &labels, double width, double height, const NetworkOutputs &outputs) {
  const auto which = box_outputs(outputs);
  if (!which) return bad_input("--metric map: no two outputs are boxes [..., M, 4] and their scores [..., M, classes]");
  const auto classes = static_cast<std::size_t>(outputs.calls.front().outputs[which->scores].dims.back());
  if (classes != labels.categories && classes != labels.categories + 1)
    return bad_input(fmt::format("--metric map: output {} has scores of {} classes, the labels have {} categories",
                                 outputs.names[which->scores], classes, labels.categories));
  const Decoder decoder(outputs, *which, labels.categories, width, height);
  std::vector<std::vector<Detection>> found;
  std::vector<std::vector<LabelledBox>> wanted;
  for (const CallOutputs &call : outputs.calls) {
    const auto named = std::ranges::find(labels.files, std::filesystem::path(call.label).filename().string());
    for (std::size_t row = 0; row < call.rows; ++row) {
      const std::size_t image =
          named != labels.files.end() ? static_cast<std::size_t>(named - labels.files.begin()) : found.size();
      if (image >= labels.boxes.size()) return bad_input(fmt::format("--metric map: {} has no labels", call.label));
      found.push_back(decoder.detections(call, row));
      wanted.push_back(labels.boxes[image]);
    }
  }
  return mean_average_precision(found, wanted, labels.categories);
}

} // namespace

double intersection_over_union(const Corners &a, const Corners &b) {
  const double shared = intersection(a, b), all = area(a) + area(b) - shared;
  return all > 0 ? shared / all : 0;
}

std::vector<Detection> without_doubles(std::vector<Detection> found, double overlap, std::size_t most) {
  std::ranges::stable_sort(found, std::ranges::greater(), &Detection::score);
  std::vector<Detection> kept;
  for (const Detection &one : found) {
    if (kept.size() == most) break;
    const bool doubled = std::ranges::any_of(kept, [&](const Detection &better) {
      return better.category == one.category && intersection_over_union(better.corners, one.corners) > overlap;
    });
    if (!doubled) kept.push_back(one);
  }
  return kept;
}

double mean_average_precision(std::span<const std::vector<Detection>> found,
                              std::span<const std::vector<LabelledBox>> labels, std::size_t categories) {
  double sum = 0;
  std::size_t terms = 0;
  for (std::size_t category = 0; category < categories; ++category) {
    std::vector<std::vector<Detection>> own;
    std::vector<std::vector<LabelledBox>> wanted;
    std::size_t count = 0;
    for (std::size_t image = 0; image < labels.size(); ++image) {
      own.push_back(of_category<Detection>(found[image], category));
      std::ranges::stable_sort(own.back(), std::ranges::greater(), &Detection::score);
      own.back().resize(std::min(own.back().size(), most_detections));
      wanted.push_back(of_category<LabelledBox>(labels[image], category));
      count += static_cast<std::size_t>(std::ranges::count(wanted.back(), false, &LabelledBox::crowd));
    }
    if (count == 0) continue;
    for (int step = 0; step < 10; ++step, ++terms) {
      std::vector<Verdict> verdicts;
      for (std::size_t image = 0; image < labels.size(); ++image)
        match(own[image], wanted[image], 0.5 + 0.05 * step, verdicts);
      sum += average_precision(std::move(verdicts), count);
    }
  }
  return terms == 0 ? 0 : sum / static_cast<double>(terms);
}

Metric map_metric(BoxLabels labels, double width, double height) {
  const auto shared = std::make_shared<const BoxLabels>(std::move(labels));
  return {"map",
          [shared, width, height](const NetworkOutputs &outputs) { return map_of(*shared, width, height, outputs); }};
}

} // namespace edgec
