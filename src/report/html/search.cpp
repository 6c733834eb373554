// The curve of sizes and losses that a search saw.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {

Markup search(const View &run) {
  Markup html;
  const View curve = run.at("search");
  const std::vector<View> points = curve.list("points");
  const bool agrees =
      std::ranges::any_of(points, [](const View &point) { return point.number("agreement").has_value(); });
  const char *figure = agrees ? "agreement" : "sqnr_db";
  Plane plane{{}, agrees ? "%" : "dB", curve.number("max_bytes"), {}};
  for (const View &point : points) {
    const auto bytes = point.number("bytes"), value = point.number(figure);
    const bool chosen = point.flag("chosen");
    if (bytes && value) plane.points.push_back({*bytes, (agrees ? 100 : 1) * *value, chosen, chosen ? "chosen" : ""});
  }
  if (plane.points.empty()) return html;
  const Markup svg = drawing_of(plane, fmt::format("{} networks that the search saw, by size and {}",
                                                   plane.points.size(), agrees ? "agreement" : "signal to noise"));
  html.open("figure").open("div", {{"class", "scroll"}}).add(svg).close().open("ul", {{"class", "key"}});
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
