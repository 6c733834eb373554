// Networks as points: size to the right, each step the same factor, what they are worth upward.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

/// Where the networks lie: bytes to the right, the figure upward.
struct Axes {
  double least_x, most_x, least_y, most_y;
  static constexpr double width = 960, height = 240, margin = 14;
  [[nodiscard]] double x(double bytes) const {
    const double share = std::log(bytes / least_x) / std::max(1e-9, std::log(most_x / least_x));
    return margin + (width - 2 * margin) * share;
  }
  [[nodiscard]] double y(double value) const {
    return height - (height - margin) * (value - least_y) / std::max(1e-9, most_y - least_y);
  }
};

void add_grid(Plot &plot, const Axes &axes, const char *unit) {
  constexpr int rows = 4, columns = 3; // as many sizes as a phone has room for
  for (int i = 0; i <= rows; ++i) {
    const double value = axes.least_y + (axes.most_y - axes.least_y) * i / rows;
    plot.shapes().empty("path",
                        {{"d", fmt::format("M0 {}H{}", place(axes.y(value)), place(Axes::width))}, {"class", "grid"}});
    plot.label_y(axes.y(value), fmt::format("{:.4g} {}", value, unit));
  }
  for (int i = 0; i <= columns; ++i)
    plot.label_x(Axes::width * i / columns,
                 bytes_text(axes.least_x * std::pow(axes.most_x / axes.least_x, double(i) / columns)));
}

/// The axes hold every point, with a margin upward and downward; no share is above 100 %.
Axes axes_of(const Plane &plane) {
  const auto [least_x, most_x] = std::ranges::minmax(plane.points, {}, &PlanePoint::bytes);
  double least_y = plane.points[0].value, most_y = least_y;
  for (const PlanePoint &point : plane.points) {
    const auto [low, high] = point.sure.value_or(std::pair(point.value, point.value));
    least_y = std::min({least_y, low, point.value}), most_y = std::max({most_y, high, point.value});
  }
  const double margin = plane.unit == "%" ? 0.5 : 1;
  const double top = plane.unit == "%" ? std::min(100.0, most_y + margin) : most_y + margin;
  const double smallest = std::max(1.0, least_x.bytes);
  return {smallest, std::max(most_x.bytes, smallest * 1.1), least_y - margin, top};
}

/// From each point of the front to the next: what a file of a size between them is worth at most.
void add_front(Plot &plot, const Axes &axes, const Plane &plane) {
  std::string path;
  for (const std::size_t i : plane.front) {
    const std::string x = place(axes.x(plane.points[i].bytes)), y = place(axes.y(plane.points[i].value));
    path += path.empty() ? fmt::format("M{} {}", x, y) : fmt::format("H{}V{}", x, y);
  }
  if (!path.empty()) plot.shapes().empty("path", {{"d", path}, {"class", "front"}});
}

/// From the lower to the upper end of what the value may be.
void add_interval(Plot &plot, const Axes &axes, const PlanePoint &point) {
  if (!point.sure) return;
  const auto [low, high] = *point.sure;
  plot.shapes().empty("path", {{"d", fmt::format("M{} {}V{}", place(axes.x(std::max(1.0, point.bytes))),
                                                 place(axes.y(low)), place(axes.y(high)))},
                               {"class", "sure"}});
}

/// A line of no length with round ends: a circle, however the drawing is stretched.
void add_point(Plot &plot, const Axes &axes, const Plane &plane, const PlanePoint &point) {
  const char *css = point.stands_out ? "dot d-poor" : point.given ? "dot d-before" : "dot d-after";
  plot.shapes().open(
      "path", {{"d", fmt::format("M{} {}h.01", place(axes.x(std::max(1.0, point.bytes))), place(axes.y(point.value)))},
               {"class", css}});
  plot.shapes()
      .leaf("title", fmt::format("{}, {:.4g} {}{}{}", bytes_text(point.bytes), point.value, plane.unit,
                                 point.text.empty() ? "" : ": ", point.text))
      .close();
}

} // namespace

Markup drawing_of(const Plane &plane, const std::string &title) {
  const Axes axes = axes_of(plane);
  Plot plot(Axes::width, Axes::height, title);
  add_grid(plot, axes, plane.unit.c_str());
  if (plane.limit && *plane.limit >= axes.least_x && *plane.limit <= axes.most_x)
    plot.shapes().empty(
        "path", {{"d", fmt::format("M{} 0V{}", place(axes.x(*plane.limit)), place(Axes::height))}, {"class", "limit"}});
  add_front(plot, axes, plane);
  for (const bool last : {false, true}) // what stands out lies above the rest
    for (const PlanePoint &point : plane.points)
      if (point.stands_out == last) {
        add_interval(plot, axes, point);
        add_point(plot, axes, plane, point);
      }
  return plot.drawn();
}

} // namespace edgec::figures
