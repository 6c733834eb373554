#include "report/findings.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

namespace edgec {
namespace {

constexpr double poor_db = 15, fair_db = 25;

/// Where a node's noise is less than its inputs' none of it is its own.
std::vector<double> own_noise(const std::vector<View> &nodes) {
  std::vector<double> reached(nodes.size()), own(nodes.size()); // noise to signal at each output; what arose there
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    double read = 0;
    for (const double input : nodes[i].numbers("inputs"))
      if (input >= 0 && input < static_cast<double>(i)) read = std::max(read, reached[static_cast<std::size_t>(input)]);
    const auto sqnr = nodes[i].number("sqnr_db");
    reached[i] = sqnr ? std::pow(10, -*sqnr / 10) : read;
    own[i] = sqnr ? std::max(0.0, reached[i] - read) : 0;
  }
  return own;
}

/// A regular expression that fits the name alone.
std::string quoted(const std::string &name) {
  std::string pattern;
  for (const char c : name) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

double percent_of(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

} // namespace

std::vector<LayerBytesBeside> bytes_by_layer(const View &run) {
  std::map<std::string, std::size_t> places;
  std::vector<LayerBytesBeside> layers;
  for (const View &layer : run.list("layers")) {
    if (layer.number_or("parameters", 0) <= 0) continue;
    places.emplace(layer.text("name"), layers.size());
    layers.push_back({layer.text("name"), layer.text("operator"), 0, layer.number_or("bytes", 0),
                      layer.number_or("bits_per_parameter", 0)});
  }
  for (const View &layer : run.list("layers_before")) {
    const auto place = places.find(layer.text("name"));
    if (place != places.end())
      layers[place->second].before += layer.number_or("bytes", 0);
    else
      layers.push_back({layer.text("name"), layer.text("operator"), layer.number_or("bytes", 0), 0, 0});
  }
  std::ranges::stable_sort(layers, std::ranges::greater(),
                           [](const LayerBytesBeside &layer) { return std::max(layer.before, layer.after); });
  return layers;
}

std::vector<LayerLoss> losses(const View &run) {
  const std::vector<View> nodes = run.list("nodes");
  const std::vector<double> own = own_noise(nodes);
  double all = 0;
  for (const double noise : own) all += noise;
  std::vector<LayerLoss> found;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (const auto sqnr = nodes[i].number("sqnr_db"))
      found.push_back({nodes[i].text("name"), nodes[i].text("operator"), *sqnr, all > 0 ? own[i] / all : 0});
  return found;
}

std::vector<LayerLoss> worst_losses(const View &run) {
  std::vector<LayerLoss> found = losses(run);
  std::erase_if(found, [](const LayerLoss &loss) { return loss.share <= 0; });
  std::ranges::stable_sort(found, std::ranges::greater(), &LayerLoss::share);
  return found;
}

Verdict verdict_of(const View &run) {
  for (const View &budget : run.list("budgets"))
    if (!budget.flag("met")) return Verdict::poor;
  for (const std::string &warning : run.texts("warnings"))
    if (warning.find("POOR") != std::string::npos) return Verdict::poor;
  if (!run.has("verified") && !run.has("evaluated")) return Verdict::unverified;
  const View measured = run.at(run.has("verified") ? "verified" : "evaluated");
  const auto sqnr = measured.number("sqnr_db");
  if (sqnr && *sqnr < poor_db) return Verdict::poor;
  const bool fair = (sqnr && *sqnr < fair_db) || measured.number_or("agreement", 1) < 0.98;
  return fair || !run.texts("warnings").empty() ? Verdict::look : Verdict::good;
}

std::string verdict_text(const View &run) {
  switch (verdict_of(run)) {
  case Verdict::good: return "Faithful: it answers as the original does";
  case Verdict::look: return "Look at it: close to the original, but read the warnings and the error below";
  case Verdict::poor: return "Poor: a budget was missed or the answers differ";
  case Verdict::unverified: break;
  }
  return "Not verified: no figure here rests on real data";
}

std::vector<std::string> why_so_large(const View &run) {
  std::vector<std::string> sentences;
  const View after = run.at("after");
  const double file = after.number_or("bytes", 0), stored = after.number_or("parameter_bytes", 0);
  if (file <= 0) return sentences;
  auto layers = bytes_by_layer(run);
  std::ranges::stable_sort(layers, std::ranges::greater(), &LayerBytesBeside::after);
  double most = 0, floats = 0;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, layers.size()); ++i) {
    most += layers[i].after;
    names.push_back(layers[i].name);
  }
  for (const View &layer : run.list("layers")) floats += layer.number_or("float_bytes", 0);
  if (!names.empty() && stored > 0)
    sentences.push_back(
        fmt::format("{:.0f} % of the weights' bytes are in {}.", percent_of(most, stored), fmt::join(names, ", ")));
  constexpr double notable = 0.01;
  if (stored > 0 && floats / stored >= notable)
    sentences.push_back(
        fmt::format("{} of weights are still float: {:.0f} %.", bytes_text(floats), percent_of(floats, stored)));
  if (stored < file)
    sentences.push_back(fmt::format("{} ({:.0f} %) hold no weights: the graph, names, scales, metadata.",
                                    bytes_text(file - stored), percent_of(file - stored, file)));
  else
    sentences.push_back(fmt::format("The file packs {} of weights into {}.", bytes_text(stored), bytes_text(file)));
  return sentences;
}

std::vector<std::string> what_to_try(const View &run) {
  std::vector<std::string> advice = run.texts("next");
  std::vector<std::string> names;
  for (const LayerLoss &loss : worst_losses(run))
    if (names.size() < 3 && loss.op != "QuantizeLinear" && loss.op != "DequantizeLinear")
      names.push_back(quoted(loss.name));
  const bool int8 = !run.at("provenance").at("options").text("int8").empty();
  if (int8 && !names.empty() && verdict_of(run) != Verdict::good)
    advice.push_back(
        fmt::format("--keep-float '{}': the layers that lose most compute on floats", fmt::join(names, "|")));
  const bool told =
      std::ranges::any_of(advice, [](const std::string &text) { return text.find("--eval") != std::string::npos; });
  if (!told && !run.at("evaluated").number("top1"))
    advice.push_back("--eval DATA: measures accuracy with labels, before and after");
  if (!run.has("latency_after")) advice.push_back("--latency: measures the time of one inference, before and after");
  return advice;
}

std::pair<double, double> interval_of(double share, double samples) {
  constexpr double z = 1.96;
  if (samples <= 0) return {0, 1};
  const double middle = (share + z * z / (2 * samples)) / (1 + z * z / samples);
  const double half =
      z / (1 + z * z / samples) * std::sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::string file_name(const std::string &path) { return path.substr(path.find_last_of('/') + 1); }

} // namespace edgec
