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

Markup drawing(double width, double height, const std::string &title, std::string_view css) {
  Markup svg;
  svg.open("svg", {{"viewBox", fmt::format("0 0 {} {}", place(width), place(height))},
                   {"width", place(width)},
                   {"height", place(height)},
                   {"role", "img"},
                   {"aria-label", title},
                   {"class", std::string(css)}});
  return svg; // a title element would say it a second time
}

void begin_table(Markup &html, const std::string &caption, const std::vector<Column> &columns) {
  html.open("div", {{"class", "scroll tall"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
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

Markup histogram(const View &counts, const std::string &title, std::optional<std::pair<double, double>> range) {
  constexpr double width = 190, height = 64, base = 50;
  const std::vector<double> bins = counts.numbers("counts");
  const double low = counts.number_or("low", 0), high = counts.number_or("high", 1);
  Markup svg = drawing(width, height, title);
  if (bins.empty() || !(low < high)) return svg.close();
  // Square roots: a bin of a hundredth of the largest is still seen.
  const double most = std::sqrt(std::max(1.0, std::ranges::max(bins))), step = width / static_cast<double>(bins.size());
  std::string path = "M0 " + place(base);
  for (const double bin : bins)
    path += fmt::format("V{}h{}", place(base - 46 * std::sqrt(std::max(0.0, bin)) / most), place(step));
  svg.empty("path", {{"d", path + "V" + place(base) + "z"}, {"class", "bars"}});
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
  svg.leaf("text", fmt::format("{:.3g}", low), {{"x", "0"}, {"y", place(height - 1)}, {"class", "axis"}});
  svg.leaf("text", fmt::format("{:.3g}", high),
           {{"x", place(width)}, {"y", place(height - 1)}, {"text-anchor", "end"}, {"class", "axis"}});
  return svg.close();
}

} // namespace edgec::figures
