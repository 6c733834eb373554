// Lists of samples as people have them: CSV files, with or without a header, in any of the usual spellings.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// One line of the list.
struct ListedFile {
  std::filesystem::path file; ///< relative ones stand beside the list; empty: a list of labels alone
  std::string label;          ///< as written; may be empty
  std::size_t line = 0;       ///< of the list, from 1
};

struct SampleList {
  std::vector<ListedFile> rows;
  std::string first;     ///< the first line's file as written, where there is no header: a header that was not known?
  bool labelled = false; ///< a label is given on some line
};

/// Rows of fields, each with its line number; empty lines are left out. RFC 4180 (double quotes; LF, CRLF or CR), and
/// what else is met: a byte order mark, spaces around fields.
struct CsvRow {
  std::vector<std::string> fields;
  std::size_t line = 0;
};
Result<std::vector<CsvRow>> parse_csv(ByteView text, char separator);

/// A field as it is written: in quotes where it has to be.
std::string csv_cell(const std::string &text);

/// A list in one of the usual spellings: fields parted by the first of comma, semicolon and tab that gives all lines as
/// many, or "FILE NUMBER"; a header names the columns (file, filename, path, image, name; label, class, target, y; in
/// any order and case), else the file comes first and the label second. Paths as written. Errors name the line.
Result<SampleList> parse_list(ByteView text);

/// Whether the name ends like a list: .csv, .tsv or .txt.
bool is_list(const std::filesystem::path &path);

/// The same, of a file; relative paths are made to stand beside it.
Result<SampleList> read_list(const std::filesystem::path &path);

} // namespace edgec
