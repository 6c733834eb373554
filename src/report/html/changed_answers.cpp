// The answers that are not the original's: which class became which, and the samples of which it was surest.
#include <algorithm>
#include <fmt/format.h>

#include "report/html/figures.h"

namespace edgec::figures {
namespace {

constexpr const char *arrow = " \xE2\x86\x92 ";

std::string summary(const View &changes) {
  const double changed = changes.number_or("changed", 0);
  std::string text =
      fmt::format("{:.0f} of {:.0f} answers are not the original's", changed, changes.number_or("samples", 0));
  const auto lost = changes.number("lost"), gained = changes.number("gained");
  if (lost && gained && changed > 0)
    text += fmt::format(": {:.0f} were right and no longer are, {:.0f} became right, {:.0f} are wrong either way",
                        *lost, *gained, std::max(0.0, changed - *lost - *gained));
  return text + ".";
}

/// Every class that an answer was or became: numbers by value, names by their bytes.
std::vector<std::string> classes_of(const std::vector<View> &pairs) {
  std::vector<std::string> classes;
  for (const View &pair : pairs)
    for (const char *key : {"before", "after"}) classes.push_back(pair.text(key));
  std::ranges::sort(classes, [](const std::string &a, const std::string &b) {
    const auto is_number = [](const std::string &text) { return text.find_first_not_of("0123456789") == text.npos; };
    return is_number(a) && is_number(b) && a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  const auto rest = std::ranges::unique(classes);
  classes.erase(rest.begin(), rest.end());
  return classes;
}

/// Whether a phone has room for a column of each.
bool fit_side_by_side(const std::vector<std::string> &classes) {
  constexpr std::size_t room = 36; // characters
  std::size_t longest = 1;
  for (const std::string &name : classes) longest = std::max(longest, name.size());
  return longest + classes.size() * std::max<std::size_t>(longest + 1, 3) <= room;
}

void add_matrix(Markup &html, const std::vector<View> &pairs, const std::vector<std::string> &classes) {
  html.open("table", {{"class", "matrix"}}).leaf("caption", "Down: the original's answer. Across: the answer now.");
  html.open("thead").open("tr").leaf("td", "");
  for (const std::string &name : classes) html.leaf("th", name, {{"scope", "col"}});
  html.close().close().open("tbody");
  for (const std::string &before : classes) {
    html.open("tr").leaf("th", before, {{"scope", "row"}});
    for (const std::string &after : classes) {
      double count = 0;
      for (const View &pair : pairs)
        if (pair.text("before") == before && pair.text("after") == after) count = pair.number_or("count", 0);
      html.leaf("td",
                count > 0         ? fmt::format("{:.0f}", count)
                : before == after ? "\xC2\xB7"
                                  : "",
                {{"class", count > 0 ? "some" : ""}});
    }
    html.close();
  }
  html.close().close();
}

void add_pairs(Markup &html, const std::vector<View> &pairs) {
  begin_table(html, "Which class became which", {{"original's answer"}, {"answer now"}, {"samples", true}});
  for (const View &pair : pairs) {
    html.open("tr").leaf("td", pair.text("before"), {{"class", "name"}}).leaf("td", pair.text("after"));
    number_cell(html, pair.number("count"), fmt::format("{:.0f}", pair.number_or("count", 0)));
    html.close();
  }
  end_table(html);
}

void add_sample(Markup &html, const View &sample) {
  const std::string name = sample.text("name"), right = sample.text("right"), jpeg = sample.text("jpeg");
  html.open("figure");
  if (!jpeg.empty())
    html.empty("img", {{"alt", shortened(name, 100)}, {"src", "data:image/jpeg;base64," + jpeg}, {"width", "64"}});
  html.open("figcaption").leaf("b", sample.text("before") + arrow + sample.text("after"));
  if (!right.empty()) html.leaf("span", "right: " + right);
  html.leaf("span", fmt::format("led by {:.3g}, now behind by {:.3g}", sample.number_or("lead", 0),
                                sample.number_or("lead_now", 0)));
  html.leaf("span", shortened(name, 60)).close().close();
}

} // namespace

Markup changed_answers(const View &run) {
  Markup html;
  const View changes = run.at("changes");
  if (!changes.has("samples")) return html;
  html.leaf("p", summary(changes));
  const std::vector<View> pairs = changes.list("pairs"), shown = changes.list("shown");
  if (pairs.empty()) return html;
  const std::vector<std::string> classes = classes_of(pairs);
  fit_side_by_side(classes) ? add_matrix(html, pairs, classes) : add_pairs(html, pairs);
  if (shown.empty()) return html;
  html.leaf("h3", "Those of which the original was surest").open("div", {{"class", "answers"}});
  for (const View &sample : shown) add_sample(html, sample);
  html.close().leaf("p",
                    "Led by: how far the original's score of its answer was above that of the answer now; behind by: "
                    "the same gap in the scores now.",
                    {{"class", "soft"}});
  return html;
}

} // namespace edgec::figures
