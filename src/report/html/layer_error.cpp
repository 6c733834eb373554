// The error behind each node as the network runs, where it arises, and the nodes ranked by that.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

std::string colour(double sqnr_db) { return sqnr_db < 15 ? "b-poor" : sqnr_db < 25 ? "b-look" : "b-good"; }

void add_chart(Markup &html, const std::vector<LayerLoss> &nodes) {
  constexpr double width = 960, left = 40, top = 10, high = 170, own_top = 200, own_high = 60;
  const double step = (width - left) / static_cast<double>(nodes.size());
  double most = 40, share = 0.01;
  for (const LayerLoss &node : nodes) most = std::max(most, node.sqnr_db), share = std::max(share, node.share);
  Markup svg =
      drawing(width, own_top + own_high + 22,
              fmt::format("Signal to noise behind each of {} nodes, and the part of the error that arises in each",
                          nodes.size()),
              "wide");
  for (double db = 0; db <= most; db += most > 80 ? 20 : 10) {
    const double y = top + high * (1 - db / most);
    svg.empty("path", {{"d", fmt::format("M{} {}H{}", place(left), place(y), place(width))}, {"class", "grid"}});
    svg.leaf("text", fmt::format("{:.0f}", db),
             {{"x", place(left - 6)}, {"y", place(y + 4)}, {"text-anchor", "end"}, {"class", "axis"}});
  }
  svg.leaf("text", "dB", {{"x", "0"}, {"y", "14"}, {"class", "axis"}});
  svg.leaf("text", "arises", {{"x", "0"}, {"y", place(own_top + 12)}, {"class", "axis"}});
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const LayerLoss &node = nodes[i];
    const double x = left + step * static_cast<double>(i), tall = high * std::clamp(node.sqnr_db, 0.0, most) / most;
    const double wide = std::max(0.6, step * 0.78);
    svg.open("g").leaf("title", fmt::format("{}: {:.1f} dB behind it, {:.1f} % of the error arises here", node.name,
                                            node.sqnr_db, 100 * node.share));
    svg.empty("rect", {{"x", place(x)},
                       {"y", place(top + high - tall)},
                       {"width", place(wide)},
                       {"height", place(std::max(tall, 1.0))},
                       {"class", colour(node.sqnr_db)}});
    const double own = own_high * node.share / share;
    if (own > 0.3)
      svg.empty("rect", {{"x", place(x)},
                         {"y", place(own_top)},
                         {"width", place(wide)},
                         {"height", place(own)},
                         {"class", "b-poor"}});
    svg.close();
  }
  svg.leaf("text", "first node", {{"x", place(left)}, {"y", place(own_top + own_high + 18)}, {"class", "axis"}});
  svg.leaf("text", "last node",
           {{"x", place(width)}, {"y", place(own_top + own_high + 18)}, {"text-anchor", "end"}, {"class", "axis"}});
  html.open("div", {{"class", "scroll"}}).add(svg.close()).close();
}

} // namespace

Markup layer_error(const View &run) {
  Markup html;
  const std::vector<LayerLoss> nodes = losses(run);
  if (nodes.empty()) return html;
  html.open("figure");
  add_chart(html, nodes);
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
