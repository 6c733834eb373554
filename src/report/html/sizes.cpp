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

constexpr double bar_width = 1000, bar_height = 30;

/// One file; `largest` bytes are as wide as the page.
Markup stack(const char *when, const std::vector<Piece> &parts, double file, double largest) {
  Plot plot(bar_width, bar_height, fmt::format("Bytes by layer {}: {}", when, bytes_text(file)));
  double x = 0;
  for (const Piece &piece : parts) {
    const double wide = bar_width * piece.bytes / largest;
    if (wide < 0.05) continue;
    plot.shapes().open("rect",
                       {{"x", place(x)}, {"width", place(wide)}, {"height", place(bar_height)}, {"class", piece.css}});
    plot.shapes().leaf("title", fmt::format("{}: {}", piece.name, bytes_text(piece.bytes))).close();
    x += wide;
  }
  Markup html;
  html.open("div", {{"class", "stack"}}).open("div").leaf("b", when).text(" " + bytes_text(file)).close();
  return html.add(plot.drawn()).close();
}

void add_bars(Markup &html, const View &run, const std::vector<LayerBytesBeside> &layers) {
  const double before = run.at("before").number_or("bytes", 0), after = run.at("after").number_or("bytes", 0);
  const double largest = std::max({before, after, 1.0});
  const auto parts = pieces(layers, &LayerBytesBeside::after, after);
  if (before > 0) html.add(stack("before", pieces(layers, &LayerBytesBeside::before, before), before, largest));
  html.add(stack(before > 0 ? "after" : "the file", parts, after, largest)).open("ul", {{"class", "key"}});
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
  html.leaf("figcaption", run.has("layers_before") && run.has("before")
                              ? "Both bars have one scale. Weights of the input that no layer of the result is named "
                                "after were merged into others. A file that packs its weights (.edgec) is shown as if "
                                "all packed alike."
                              : "A file that packs its weights (.edgec) is shown as if all packed alike.");
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
