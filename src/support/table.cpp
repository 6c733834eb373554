#include "support/table.h"

#include <algorithm>
#include <fmt/format.h>

namespace edgec {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t widest = 60; // of a column: a longer cell, as files may bring, stands out of it

/// Control characters, which may come from files, as '?'.
std::string clean(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  return text;
}

bool numeric(const std::string &text) {
  return !text.empty() && text.find_first_not_of("0123456789.,-+e %kMGB") == std::string::npos &&
         text.find_first_of("0123456789") != std::string::npos;
}

std::size_t longest_word(const std::string &text) {
  std::size_t longest = 0, begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(' ', begin);
    longest = std::max(longest, std::min(end, text.size()) - begin);
  }
  return longest;
}

/// Where a line of at most `width` characters ends in a longer text.
std::size_t line_end(std::string_view text, std::size_t width) {
  const std::size_t space = text.rfind(' ', width), begin = text.find_first_not_of(' ');
  if (space != std::string_view::npos && space > begin) return space;
  if (const std::size_t mark = text.find_last_of("/._,:;|", width - 1); mark != std::string_view::npos && mark > 0)
    return mark + 1;
  std::size_t cut = width;
  while (cut > 1 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return cut;
}

/// Where what follows a line stands.
std::size_t hanging(std::string_view line, std::size_t width) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t run = line.find("  ", begin);
  const std::size_t second = run == std::string_view::npos ? run : line.find_first_not_of(' ', run);
  return second < width / 2 ? second : std::min(begin + 2, width / 2);
}

} // namespace

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (width > 0 && text.size() > width) {
    const std::size_t end = line_end(text, width);
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  lines.emplace_back(text);
  return lines;
}

std::string wrap_lines(std::string_view text, std::size_t width) {
  std::string result;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, size);
    const std::size_t indent = line.size() > width ? hanging(line, width) : 0;
    const auto first = wrap(line, width);
    result += first.front();
    if (first.size() > 1) {
      std::string_view rest = line.substr(first.front().size());
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
      for (const std::string &more : wrap(rest, width - indent)) result += "\n" + std::string(indent, ' ') + more;
    }
    if (size < text.size()) result += '\n';
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return result;
}

struct Table::Column {
  std::size_t width = 0, least = 0;
  bool right = true;
};

std::vector<Table::Column> Table::columns(std::size_t width) const {
  constexpr std::size_t narrow = 8;
  std::vector<Column> columns(rows_.front().size());
  std::size_t total = gap * (columns.size() - 1);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    Column &column = columns[c];
    column.right = rows_.size() > 1;
    std::size_t body = 0;
    for (std::size_t r = 1; r < rows_.size(); ++r) {
      const std::string &cell = rows_[r][c];
      body = std::max(body, std::min(cell.size(), widest + width));
      if (!cell.empty() && cell != "-" && !numeric(cell)) column.right = false;
    }
    column.least = std::max(longest_word(rows_.front()[c]), column.right ? body : std::min(body, narrow));
    column.width = std::max(body, rows_.front()[c].size());
    if (width == 0) column.width = std::min(column.width, widest);
    total += column.width;
  }
  // Headings over numbers first, since that costs one line; then the widest column.
  const auto shrink = [&](bool right) {
    while (width > 0 && total > width) {
      const auto room = [&](const Column &column) {
        return column.right == right && column.width > column.least ? column.width : 0;
      };
      const auto most = std::ranges::max_element(columns, {}, room);
      if (room(*most) == 0) break;
      --most->width;
      --total;
    }
  };
  shrink(true);
  shrink(false);
  return columns;
}

std::string Table::text(std::size_t width) const {
  const auto columns = this->columns(width);
  std::string text;
  for (const auto &row : rows_) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      cells.push_back(wrap(clean(row[c]), width == 0 ? 0 : columns[c].width));
      height = std::max(height, cells.back().size());
    }
    for (std::size_t l = 0; l < height; ++l) {
      std::string line;
      for (std::size_t c = 0; c < columns.size(); ++c) {
        const std::string cell = l < cells[c].size() ? cells[c][l] : std::string();
        const std::string space(columns[c].width - std::min(columns[c].width, cell.size()), ' ');
        line += (c == 0 ? "" : std::string(gap, ' ')) + (columns[c].right ? space + cell : cell + space);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
  }
  return text;
}

std::string grouped(std::uint64_t number) {
  std::string text = fmt::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string bytes_text(std::uint64_t bytes) {
  const auto real = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", real / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.2f} MB", real / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.1f} kB", real / 1e3);
  return fmt::format("{} B", bytes);
}

std::string percent(double part, double whole) { return whole > 0 ? fmt::format("{:.1f} %", 100 * part / whole) : "-"; }

} // namespace edgec
