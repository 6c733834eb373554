// The error behind each node as the network runs, where it arises, and the nodes ranked by that.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

std::string colour(double sqnr_db) { return sqnr_db < 15 ? "b-poor" : sqnr_db < 25 ? "b-look" : "b-good"; }

constexpr double width = 960, top = 6, high = 170, own_top = 196, own_high = 60;

/// Signal to noise upward, the part of the error that arises there downward.
void add_node(Markup &svg, const LayerLoss &node, double x, double wide, double most_db, double most_share) {
  const double tall = high * std::clamp(node.sqnr_db, 0.0, most_db) / most_db, own = own_high * node.share / most_share;
  svg.open("g").leaf("title", fmt::format("{}: {:.1f} dB behind it, {:.1f} % of the error arises here", node.name,
                                          node.sqnr_db, 100 * node.share));
  const auto bar = [&](double y, double height, const std::string &css) {
    svg.empty("rect",
              {{"x", place(x)}, {"y", place(y)}, {"width", place(wide)}, {"height", place(height)}, {"class", css}});
  };
  bar(top + high - tall, std::max(tall, 1.0), colour(node.sqnr_db));
  if (own > 0.3) bar(own_top, own, "b-poor");
  svg.close();
}

Markup chart(const std::vector<LayerLoss> &nodes) {
  double most_db = 40, most_share = 0.01;
  for (const LayerLoss &node : nodes)
    most_db = std::max(most_db, node.sqnr_db), most_share = std::max(most_share, node.share);
  Plot plot(width, own_top + own_high,
            fmt::format("Signal to noise behind each of {} nodes, and the part of the error that arises in each",
                        nodes.size()));
  for (double db = 0; db <= most_db; db += most_db > 80 ? 20 : 10) {
    const double y = top + high * (1 - db / most_db);
    plot.shapes().empty("path", {{"d", fmt::format("M0 {}H{}", place(y), place(width))}, {"class", "grid"}});
    plot.label_y(y, fmt::format("{:.0f} dB", db));
  }
  plot.label_y(own_top + 8, "arises");
  const double step = width / static_cast<double>(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    add_node(plot.shapes(), nodes[i], step * static_cast<double>(i), std::max(0.6, step * 0.78), most_db, most_share);
  plot.label_x(0, "first node");
  plot.label_x(width, "last node");
  return plot.drawn();
}

} // namespace

Markup layer_error(const View &run) {
  Markup html;
  const std::vector<LayerLoss> nodes = losses(run);
  if (nodes.empty()) return html;
  html.open("figure").add(chart(nodes));
  html.open("ul", {{"class", "key"}});
  key_entry(html, "b-good", "25 dB or more");
  key_entry(html, "b-look", "15 to 25 dB");
  key_entry(html, "b-poor", "less than 15 dB; below the line: error that arises here");
  html.close().leaf(
      "figcaption",
      "Upward: signal to noise of what a node gives, against the float network, with all error that reached it. "
      "Downward: the part of all error that arises in it, estimated as its noise-to-signal ratio less the largest that "
      "it reads.");
  html.close().leaf("h3", "Ranking: where the error arises");
  std::vector<LayerLoss> ranked = nodes;
  std::ranges::stable_sort(ranked, std::ranges::greater(), &LayerLoss::share);
  begin_table(html, "Where the error arises", {{"node"}, {"operator"}, {"arises here", true}, {"behind it", true}});
  for (const LayerLoss &node : ranked) {
    html.open("tr").leaf("td", node.name, {{"class", "name"}}).leaf("td", node.op);
    number_cell(html, node.share, fmt::format("{:.1f} %", 100 * node.share));
    number_cell(html, node.sqnr_db, fmt::format("{:.1f} dB", node.sqnr_db));
    html.close();
  }
  end_table(html);
  return html;
}

} // namespace edgec::figures
