// Size against answers kept: the network that was read, the one that was written, and those that a search saw.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

/// What the search judged, those it did not left out.
std::vector<PlanePoint> seen_points(const View &curve, const char *figure, double factor) {
  std::vector<PlanePoint> points;
  for (const View &point : curve.list("points")) {
    const auto bytes = point.number("bytes"), value = point.number(figure);
    if (bytes && value && !point.flag("chosen")) points.push_back({*bytes, factor * *value, false, ""});
  }
  return points;
}

/// The written network: as the search judged it, so that it stands on one scale with the others, else as verified.
std::optional<PlanePoint> chosen_point(const View &run, const char *figure, double factor) {
  const View verified = run.at(run.has("verified") ? "verified" : "evaluated");
  PlanePoint chosen{run.at("after").number_or("bytes", 0), 0, true, "the file that was written"};
  auto value = verified.number(figure);
  double samples = verified.number_or("samples", 0);
  for (const View &point : run.at("search").list("points"))
    if (point.flag("chosen") && point.number(figure)) value = point.number(figure), samples = 0;
  if (!value || chosen.bytes <= 0) return std::nullopt;
  chosen.value = factor * *value;
  if (samples > 0 && factor > 1) {
    const auto [low, high] = interval_of(*value, samples);
    chosen.sure = std::pair(factor * low, factor * high);
  }
  return chosen;
}

} // namespace

Markup tradeoff(const View &run) {
  Markup html;
  const View curve = run.at("search");
  const bool agrees = run.at(run.has("verified") ? "verified" : "evaluated").number("agreement").has_value();
  const char *figure = agrees ? "agreement" : "sqnr_db";
  const double factor = agrees ? 100 : 1;
  Plane plane{seen_points(curve, figure, factor), agrees ? "%" : "dB", curve.number("max_bytes"), {}};
  const std::size_t others = plane.points.size();
  const auto chosen = chosen_point(run, figure, factor);
  if (chosen) plane.points.push_back(*chosen);
  const auto input = run.at("before").number("bytes");
  if (agrees && input) plane.points.push_back({*input, 100, false, "the network that was read", true});
  if (!chosen || plane.points.size() < 2) return html;
  html.open("figure").add(drawing_of(plane, fmt::format("{} networks by size and {}", plane.points.size(),
                                                        agrees ? "answers that stayed the same" : "signal to noise")));
  html.open("ul", {{"class", "key"}});
  key_entry(html, "b-poor", "the file that was written");
  if (others > 0) key_entry(html, "b-after", "other networks that the search saw");
  if (agrees) key_entry(html, "b-before", "the network that was read");
  html.close();
  html.leaf("figcaption", fmt::format("{} on samples that nothing was fitted to, over the size of the file.{}{}",
                                      agrees ? "Answers that stayed the same" : "Signal to noise",
                                      chosen->sure ? " The upright line is the interval of 95 % confidence." : "",
                                      plane.limit ? " The dashed line is the size that was asked for." : ""));
  return html.close();
}

} // namespace edgec::figures
