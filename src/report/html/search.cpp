// The curve of sizes and losses that a search saw.
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

} // namespace

Markup search(const View &run) {
  Markup html;
  const View curve = run.at("search");
  std::vector<View> points = curve.list("points");
  const bool agrees =
      std::ranges::any_of(points, [](const View &point) { return point.number("agreement").has_value(); });
  const char *figure = agrees ? "agreement" : "sqnr_db";
  const double factor = agrees ? 100 : 1;
  std::erase_if(points, [&](const View &point) { return !point.number("bytes") || !point.number(figure); });
  if (points.empty()) return html;
  Axes axes{*points.front().number("bytes"), *points.front().number("bytes"), 1e9, -1e9};
  for (const View &point : points) {
    axes.least_x = std::min(axes.least_x, *point.number("bytes")),
    axes.most_x = std::max(axes.most_x, *point.number("bytes"));
    axes.least_y = std::min(axes.least_y, factor * *point.number(figure)),
    axes.most_y = std::max(axes.most_y, factor * *point.number(figure));
  }
  axes.least_y -= agrees ? 0.5 : 1, axes.most_y = agrees ? std::min(100.0, axes.most_y + 0.5) : axes.most_y + 1;
  Markup svg = drawing(Axes::width, 280,
                       fmt::format("{} networks that the search saw, by size and {}", points.size(),
                                   agrees ? "agreement" : "signal to noise"),
                       "wide");
  add_grid(svg, axes, agrees ? "%" : "dB");
  const auto budget = curve.number("max_bytes");
  if (budget && *budget >= axes.least_x && *budget <= axes.most_x)
    svg.empty("path", {{"d", fmt::format("M{} {}V{}", place(axes.x(*budget)), place(Axes::top), place(Axes::bottom))},
                       {"class", "limit"}});
  for (const View &point : points) {
    const bool chosen = point.flag("chosen");
    svg.open("circle", {{"cx", place(axes.x(*point.number("bytes")))},
                        {"cy", place(axes.y(factor * *point.number(figure)))},
                        {"r", chosen ? "8" : "5"},
                        {"class", chosen ? "b-poor" : "b-after"}});
    svg.leaf("title", fmt::format("{}, {:.4g} {}{}", bytes_text(*point.number("bytes")), factor * *point.number(figure),
                                  agrees ? "%" : "dB", chosen ? ": chosen" : ""))
        .close();
  }
  html.open("figure").open("div", {{"class", "scroll"}}).add(svg.close()).close().open("ul", {{"class", "key"}});
  key_entry(html, "b-poor", "chosen");
  key_entry(html, "b-after", "other networks that the search saw");
  html.close();
  html.leaf("figcaption", agrees ? "Share of answers that stayed the same on held-out samples, over the size of the "
                                   "file. A dashed line is the size that was asked for."
                                 : "Signal to noise on held-out samples, over the size of the file. A dashed line is "
                                   "the size that was asked for.");
  return html.close();
}

} // namespace edgec::figures
