// Aligned columns for terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace edgec {

/// Text in lines of at most `width` characters (0: one line), broken at spaces, else behind a mark as of a path, else
/// anywhere but within a character of UTF-8.
std::vector<std::string> wrap(std::string_view text, std::size_t width);
/// Each line of `text` wrapped; what follows stands under the line's second column ("  name   text"), else indented.
std::string wrap_lines(std::string_view text, std::size_t width);

/// Rows of cells; the first row is the heading. Numbers (and headings over them) stand to the right.
class Table {
public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  /// Lines, each ended, of at most `width` characters as far as columns can become so narrow: cells are wrapped. 0: a
  /// row is a line, and cells are whole.
  [[nodiscard]] std::string text(std::size_t width = 0) const;

private:
  std::vector<std::vector<std::string>> rows_;

  struct Column;
  [[nodiscard]] std::vector<Column> columns(std::size_t width) const;
};

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);
/// Bytes as "1.23 MB" (10^6), "556 kB", "12 B".
std::string bytes_text(std::uint64_t bytes);
/// A share as "50.0 %".
std::string percent(double part, double whole);

} // namespace edgec
