#include "measure/pareto.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>

#include "support/text.h"

namespace edgec {
namespace {

constexpr double width = 640, height = 400, left = 64, right = 576, top = 40, bottom = 344;

std::string escaped(const std::string &text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '&')
      safe += "&amp;";
    else if (static_cast<unsigned char>(c) >= 0x20)
      safe += c;
  }
  return safe;
}

/// Numbers along an axis at round steps.
struct Axis {
  double low, high, step, from, to; // from, to: places in the drawing

  Axis(double least, double most, double begin, double end) : from(begin), to(end) {
    constexpr double ticks = 5;
    const double span = std::max(most - least, 1.0);
    const double rough = span / ticks, power = std::pow(10, std::floor(std::log10(rough)));
    step = power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : rough / power > 1 ? 2 : 1);
    low = std::floor(least / step) * step;
    high = std::max(std::ceil(most / step) * step, low + step);
  }
  [[nodiscard]] double place(double value) const { return from + (value - low) / (high - low) * (to - from); }
  void each(const std::function<void(double)> &tick) const {
    for (double value = low; value <= high + step / 2; value += step) tick(std::abs(value) < step / 2 ? 0 : value);
  }
};

/// A figure of the points, drawn against an axis on the left or on the right.
struct Series {
  std::optional<double> ParetoPoint::*figure;
  double factor;
  const char *label, *style;
  bool on_the_left;

  [[nodiscard]] std::vector<double> values(const Pareto &pareto) const {
    std::vector<double> found;
    for (const ParetoPoint &point : pareto.points)
      if (point.*figure && std::isfinite(*(point.*figure))) found.push_back(factor * *(point.*figure));
    return found;
  }
};
constexpr Series agreement_series{&ParetoPoint::agreement, 100, "agreement on held-out samples, %", "agreement", true};
constexpr Series sqnr_series{&ParetoPoint::sqnr_db, 1, "SQNR of the logits, dB", "sqnr", false};

std::string line(double x1, double y1, double x2, double y2, const char *style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2, y2,
                     style);
}
std::string label(double x, double y, const char *anchor, const std::string &text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, text);
}

std::string sizes_svg(const Axis &x) {
  std::string text;
  x.each([&](double value) {
    text += line(x.place(value), top, x.place(value), bottom, "grid");
    text += label(x.place(value), bottom + 18, "middle", fmt::format("{:g}", value));
  });
  return text + label((left + right) / 2, bottom + 40, "middle", "size of the file, kB");
}

std::string axis_svg(const Axis &y, const Series &of) {
  std::string text;
  y.each([&](double value) {
    if (of.on_the_left) text += line(left, y.place(value), right, y.place(value), "grid");
    text += label(of.on_the_left ? left - 8 : right + 8, y.place(value) + 4, of.on_the_left ? "end" : "start",
                  fmt::format("{:g}", value));
  });
  return text + label(of.on_the_left ? left : right, top - 12, of.on_the_left ? "start" : "end", of.label);
}

std::string points_svg(const Pareto &pareto, const Axis &x, const Axis &y, const Series &of) {
  std::string path, dots;
  for (const ParetoPoint &point : pareto.points) {
    if (!(point.*of.figure) || !std::isfinite(*(point.*of.figure))) continue;
    const double px = x.place(static_cast<double>(point.bytes) / 1e3), py = y.place(of.factor * *(point.*of.figure));
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", px, py);
    dots += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" class=\"{}{}\"><title>rate {:.3g}: {} bytes</title></circle>\n",
        px, py, of.style, point.chosen ? " chosen" : "", point.rate, point.bytes);
  }
  return fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", path, of.style) + dots;
}

} // namespace

nlohmann::ordered_json to_json(const Pareto &pareto) {
  using Json = nlohmann::ordered_json;
  const auto known = [](std::optional<double> number) {
    return number && std::isfinite(*number) ? Json(*number) : Json();
  };
  Json points = Json::array();
  for (const ParetoPoint &point : pareto.points)
    points.push_back({{"rate", known(point.rate)},
                      {"bytes", point.bytes},
                      {"agreement", known(point.agreement)},
                      {"sqnr_db", known(point.sqnr_db)},
                      {"chosen", point.chosen}});
  return {{"schema", "edgec-pareto/1"},
          {"network", pareto.title},
          {"max_bytes", known(pareto.max_bytes)},
          {"least_agreement", known(pareto.least_agreement)},
          {"points", std::move(points)}};
}

std::string pareto_json(const Pareto &pareto) {
  return to_json(pareto).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string pareto_csv(const Pareto &pareto) {
  const auto known = [](std::optional<double> number) {
    return number && std::isfinite(*number) ? fmt::format("{}", *number) : std::string();
  };
  std::string text = "rate,bytes,agreement,sqnr_db,chosen\n";
  for (const ParetoPoint &point : pareto.points)
    text += fmt::format("{},{},{},{},{}\n", point.rate, point.bytes, known(point.agreement), known(point.sqnr_db),
                        point.chosen ? 1 : 0);
  return text;
}

std::string pareto_svg(const Pareto &pareto) {
  std::vector<double> xs;
  for (const ParetoPoint &point : pareto.points) xs.push_back(static_cast<double>(point.bytes) / 1e3);
  if (pareto.max_bytes) xs.push_back(*pareto.max_bytes / 1e3);
  if (xs.empty()) xs.push_back(0);
  const Axis x(std::ranges::min(xs), std::ranges::max(xs), left, right);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<style>line.grid{{stroke:#ddd}} line.budget{{stroke:#c40;stroke-dasharray:6 4}} polyline{{fill:none}} "
      "circle{{fill:#fff}} "
      ".agreement{{stroke:#046;stroke-width:2}} .sqnr{{stroke:#999}} circle.chosen{{fill:#c40}}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      width, height);
  text += sizes_svg(x) + label((left + right) / 2, top - 26, "middle", escaped(pareto.title));
  if (pareto.max_bytes)
    text += line(x.place(*pareto.max_bytes / 1e3), top, x.place(*pareto.max_bytes / 1e3), bottom, "budget");
  for (const Series &series : {sqnr_series, agreement_series}) {
    std::vector<double> ys = series.values(pareto);
    if (ys.empty()) continue;
    const bool budget = series.on_the_left && pareto.least_agreement;
    if (budget) ys.push_back(series.factor * *pareto.least_agreement);
    const Axis y(std::ranges::min(ys), std::ranges::max(ys), bottom, top);
    text += axis_svg(y, series) + points_svg(pareto, x, y, series);
    if (budget) text += line(left, y.place(ys.back()), right, y.place(ys.back()), "budget");
  }
  return text + "</svg>\n";
}

Result<std::string> pareto_text(const Pareto &pareto, const std::string &path) {
  const std::string extension = lower_ending(path);
  if (extension == ".json") return pareto_json(pareto);
  if (extension == ".csv") return pareto_csv(pareto);
  if (extension == ".svg") return pareto_svg(pareto);
  return usage_error(fmt::format("--pareto: {} ends in none of .json, .csv and .svg", path));
}

} // namespace edgec
