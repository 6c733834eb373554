// Bytes of both files, stacked by layer, and the list of layers.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

constexpr std::size_t coloured = 8; // layers with a colour of their own

struct Piece {
  std::string name, css;
  double bytes;
};

/// The parts of one file: its largest layers, the others, what holds no weights. A file that packs its weights is
/// shorter than they are: then all shrink alike.
std::vector<Piece> pieces(const std::vector<LayerBytesBeside> &layers, double LayerBytesBeside::*bytes, double file) {
  std::vector<Piece> found;
  double others = 0, all = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    all += layers[i].*bytes;
    if (i < coloured)
      found.push_back({layers[i].name, fmt::format("s{}", i), layers[i].*bytes});
    else
      others += layers[i].*bytes;
  }
  found.push_back({"other layers", "s8", others});
  if (all < file) found.push_back({"no weights: graph, names, scales", "b-rest", file - all});
  if (all > file && all > 0)
    for (Piece &piece : found) piece.bytes *= file / all;
  return found;
}

void stack(Markup &svg, double y, const std::string &label, const std::vector<Piece> &parts, double file,
           double scale) {
  svg.leaf("text", label, {{"x", "0"}, {"y", place(y + 22)}});
  double x = 62;
  for (const Piece &piece : parts) {
    const double wide = piece.bytes * scale;
    if (wide < 0.05) continue;
    svg.open("rect",
             {{"x", place(x)}, {"y", place(y)}, {"width", place(wide)}, {"height", "34"}, {"class", piece.css}});
    svg.leaf("title", fmt::format("{}: {}", piece.name, bytes_text(piece.bytes))).close();
    x += wide;
  }
  svg.leaf("text", bytes_text(file), {{"x", place(x + 6)}, {"y", place(y + 22)}});
}

void add_bars(Markup &html, const View &run, const std::vector<LayerBytesBeside> &layers) {
  constexpr double width = 960, room = 810;
  const double before = run.at("before").number_or("bytes", 0), after = run.at("after").number_or("bytes", 0);
  const double scale = room / std::max({before, after, 1.0});
  Markup svg = drawing(
      width, 92, fmt::format("Bytes by layer: {} before, {} after", bytes_text(before), bytes_text(after)), "wide");
  stack(svg, 4, "before", pieces(layers, &LayerBytesBeside::before, before), before, scale);
  const auto parts = pieces(layers, &LayerBytesBeside::after, after);
  stack(svg, 52, "after", parts, after, scale);
  html.open("div", {{"class", "scroll"}}).add(svg.close()).close().open("ul", {{"class", "key"}});
  for (const Piece &piece : parts)
    if (piece.bytes > 0) key_entry(html, piece.css, shortened(piece.name, 40));
  html.close();
}

} // namespace

Markup sizes(const View &run) {
  Markup html;
  const auto layers = bytes_by_layer(run);
  if (layers.empty()) return html;
  html.open("figure");
  add_bars(html, run, layers);
  html.leaf("figcaption",
            "Both bars have one scale. Weights of the input that no layer of the result is named after were "
            "merged into others. A file that packs its weights (.edgec) is shown as if all packed alike.");
  html.close().open("details");
  html.leaf("summary", fmt::format("All {} layers", layers.size()));
  begin_table(html, "Bytes by layer", {{"layer"}, {"operator"}, {"before", true}, {"after", true}, {"bits", true}});
  for (const LayerBytesBeside &layer : layers) {
    html.open("tr").leaf("td", layer.name, {{"class", "name"}}).leaf("td", layer.op);
    number_cell(html, layer.before, bytes_text(layer.before));
    number_cell(html, layer.after, bytes_text(layer.after));
    number_cell(html, layer.bits > 0 ? std::optional(layer.bits) : std::nullopt, fmt::format("{:.1f}", layer.bits));
    html.close();
  }
  end_table(html);
  return html.close();
}

} // namespace edgec::figures
