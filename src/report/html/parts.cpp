// What several figures are made of.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {

Kind kind_of(const std::string &number) {
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, number) != names.end();
  };
  if (any({"int8", "uint8", "int32"})) return {"k-int8", "8-bit codes"};
  if (any({"int4", "uint4", "int2", "uint2"})) return {"k-int4", "4 bits or fewer"};
  if (any({"float16", "bfloat16", "int16", "uint16"})) return {"k-half", "16 bits"};
  if (any({"float", "double"})) return {"k-float", "float"};
  return {"k-other", "no numbers of a layer"};
}

std::string place(double number) { return fmt::format("{:.5g}", std::round(number * 10) / 10); }

Markup drawing(double width, double height, const std::string &title) {
  Markup svg;
  svg.open("svg", {{"viewBox", fmt::format("0 0 {} {}", place(width), place(height))},
                   {"width", place(width)},
                   {"height", place(height)},
                   {"role", "img"},
                   {"aria-label", title}});
  return svg; // a title element would say it a second time
}

Plot::Plot(double width, double height, std::string title) : width_(width), height_(height), title_(std::move(title)) {}

void Plot::label_y(double y, const std::string &text) {
  labels_.leaf("span", text, {{"class", "at y"}, {"style", fmt::format("top:{}px", place(y))}});
}

void Plot::label_x(double x, const std::string &text) {
  const double share = 100 * x / width_;
  const char *side = share < 1 ? "at x first" : share > 99 ? "at x last" : "at x";
  labels_.leaf("span", text, {{"class", side}, {"style", fmt::format("left:{}%", place(share))}});
}

Markup Plot::drawn() const {
  Markup html;
  html.open("div", {{"class", "plot"},
                    {"role", "img"},
                    {"aria-label", title_},
                    {"style", fmt::format("height:{}px", place(height_))}});
  html.open("svg", {{"viewBox", fmt::format("0 0 {} {}", place(width_), place(height_))},
                    {"preserveAspectRatio", "none"},
                    {"aria-hidden", "true"}});
  return html.add(shapes_).close().add(labels_).close();
}

void begin_table(Markup &html, const std::string &caption, const std::vector<Column> &columns) {
  html.open("div", {{"class", "scroll tall"}, {"tabindex", "0"}, {"role", "group"}, {"aria-label", caption}});
  html.open("table", {{"class", "sort"}}).open("thead").open("tr");
  for (const Column &column : columns)
    html.leaf("th", column.name, {{"scope", "col"}, {"class", column.number ? "n" : ""}});
  html.close().close().open("tbody");
}

void end_table(Markup &html) { html.close().close().close(); }

void number_cell(Markup &html, std::optional<double> value, const std::string &text) {
  if (value)
    html.leaf("td", text, {{"class", "n"}, {"data-v", fmt::format("{:.6g}", *value)}});
  else
    html.leaf("td", "\xE2\x80\x93", {{"class", "n"}, {"data-v", "-1"}});
}

void key_entry(Markup &html, std::string_view css, std::string_view text) {
  html.open("li").open("svg", {{"width", "12"}, {"height", "12"}, {"aria-hidden", "true"}});
  html.empty("rect", {{"width", "12"}, {"height", "12"}, {"rx", "3"}, {"class", std::string(css)}}).close();
  html.text(text).close();
}

Markup histogram(const View &counts, std::optional<std::pair<double, double>> range) {
  constexpr double step = 6, height = 64, base = 50, most_high = 46;
  const std::vector<double> bins = counts.numbers("counts");
  const double low = counts.number_or("low", 0), high = counts.number_or("high", 1);
  const double width = step * static_cast<double>(std::max<std::size_t>(1, bins.size()));
  Markup svg;
  svg.open("svg", {{"viewBox", fmt::format("0 0 {} {}", width, height)}, {"aria-hidden", "true"}});
  if (bins.empty() || !(low < high)) return svg.close();
  // Square roots: a bin of a hundredth of the largest is still seen.
  const double most = std::sqrt(std::max(1.0, std::ranges::max(bins)));
  std::string path = fmt::format("M0 {}", base);
  for (const double bin : bins)
    path += fmt::format("V{:.0f}h{}", base - most_high * std::sqrt(std::max(0.0, bin)) / most, step);
  svg.empty("path", {{"d", path + fmt::format("V{}z", base)}, {"class", "bars"}});
  if (range) {
    const double from = std::clamp((range->first - low) / (high - low), 0.0, 1.0) * width;
    const double to = std::clamp((range->second - low) / (high - low), 0.0, 1.0) * width;
    const auto outside = [&](double x, double wide) {
      if (wide > 0.5)
        svg.empty("rect", {{"x", place(x)}, {"width", place(wide)}, {"height", place(base)}, {"class", "out"}});
    };
    outside(0, from);
    outside(to, width - to);
    for (const double x : {from, to})
      svg.empty("path", {{"d", fmt::format("M{} 2V{}", place(std::clamp(x, 0.5, width - 0.5)), place(base))},
                         {"class", "edge"}});
  }
  svg.leaf("text", fmt::format("{:.3g}", low), {{"y", place(height - 1)}, {"class", "axis"}});
  svg.leaf("text", fmt::format("{:.3g}", high),
           {{"x", place(width)}, {"y", place(height - 1)}, {"text-anchor", "end"}, {"class", "axis"}});
  return svg.close();
}

} // namespace edgec::figures
