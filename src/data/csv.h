// CSV files that list samples: a header with `file` and, if there are labels, `label`; or those two columns without
// one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// One line of the list.
struct ListedFile {
  std::filesystem::path file; ///< relative ones stand beside the CSV
  std::string label;          ///< as written; may be empty
  std::size_t line = 0;       ///< of the CSV, from 1
};

/// Rows of fields (RFC 4180: commas, double quotes, LF or CRLF); empty lines are left out. Each with its line number.
struct CsvRow {
  std::vector<std::string> fields;
  std::size_t line = 0;
};
Result<std::vector<CsvRow>> parse_csv(ByteView text);

/// Errors name the file and the line.
Result<std::vector<ListedFile>> read_list(const std::filesystem::path &path);

} // namespace edgec
