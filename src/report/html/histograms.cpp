// Activations with the ranges that were chosen for them, and weights.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

constexpr std::size_t shown_first = 12;

std::string percent_text(double percent) {
  return percent > 0 && percent < 0.01 ? "less than 0.01 %" : fmt::format("{:.2f} %", percent);
}

/// The first ones at once, the others behind a summary.
void add_grid(Markup &html, const std::vector<Markup> &pictures, const char *what) {
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (i == shown_first) {
      html.close().open("details").leaf("summary", fmt::format("{} more {}", pictures.size() - shown_first, what));
    }
    if (i == 0 || i == shown_first) html.open("div", {{"class", "small"}});
    html.add(pictures[i]);
  }
  if (!pictures.empty()) html.close();
  if (pictures.size() > shown_first) html.close();
}

Markup captioned(const Markup &picture, const std::string &name, const std::string &text) {
  Markup html;
  html.open("figure").open("figcaption").leaf("b", shortened(name, 60), {{"title", shortened(name, 300)}});
  return html.text(text).close().add(picture).close();
}

} // namespace

Markup activations(const View &run) {
  Markup html;
  std::vector<View> values = run.list("activations");
  std::erase_if(values, [](const View &value) { return !value.has("seen"); });
  if (values.empty()) return html;
  std::ranges::stable_sort(values, std::ranges::greater(),
                           [](const View &value) { return value.number_or("clipped", 0); });
  std::vector<Markup> pictures;
  for (const View &value : values) {
    const std::string name = value.text("name").empty() ? value.text("node") : value.text("name");
    const double low = value.number_or("low", 0), high = value.number_or("high", 0),
                 clipped = 100 * value.number_or("clipped", 0);
    const std::string text = fmt::format("{:.0f} bits for {:.3g} .. {:.3g}, {} clipped", value.number_or("bits", 8),
                                         low, high, percent_text(clipped));
    pictures.push_back(captioned(histogram(value.at("seen"), std::pair(low, high)), name, text));
  }
  html.leaf(
      "p",
      "What calibration saw of each value, most clipped first. Between the red lines are the reals that codes reach; "
      "beyond them values are clipped. Heights are square roots of counts.",
      {{"class", "soft"}});
  add_grid(html, pictures, "values");
  return html;
}

Markup weights(const View &run) {
  Markup html;
  std::vector<View> layers = run.list("layers");
  std::erase_if(layers, [](const View &layer) { return !layer.has("weights"); });
  if (layers.empty()) return html;
  std::ranges::stable_sort(layers, std::ranges::greater(),
                           [](const View &layer) { return layer.number_or("bytes", 0); });
  std::vector<Markup> pictures;
  for (const View &layer : layers) {
    const double all = layer.number_or("parameters", 0), zeros = layer.number_or("zeros", 0);
    const std::string text =
        fmt::format("{:.1f} bits, {:.0f} different values, {:.0f} % zero", layer.number_or("bits_per_parameter", 0),
                    layer.number_or("distinct", 0), all > 0 ? 100 * zeros / all : 0);
    pictures.push_back(captioned(histogram(layer.at("weights"), std::nullopt), layer.text("name"), text));
  }
  html.leaf(
      "p",
      "Weights as the written file stores them, as reals, largest layer first. Heights are square roots of counts.",
      {{"class", "soft"}});
  add_grid(html, pictures, "layers");
  return html;
}

} // namespace edgec::figures
