// The page: a template, its figures as rows of a table, several runs below a comparison.
#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "generated/report/texts.h"
#include "report/html/figures.h"
#include "report/report_file.h"

namespace edgec {
namespace {

struct Figure {
  const char *id, *title;
  Markup (*render)(const View &run);
  const char *missing; ///< what to do for it where there is no data; null: it is left out
};
constexpr Figure figures_of_page[] = {
    {"findings", "What stands out", figures::stands_out, nullptr},
    {"tradeoff", "Size and accuracy", figures::tradeoff, nullptr},
    {"size", "Size by layer", figures::sizes, "The report has no sizes of layers."},
    {"error", "Error by layer, and where it comes from", figures::layer_error,
     "No layer was measured, or none differs: that takes samples (--calib), and layers that keep their names, which "
     "the "
     "coded weights of .edgec do not."},
    {"answers", "Answers that changed", figures::changed_answers,
     "No answers were compared: that takes samples (--calib, --eval) and one answer each."},
    {"activations", "Activations and their ranges", figures::activations, nullptr},
    {"weights", "Weights", figures::weights, nullptr},
    {"network", "The network", figures::network, "The report has no graph."},
    {"float", "Left float, and why", figures::left_float, nullptr},
    {"provenance", "Where this comes from", figures::provenance, nullptr},
};

/// Reals with as many digits as any figure has use for.
void shorten(nlohmann::ordered_json &data) {
  if (data.is_structured())
    for (auto &member : data) shorten(member);
  else if (data.is_number_float())
    data = std::stod(fmt::format("{:.6g}", data.get<double>()));
}

/// JSON that cannot end the script element it stands in.
std::string embedded(nlohmann::ordered_json data) {
  shorten(data);
  std::string safe;
  for (const char c : data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace))
    c == '<' ? safe += "\\u003c" : c == '>' ? safe += "\\u003e" : safe += c;
  return safe;
}

std::string_view badge(Verdict verdict) {
  switch (verdict) {
  case Verdict::good: return "verdict good";
  case Verdict::look: return "verdict look";
  case Verdict::poor: return "verdict poor";
  case Verdict::unverified: break;
  }
  return "verdict mute";
}

std::string title_of(const View &run) {
  const View from = run.at("provenance");
  const std::string output = file_name(from.text("output"));
  return file_name(from.text("input")) + (output.empty() ? "" : " \xE2\x86\x92 " + output);
}

/// Ids are unique where a page has several runs, and names begin with the run's, if it has one.
Markup run_body(const View &run, std::size_t index, const std::string &name = {}) {
  const std::string of = name.empty() ? "" : name + "-title ";
  Markup html;
  html.leaf("span", verdict_text(run), {{"class", std::string(badge(verdict_of(run)))}});
  html.add(figures::tiles(run));
  Markup links, sections;
  for (const Figure &figure : figures_of_page) {
    Markup body = figure.render(run);
    if (body.is_empty() && figure.missing == nullptr) continue;
    if (body.is_empty()) body.leaf("p", figure.missing, {{"class", "soft"}});
    const std::string id = fmt::format("{}-{}", figure.id, index + 1);
    links.leaf("a", figure.title, {{"href", "#" + id}});
    sections.open("section", {{"id", id}, {"aria-labelledby", of + id + "-title"}});
    sections.leaf("h2", figure.title, {{"id", id + "-title"}}).add(body).close();
  }
  const std::string figures = fmt::format("nav-{}", index + 1);
  html.open("nav", {{"aria-labelledby", of + figures}}).leaf("b", "Figures", {{"id", figures}});
  return html.add(links).close().add(sections);
}

/// What runs that all measured it are worth: accuracy, else how many answers stayed.
void add_plane(Markup &html, const std::vector<View> &runs) {
  const auto top1 = [](const View &run) { return run.at("evaluated").number("top1"); };
  const auto agreement = [](const View &run) {
    return run.at(run.has("verified") ? "verified" : "evaluated").number("agreement");
  };
  const bool labelled = std::ranges::all_of(runs, [&](const View &run) { return top1(run).has_value(); });
  figures::Plane plane{{}, "%", {}};
  for (const View &run : runs) {
    const auto bytes = run.at("after").number("bytes"), share = labelled ? top1(run) : agreement(run);
    if (!bytes || !share) return;
    plane.points.push_back({*bytes, 100 * *share, false, title_of(run)});
  }
  const char *what = labelled ? "Top-1 accuracy over size" : "Answers that stayed the same over size";
  html.open("figure").add(figures::drawing_of(plane, what));
  html.leaf("figcaption", fmt::format("{}. Point at a run for its name.", what)).close();
}

/// The runs of a page side by side.
Markup comparison(const std::vector<View> &runs) {
  Markup html;
  html.open("section").leaf("h2", "Side by side");
  figures::begin_table(html, "Runs side by side",
                       {{"run"},
                        {"size", true},
                        {"of before", true},
                        {"top-1", true},
                        {"same answers", true},
                        {"SQNR", true},
                        {"time", true},
                        {"verdict"}});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const View &run = runs[i], verified = run.at(run.has("verified") ? "verified" : "evaluated");
    const auto bytes = run.at("after").number("bytes"), before = run.at("before").number("bytes");
    const auto top1 = run.at("evaluated").number("top1"), agreement = verified.number("agreement"),
               sqnr = verified.number("sqnr_db"), time = run.at("latency_after").number("median_ms");
    html.open("tr")
        .open("td", {{"class", "name"}})
        .leaf("a", title_of(run), {{"href", fmt::format("#run-{}", i + 1)}})
        .close();
    figures::number_cell(html, bytes, bytes_text(bytes.value_or(0)));
    const auto share = bytes && before && *before > 0 ? std::optional(100 * *bytes / *before) : std::nullopt;
    figures::number_cell(html, share, fmt::format("{:.1f} %", share.value_or(0)));
    figures::number_cell(html, top1, fmt::format("{:.2f} %", 100 * top1.value_or(0)));
    figures::number_cell(html, agreement, fmt::format("{:.2f} %", 100 * agreement.value_or(0)));
    figures::number_cell(html, sqnr, fmt::format("{:.1f} dB", sqnr.value_or(0)));
    figures::number_cell(html, time, fmt::format("{:.3g} ms", time.value_or(0)));
    html.leaf("td", verdict_text(run)).close();
  }
  figures::end_table(html);
  add_plane(html, runs);
  return html.close();
}

Markup body_of(const std::vector<View> &runs) {
  Markup html;
  if (runs.size() == 1) return html.leaf("h1", title_of(runs[0])).add(run_body(runs[0], 0));
  html.leaf("h1", fmt::format("{} runs", runs.size())).add(comparison(runs));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string name = fmt::format("run-{}", i + 1);
    html.open("details", {{"id", name}, {"open", ""}}).leaf("summary", title_of(runs[i]), {{"id", name + "-title"}});
    html.add(run_body(runs[i], i, name)).close();
  }
  return html;
}

/// The template with its {{names}} replaced; what is put in is not looked through again.
std::string filled(std::string_view page, std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  std::string text;
  for (std::size_t at = page.find("{{"); at != page.npos; at = page.find("{{")) {
    const std::size_t end = page.find("}}", at);
    const std::string_view name = page.substr(at + 2, end - at - 2);
    text += page.substr(0, at);
    for (const auto &[key, value] : values)
      if (key == name) text += value;
    page.remove_prefix(end + 2);
  }
  return text + std::string(page);
}

} // namespace

std::string page_of(const std::string &title, const std::string &version, const Markup &body,
                    const nlohmann::ordered_json &data) {
  return filled(texts::page_html, {{"title", escaped(title)},
                                   {"css", texts::page_css},
                                   {"js", texts::page_js},
                                   {"version", escaped(version)},
                                   {"body", body.str()},
                                   {"data", embedded(data)}});
}

std::string network_page(const nlohmann::ordered_json &report) {
  const View run(report), after = run.at("after");
  Markup html;
  html.leaf("h1", title_of(run)).open("div", {{"class", "tiles"}});
  const auto tile = [&](const char *name, const std::string &value) {
    html.open("div", {{"class", "tile"}}).leaf("span", name, {{"class", "name"}}).leaf("b", value).close();
  };
  tile("Size", bytes_text(after.number_or("bytes", 0)));
  tile("Parameters", grouped(static_cast<std::uint64_t>(std::clamp(after.number_or("parameters", 0), 0.0, 1e18))));
  tile("Bits each", fmt::format("{:.1f}", after.number_or("bits_per_parameter", 0)));
  tile("Multiply-accumulates", fmt::format("{:.3g} M", after.number_or("macs", 0) / 1e6));
  tile("Nodes", fmt::format("{:.0f}", after.number_or("nodes", 0)));
  html.close();
  for (const Figure &figure : figures_of_page) {
    const std::string_view id = figure.id;
    if (id != "size" && id != "weights" && id != "network" && id != "provenance") continue;
    const Markup body = figure.render(run);
    if (body.is_empty()) continue;
    html.open("section", {{"aria-labelledby", std::string(id)}}).leaf("h2", figure.title, {{"id", std::string(id)}});
    html.add(body).close();
  }
  return page_of("edgec: " + title_of(run), run.at("provenance").text("version"), html,
                 nlohmann::ordered_json::array({report}));
}

std::string html_report(const std::vector<nlohmann::ordered_json> &reports) {
  const std::vector<View> runs(reports.begin(), reports.end());
  const std::string title = runs.size() == 1 ? title_of(runs[0]) : fmt::format("{} runs", runs.size());
  return page_of("edgec: " + title, runs.front().at("provenance").text("version"), body_of(runs), reports);
}

} // namespace edgec
