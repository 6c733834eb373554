// What was left float and why, and where the result comes from.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {

Markup left_float(const View &run) {
  Markup html;
  std::vector<View> layers = run.list("layers");
  std::erase_if(layers, [](const View &layer) { return layer.text("left_float").empty(); });
  if (layers.empty()) return html;
  std::ranges::stable_sort(layers, std::ranges::greater(),
                           [](const View &layer) { return layer.number_or("float_bytes", 0); });
  begin_table(html, "Nodes left float", {{"node"}, {"operator"}, {"float", true}, {"why"}});
  for (const View &layer : layers) {
    html.open("tr").leaf("td", layer.text("name"), {{"class", "name"}}).leaf("td", layer.text("operator"));
    const double bytes = layer.number_or("float_bytes", 0);
    number_cell(html, bytes, bytes_text(bytes));
    html.leaf("td", layer.text("left_float")).close();
  }
  end_table(html);
  return html;
}

Markup provenance(const View &run) {
  Markup html;
  const View from = run.at("provenance");
  html.open("dl");
  const auto row = [&](std::string_view name, const std::string &value) {
    if (!value.empty()) html.leaf("dt", name).open("dd").leaf("code", value).close();
  };
  std::string options;
  if (const auto &json = from.at("options").json(); json.is_object())
    for (const auto &[key, value] : json.items())
      if (value.is_string()) options += (options.empty() ? "" : " ") + key + "=" + value.get<std::string>();
  row("program", fmt::format("{} {} {}", from.text("program"), from.text("version"), from.text("command")));
  row("options", options);
  row("seed", fmt::format("{:.0f}", from.number_or("seed", 0)));
  row("instruction set", from.text("isa"));
  row("input", from.text("input"));
  row("its SHA-256", from.text("input_sha256"));
  row("output", from.text("output"));
  row("its SHA-256", from.text("output_sha256"));
  row("compared on", run.at("verified").text("data"));
  row("accuracy on", run.at("evaluated").text("data"));
  if (const auto seconds = run.number("seconds")) row("took", fmt::format("{:.1f} s", *seconds));
  if (const auto peak = run.number("peak_memory_bytes")) row("memory", bytes_text(*peak));
  for (const std::string &note : run.texts("notes")) row("note", note);
  return html.close();
}

} // namespace edgec::figures
