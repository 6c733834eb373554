// The graph as a picture: a node's row is its longest path from the inputs, its colour the numbers it computes with.
#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

constexpr std::size_t most_nodes = 1500;
constexpr double wide = 150, tall = 34, gap_x = 18, gap_y = 24;

struct Place {
  std::size_t row = 0;
  double column = 0; ///< of the row, from its middle
};

/// Rows by longest path; within a row by the mean column of what a node reads (Sugiyama et al. 1981, one sweep down).
std::vector<Place> layout(const std::vector<std::vector<std::size_t>> &inputs) {
  std::vector<Place> places(inputs.size());
  std::vector<std::vector<std::size_t>> rows;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (const std::size_t input : inputs[i]) places[i].row = std::max(places[i].row, places[input].row + 1);
  }
  for (std::size_t i = inputs.size(); i-- > 0;) // what reads nothing stands above its first reader
    for (const std::size_t input : inputs[i])
      if (inputs[input].empty()) places[input].row = std::max<std::size_t>(places[i].row, 1) - 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    rows.resize(std::max(rows.size(), places[i].row + 1));
    rows[places[i].row].push_back(i);
  }
  for (std::vector<std::size_t> &row : rows) {
    std::map<std::size_t, double> wanted;
    for (const std::size_t node : row) {
      double sum = 0;
      for (const std::size_t input : inputs[node]) sum += places[input].column;
      wanted[node] = inputs[node].empty() ? 0 : sum / static_cast<double>(inputs[node].size());
    }
    std::ranges::stable_sort(row, std::ranges::less(), [&](std::size_t node) { return wanted[node]; });
    for (std::size_t i = 0; i < row.size(); ++i)
      places[row[i]].column = static_cast<double>(i) - static_cast<double>(row.size() - 1) / 2;
  }
  return places;
}

/// From the foot of a node to the head of another one; where it passes rows between them, aside of what stands there.
std::string wire(double ax, double ay, double bx, double by) {
  if (by - ay <= gap_y || ax != bx)
    return fmt::format("M{} {}C{} {} {} {} {} {}", place(ax), place(ay), place(ax), place(ay + gap_y), place(bx),
                       place(by - gap_y), place(bx), place(by));
  const double aside = ax + wide / 2 + gap_x / 2;
  return fmt::format("M{} {}C{} {} {} {} {} {}V{}C{} {} {} {} {} {}", place(ax), place(ay), place(ax),
                     place(ay + gap_y / 2), place(aside), place(ay), place(aside), place(ay + gap_y), place(by - gap_y),
                     place(aside), place(by), place(bx), place(by - gap_y / 2), place(bx), place(by));
}

void add_node(Markup &svg, const View &node, double x, double y) {
  const auto sqnr = node.number("sqnr_db");
  const std::string number = node.text("number");
  svg.open("g").leaf("title",
                     fmt::format("{}: {}, {}{}", node.text("name"), node.text("operator"),
                                 number.empty() ? "-" : number, sqnr ? fmt::format(", {:.1f} dB", *sqnr) : ""));
  svg.empty("rect", {{"x", place(x)},
                     {"y", place(y)},
                     {"width", place(wide)},
                     {"height", place(tall)},
                     {"rx", "6"},
                     {"class", std::string(kind_of(number).css)}});
  svg.leaf("text", shortened(node.text("operator"), 20),
           {{"x", place(x + 8)}, {"y", place(y + 14)}, {"font-weight", "600"}});
  svg.leaf("text", shortened(node.text("name"), 22), {{"x", place(x + 8)}, {"y", place(y + 28)}, {"class", "axis"}})
      .close();
}

} // namespace

Markup network(const View &run) {
  Markup html;
  const std::vector<View> nodes = run.list("nodes");
  if (nodes.empty()) return html;
  if (nodes.size() > most_nodes)
    return html.leaf("p", fmt::format("The network has {} nodes: too many to draw.", nodes.size()));
  std::vector<std::vector<std::size_t>> inputs(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const double input : nodes[i].numbers("inputs"))
      if (input >= 0 && input < static_cast<double>(i)) inputs[i].push_back(static_cast<std::size_t>(input));
  const std::vector<Place> places = layout(inputs);
  double least = 0, most = 0, rows = 1;
  for (const Place &at : places)
    least = std::min(least, at.column), most = std::max(most, at.column),
    rows = std::max(rows, static_cast<double>(at.row) + 1);
  const auto x = [&](std::size_t i) { return 10 + (places[i].column - least) * (wide + gap_x); };
  const auto y = [&](std::size_t i) { return 10 + static_cast<double>(places[i].row) * (tall + gap_y); };
  Markup svg = drawing(
      20 + (most - least) * (wide + gap_x) + wide + gap_x, 20 + rows * (tall + gap_y) - gap_y,
      fmt::format("The written network, {} nodes from the inputs downward, coloured by the numbers they compute with",
                  nodes.size()));
  std::string wires;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const std::size_t input : inputs[i]) {
      wires += wire(x(input) + wide / 2, y(input) + tall, x(i) + wide / 2, y(i));
    }
  svg.empty("path", {{"d", wires}, {"class", "wire"}});
  std::map<std::string_view, std::string_view> kinds;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    add_node(svg, nodes[i], x(i), y(i));
    const Kind kind = kind_of(nodes[i].text("number"));
    kinds.emplace(kind.css, kind.text);
  }
  html.open("figure").open("div", {{"class", "picture"},
                                   {"tabindex", "0"},
                                   {"role", "group"},
                                   {"aria-label", "The network; scroll to look around"}});
  html.add(svg.close()).close().open("ul", {{"class", "key"}});
  for (const auto &[css, text] : kinds) key_entry(html, css, text);
  html.close().leaf(
      "figcaption",
      "Scroll or drag to move, Ctrl and wheel to zoom. Point at a node for its whole name and its error.");
  return html.close();
}

} // namespace edgec::figures
