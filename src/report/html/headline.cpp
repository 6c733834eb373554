// The first screen: size, accuracy and time before and after with how sure they are, and what a reader looks for.
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

void tile(Markup &html, std::string_view name, const std::string &value, const std::string &below,
          const std::string &sure) {
  html.open("div", {{"class", "tile"}}).leaf("span", name, {{"class", "name"}}).leaf("b", value);
  html.leaf("div", below);
  if (!sure.empty()) html.leaf("div", sure, {{"class", "soft"}});
  html.close();
}

constexpr const char *arrow = " \xE2\x86\x92 ";

void add_size(Markup &html, const View &run) {
  const auto before = run.at("before").number("bytes"), after = run.at("after").number("bytes");
  if (!before || !after || *after <= 0) return;
  tile(html, "Size", fmt::format("{:.3g}\xC3\x97 smaller", *before / *after),
       bytes_text(*before) + arrow + bytes_text(*after),
       fmt::format("{:.0f} % of the original", 100 * *after / *before));
}

void add_accuracy(Markup &html, const View &run) {
  const View evaluated = run.at("evaluated");
  const auto top1 = evaluated.number("top1"), before = evaluated.number("reference_top1");
  if (!top1) return tile(html, "Accuracy", "\xE2\x80\x93", "not measured", "give --eval with labels");
  const auto [low, high] = interval_of(*top1, evaluated.number_or("samples", 0));
  const std::string was = before ? fmt::format("{:.2f} %{}", 100 * *before, arrow) : "";
  tile(html, "Top-1 accuracy", fmt::format("{:.2f} %", 100 * *top1), fmt::format("{}{:.2f} %", was, 100 * *top1),
       fmt::format("95 % sure: {:.1f} \xE2\x80\x93 {:.1f} %, {:.0f} samples", 100 * low, 100 * high,
                   evaluated.number_or("samples", 0)));
}

void add_agreement(Markup &html, const View &run) {
  const View verified = run.at(run.has("verified") ? "verified" : "evaluated");
  const auto agreement = verified.number("agreement"), sqnr = verified.number("sqnr_db");
  const double samples = verified.number_or("samples", 0);
  if (agreement) {
    const double half = 196 * verified.number_or("agreement_se", 0);
    tile(html, "Same answers", fmt::format("{:.2f} %", 100 * *agreement),
         fmt::format("as the original, {:.0f} samples", samples),
         fmt::format("95 % sure: \xC2\xB1{:.1f} points", half));
  }
  if (run.has("verified") || run.has("evaluated"))
    tile(html, "Signal to noise", sqnr ? fmt::format("{:.1f} dB", *sqnr) : "equal",
         "of the answers, against the original", "30 dB: an error of 3 % of the signal");
  else
    tile(html, "Error", "\xE2\x80\x93", "not verified", shortened(run.text("unverified"), 90));
}

/// "2.1x faster", "1.2x slower", "1.4 ms" where there is nothing to compare with.
std::string speed_text(std::optional<double> was, double is) {
  if (!was || is <= 0 || *was <= 0) return fmt::format("{:.3g} ms", is);
  return *was >= is ? fmt::format("{:.2f}\xC3\x97 faster", *was / is) : fmt::format("{:.2f}\xC3\x97 slower", is / *was);
}

void add_time(Markup &html, const View &run) {
  const View before = run.at("latency_before"), after = run.at("latency_after");
  const auto was = before.number("median_ms"), is = after.number("median_ms");
  if (!is) return tile(html, "Time", "\xE2\x80\x93", "not measured", "give --latency");
  tile(html, "Time of an inference", speed_text(was, *is),
       was ? fmt::format("{:.3g} ms{}{:.3g} ms", *was, arrow, *is) : "",
       fmt::format("medians, {:.0f} runs; 9 in 10 within {:.3g} ms", after.number_or("runs", 0),
                   after.number_or("p90_ms", 0)));
}

void add_list(Markup &html, const char *kind, std::string_view title, const std::vector<std::string> &lines,
              std::string_view none) {
  html.open("div").leaf("h3", title);
  if (lines.empty()) html.leaf("p", none, {{"class", "soft"}});
  if (!lines.empty()) html.open(kind);
  for (const std::string &line : lines) html.leaf("li", line);
  if (!lines.empty()) html.close();
  html.close();
}

} // namespace

Markup tiles(const View &run) {
  Markup html;
  html.open("div", {{"class", "tiles"}});
  add_size(html, run);
  add_accuracy(html, run);
  add_agreement(html, run);
  add_time(html, run);
  return html.close();
}

Markup stands_out(const View &run) {
  Markup html;
  for (const std::string &warning : run.texts("warnings")) html.leaf("div", warning, {{"class", "warn"}});
  for (const View &budget : run.list("budgets"))
    html.leaf("p",
              fmt::format("{} {} {:.6g}: {:.6g} was found", budget.text("name"), budget.flag("met") ? "met" : "MISSED",
                          budget.number_or("limit", 0), budget.number_or("found", NAN)));
  html.open("div", {{"class", "three"}});
  add_list(html, "ul", "Why the file is as large as it is", why_so_large(run), "The report does not say.");
  std::vector<std::string> worst;
  for (const LayerLoss &loss : worst_losses(run))
    if (worst.size() < 3)
      worst.push_back(fmt::format("{} ({}): {:.0f} % of the error arises here, {:.1f} dB behind it", loss.name, loss.op,
                                  100 * loss.share, loss.sqnr_db));
  add_list(html, "ol", "The three layers that lose most", worst, "No layer was measured, or none differs.");
  add_list(html, "ul", "What to try", what_to_try(run), "Nothing: this is as good as it gets.");
  return html.close();
}

} // namespace edgec::figures
