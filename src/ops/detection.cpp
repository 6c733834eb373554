// NonMaxSuppression, RoiAlign: what detectors end in.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

// ---- NonMaxSuppression: boxes [batch, count, 4], scores [batch, classes, count] to [selected, 3] (batch, class, box)

Result<std::vector<Type>> infer_nms(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  return std::vector<Type>{Type::tensor(DType::int64, Shape{Dim::unknown(), Dim::known(3)})};
}

struct Box {
  double y1, x1, y2, x2;
};

Box box(const double *at, bool centre) {
  if (centre) return {at[1] - at[3] / 2, at[0] - at[2] / 2, at[1] + at[3] / 2, at[0] + at[2] / 2};
  return {std::min(at[0], at[2]), std::min(at[1], at[3]), std::max(at[0], at[2]), std::max(at[1], at[3])};
}

double intersection_over_union(const Box &a, const Box &b) {
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1),
               width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0) return 0;
  const double both = height * width, all = (a.y2 - a.y1) * (a.x2 - a.x1) + (b.y2 - b.y1) * (b.x2 - b.x1) - both;
  return all <= 0 ? 0 : both / all;
}

double scalar(const EvalArgs &args, std::size_t i, double otherwise) {
  return args.input(i) && args.inputs[i]->size() == 1 ? to_doubles(*args.inputs[i])[0] : otherwise;
}

Result<std::vector<RuntimeValue>> nms_reference(const EvalArgs &args) {
  if (!args.input(0) || !args.input(1)) return bad_input("needs boxes and scores");
  const Tensor &boxes = *args.inputs[0], &scores = *args.inputs[1];
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.dims[2] != 4 || boxes.dims[0] != scores.dims[0] ||
      boxes.dims[1] != scores.dims[2])
    return bad_input("expected boxes [batch, count, 4] and scores [batch, classes, count]");
  const double most = scalar(args, 2, 0), overlap = scalar(args, 3, 0), threshold = scalar(args, 4, -INFINITY);
  const bool centre = args.node.get_int("center_point_box", 0) != 0;
  const auto corners = to_doubles(boxes), score = to_doubles(scores);
  const std::int64_t count = boxes.dims[1], classes = scores.dims[1];
  std::vector<std::int64_t> selected;
  for (std::int64_t n = 0; n < boxes.dims[0]; ++n)
    for (std::int64_t c = 0; c < classes; ++c) {
      const double *row = score.data() + (n * classes + c) * count;
      std::vector<std::int64_t> order;
      for (std::int64_t i = 0; i < count; ++i)
        if (row[i] > threshold) order.push_back(i);
      std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return row[a] > row[b]; });
      std::vector<Box> kept;
      for (const std::int64_t i : order) {
        if (static_cast<double>(kept.size()) >= most) break;
        const Box candidate = box(corners.data() + (n * count + i) * 4, centre);
        if (std::ranges::any_of(kept,
                                [&](const Box &other) { return intersection_over_union(candidate, other) > overlap; }))
          continue;
        kept.push_back(candidate);
        selected.insert(selected.end(), {n, c, i});
      }
    }
  const auto rows = static_cast<std::int64_t>(selected.size() / 3);
  return one(Tensor::of({rows, 3}, std::move(selected)));
}

// ---- RoiAlign (He et al. 2017): regions [count, 4] of X [batch, channels, height, width] pooled to a grid

Result<std::vector<Type>> infer_roi(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &in = *args.input(0), &rois = *args.input(1);
  if (in.shape && in.shape->size() != 4)
    return bad_input(fmt::format("the operand has rank {}, not 4", in.shape->size()));
  const std::int64_t height = args.node.get_int("output_height", 1), width = args.node.get_int("output_width", 1);
  if (height < 1 || width < 1) return bad_input(fmt::format("an output of {} x {}", height, width));
  return std::vector<Type>{
      Type::tensor(in.dtype, Shape{rois.shape && !rois.shape->empty() ? (*rois.shape)[0] : Dim::unknown(),
                                   in.shape ? (*in.shape)[1] : Dim::unknown(), Dim::known(height), Dim::known(width)})};
}

struct Plane {
  const double *x;
  std::int64_t height, width;
  /// The four corner values weighted by how near they are; 0 more than one pixel outside.
  template <class F>
  double sample(double y, double at, F combine) const {
    if (y < -1 || y > static_cast<double>(height) || at < -1 || at > static_cast<double>(width)) return 0;
    y = std::max(y, 0.0);
    at = std::max(at, 0.0);
    auto y0 = std::min(static_cast<std::int64_t>(y), height - 1),
         x0 = std::min(static_cast<std::int64_t>(at), width - 1);
    const std::int64_t y1 = std::min(y0 + 1, height - 1), x1 = std::min(x0 + 1, width - 1);
    const double fy = y0 == height - 1 ? 0 : y - static_cast<double>(y0),
                 fx = x0 == width - 1 ? 0 : at - static_cast<double>(x0);
    return combine(x[y0 * width + x0] * (1 - fy) * (1 - fx), x[y0 * width + x1] * (1 - fy) * fx,
                   x[y1 * width + x0] * fy * (1 - fx), x[y1 * width + x1] * fy * fx);
  }
};

Result<std::vector<RuntimeValue>> roi_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_roi));
  const Tensor &in = *args.inputs[0], &rois = *args.inputs[1];
  if (rois.rank() != 2 || rois.dims[1] != 4 || args.inputs[2]->size() != rois.dims[0])
    return bad_input("expected regions [count, 4] and a batch index each");
  const Dims dims = *types[0].concrete();
  const bool half = args.node.get_string("coordinate_transformation_mode",
                                         args.opset < 16 ? "output_half_pixel" : "half_pixel") == "half_pixel";
  const bool maximum = args.node.get_string("mode", "avg") == "max";
  const double scale = args.node.get_float("spatial_scale", 1), shift = half ? 0.5 : 0;
  const std::int64_t ratio = args.node.get_int("sampling_ratio", 0), channels = in.dims[1],
                     area = in.dims[2] * in.dims[3];
  const auto x = to_doubles(in), regions = to_doubles(rois);
  const auto batches = to_int64s(*args.inputs[2]);
  std::vector<double> out;
  for (std::size_t r = 0; r < batches.size(); ++r) {
    if (batches[r] < 0 || batches[r] >= in.dims[0])
      return bad_input(fmt::format("batch index {} of {}", batches[r], in.dims[0]));
    const double x1 = regions[r * 4] * scale - shift, y1 = regions[r * 4 + 1] * scale - shift;
    double width = regions[r * 4 + 2] * scale - shift - x1, height = regions[r * 4 + 3] * scale - shift - y1;
    if (!half) width = std::max(width, 1.0), height = std::max(height, 1.0);
    const double bin_h = height / static_cast<double>(dims[2]), bin_w = width / static_cast<double>(dims[3]);
    if (!(std::abs(bin_h) < 1e4) || !(std::abs(bin_w) < 1e4)) return bad_input("a region is not a box of the operand");
    const auto grid_h = ratio > 0 ? ratio : static_cast<std::int64_t>(std::ceil(bin_h)),
               grid_w = ratio > 0 ? ratio : static_cast<std::int64_t>(std::ceil(bin_w));
    const double count = static_cast<double>(std::max<std::int64_t>(grid_h * grid_w, 1));
    for (std::int64_t c = 0; c < channels; ++c) {
      const Plane plane{x.data() + (batches[r] * channels + c) * area, in.dims[2], in.dims[3]};
      for (std::int64_t i = 0; i < dims[2]; ++i)
        for (std::int64_t j = 0; j < dims[3]; ++j) {
          double sum = 0, high = -INFINITY;
          for (std::int64_t gy = 0; gy < grid_h; ++gy)
            for (std::int64_t gx = 0; gx < grid_w; ++gx) {
              const double y =
                  y1 + (static_cast<double>(i) + (static_cast<double>(gy) + 0.5) / static_cast<double>(grid_h)) * bin_h;
              const double at =
                  x1 + (static_cast<double>(j) + (static_cast<double>(gx) + 0.5) / static_cast<double>(grid_w)) * bin_w;
              if (maximum)
                high = std::max(high, plane.sample(y, at, [](double a, double b, double d, double e) {
                  return std::max({a, b, d, e});
                }));
              else
                sum += plane.sample(y, at, [](double a, double b, double d, double e) { return a + b + d + e; });
            }
          out.push_back(maximum ? (std::isinf(high) ? 0 : high) : sum / count);
        }
    }
  }
  return one(from_doubles(in.dtype, dims, out));
}

const OpDef defs[] = {
    {.name = "NonMaxSuppression",
     .since = 10,
     .summary = "best boxes that do not overlap",
     .quant = QuantRule::not_data,
     .infer = infer_nms,
     .reference = nms_reference},
    {.name = "RoiAlign",
     .since = 10,
     .summary = "regions pooled to a grid by interpolation",
     .infer = infer_roi,
     .reference = roi_reference},
};

} // namespace

std::span<const OpDef> detection() { return defs; }

} // namespace edgec::ops
