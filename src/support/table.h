// Aligned columns for terminals.
#pragma once

#include <string>
#include <vector>

namespace edgec {

/// Rows of cells; the first row is the heading. Numbers (and headings over them) stand to the right.
class Table {
public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  /// Lines, each ended; cells longer than 60 characters are cut in the middle.
  [[nodiscard]] std::string text() const;

private:
  std::vector<std::vector<std::string>> rows_;
};

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);
/// Bytes as "1.23 MB" (10^6), "556 kB", "12 B".
std::string bytes_text(std::uint64_t bytes);
/// A share as "50.0 %".
std::string percent(double part, double whole);

} // namespace edgec
