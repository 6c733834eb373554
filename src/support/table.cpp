#include "support/table.h"

#include <algorithm>
#include <fmt/format.h>

namespace edgec {
namespace {

constexpr std::size_t widest = 60;

/// A cell's text: control characters, which may come from files, as '?'; long ones cut in the middle.
std::string cut(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  if (text.size() <= widest) return text;
  return text.substr(0, widest / 2 - 2) + "..." + text.substr(text.size() - (widest / 2 - 1));
}

bool numeric(const std::string &text) {
  return !text.empty() && text.find_first_not_of("0123456789.,-+e %kMGB") == std::string::npos &&
         text.find_first_of("0123456789") != std::string::npos;
}

} // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  std::vector<bool> right(widths.size(), rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], cut(rows_[r][c]).size());
      if (r > 0 && !rows_[r][c].empty() && rows_[r][c] != "-" && !numeric(rows_[r][c])) right[c] = false;
    }
  }
  std::string text;
  for (const auto &row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = cut(row[c]);
      line += fmt::format("{}{:{}}{}{:{}}", c == 0 ? "" : "  ", "", right[c] ? widths[c] - cell.size() : 0, cell, "",
                          right[c] ? 0 : widths[c] - cell.size());
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string grouped(std::uint64_t number) {
  std::string text = fmt::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string bytes_text(std::uint64_t bytes) {
  const auto real = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", real / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.2f} MB", real / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.1f} kB", real / 1e3);
  return fmt::format("{} B", bytes);
}

std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f} %", 100 * part / whole) : "-";
}

} // namespace edgec
