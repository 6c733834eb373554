#include "support/nearest.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace edgec {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char &c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    std::swap(last, row);
  }
  return last[b.size()];
}

std::vector<std::string> nearest(std::string_view word, std::span<const std::string> names, std::size_t limit) {
  constexpr std::size_t longest = 200; // names come from files: a longer one is not a typing mistake
  const std::string wanted = lower(word.substr(0, longest));
  if (wanted.empty()) return {};
  const std::size_t reach = std::max<std::size_t>(2, wanted.size() / 3);
  std::vector<std::pair<std::size_t, const std::string *>> found;
  for (const std::string &name : names) {
    if (name.empty() || name.size() > longest) continue;
    const std::string candidate = lower(name);
    const std::size_t distance = edit_distance(wanted, candidate);
    const bool close = distance <= reach && distance < std::max(wanted.size(), candidate.size());
    if (close || (wanted.size() > 2 && candidate.find(wanted) != std::string::npos))
      found.emplace_back(close ? distance : reach + 1, &name);
  }
  std::ranges::stable_sort(found, {}, &std::pair<std::size_t, const std::string *>::first);
  std::vector<std::string> result;
  for (const auto &[distance, name] : found) {
    if (result.size() == limit) break;
    if (std::ranges::find(result, *name) == result.end()) result.push_back(*name);
  }
  return result;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> names) {
  const auto close = nearest(word, names);
  if (close.empty()) return {};
  std::string text;
  for (std::size_t i = 0; i < close.size(); ++i)
    text += fmt::format("{}'{}'", i == 0 ? "" : i + 1 == close.size() ? " or " : ", ", close[i]);
  return fmt::format("; did you mean {}?", text);
}

} // namespace edgec
