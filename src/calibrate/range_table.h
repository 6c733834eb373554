// Ranges of a network's values in a file: gathered on parts of the samples, put together where they are used.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "calibrate/statistics.h"
#include "support/result.h"

namespace edgec {

struct RangeTable {
  std::string model_sha256; ///< of the file that was run; empty: not known
  std::size_t samples = 0;
  /// By value_key(), of the samples with even and with odd numbers: halves of cross-fitting. Ranges and histograms
  /// only.
  std::map<std::string, std::array<ValueStatistics, 2>> values;
  bool complete = true; ///< it has all values of the network; else samples say the ranges of others

  /// As if one run had seen both tables' samples. Error (bad_input): they are of different networks.
  Status merge(const RangeTable &other);
};

/// What a value is called in tables: its name, else that of its node and the number of the output.
std::string value_key(const Graph &graph, ValueId id);

/// JSON. The same tables give the same text.
std::string range_table_text(const RangeTable &table);
/// Error (bad_input): what is wrong with the text.
Result<RangeTable> parse_range_table(std::string_view text);

} // namespace edgec
