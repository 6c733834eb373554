// Networks as points: size to the right, what they are worth upward.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

/// Where the networks lie: bytes to the right, the figure upward.
struct Axes {
  double least_x, most_x, least_y, most_y;
  static constexpr double width = 960, left = 56, right = 940, top = 12, bottom = 250;
  [[nodiscard]] double x(double bytes) const {
    return left + (right - left) * (bytes - least_x) / std::max(1.0, most_x - least_x);
  }
  [[nodiscard]] double y(double value) const {
    return bottom - (bottom - top) * (value - least_y) / std::max(1e-9, most_y - least_y);
  }
};

void add_grid(Markup &svg, const Axes &axes, const char *unit) {
  for (int i = 0; i <= 4; ++i) {
    const double value = axes.least_y + (axes.most_y - axes.least_y) * i / 4,
                 bytes = axes.least_x + (axes.most_x - axes.least_x) * i / 4;
    svg.empty("path", {{"d", fmt::format("M{} {}H{}", place(Axes::left), place(axes.y(value)), place(Axes::right))},
                       {"class", "grid"}});
    svg.leaf(
        "text", fmt::format("{:.4g} {}", value, unit),
        {{"x", place(Axes::left - 6)}, {"y", place(axes.y(value) + 4)}, {"text-anchor", "end"}, {"class", "axis"}});
    svg.leaf("text", bytes_text(bytes),
             {{"x", place(axes.x(bytes))},
              {"y", "270"},
              {"text-anchor", i == 4   ? "end"
                              : i == 0 ? "start"
                                       : "middle"},
              {"class", "axis"}});
  }
}

/// The axes hold every point, with a margin upward and downward; no share is above 100 %.
Axes axes_of(const Plane &plane) {
  const auto [least_x, most_x] = std::ranges::minmax(plane.points, {}, &PlanePoint::bytes);
  const auto [least_y, most_y] = std::ranges::minmax(plane.points, {}, &PlanePoint::value);
  const double margin = plane.unit == "%" ? 0.5 : 1;
  const double top = plane.unit == "%" ? std::min(100.0, most_y.value + margin) : most_y.value + margin;
  return {least_x.bytes, most_x.bytes, least_y.value - margin, top};
}

/// From each point of the front to the next: what a file of a size between them is worth at most.
void add_front(Markup &svg, const Axes &axes, const Plane &plane) {
  std::string path;
  for (const std::size_t i : plane.front) {
    const std::string x = place(axes.x(plane.points[i].bytes)), y = place(axes.y(plane.points[i].value));
    path += path.empty() ? fmt::format("M{} {}", x, y) : fmt::format("H{}V{}", x, y);
  }
  if (!path.empty()) svg.empty("path", {{"d", path}, {"class", "front"}});
}

void add_point(Markup &svg, const Axes &axes, const Plane &plane, const PlanePoint &point) {
  svg.open("circle", {{"cx", place(axes.x(point.bytes))},
                      {"cy", place(axes.y(point.value))},
                      {"r", point.stands_out ? "8" : "5"},
                      {"class", point.stands_out ? "b-poor" : "b-after"}});
  svg.leaf("title", fmt::format("{}, {:.4g} {}{}{}", bytes_text(point.bytes), point.value, plane.unit,
                                point.text.empty() ? "" : ": ", point.text))
      .close();
}

} // namespace

Markup drawing_of(const Plane &plane, const std::string &title) {
  const Axes axes = axes_of(plane);
  Markup svg = drawing(Axes::width, 280, title, "wide");
  add_grid(svg, axes, plane.unit.c_str());
  if (plane.limit && *plane.limit >= axes.least_x && *plane.limit <= axes.most_x)
    svg.empty("path",
              {{"d", fmt::format("M{} {}V{}", place(axes.x(*plane.limit)), place(Axes::top), place(Axes::bottom))},
               {"class", "limit"}});
  add_front(svg, axes, plane);
  for (const bool last : {false, true}) // what stands out lies above the rest
    for (const PlanePoint &point : plane.points)
      if (point.stands_out == last) add_point(svg, axes, plane, point);
  return svg.close();
}

} // namespace edgec::figures
