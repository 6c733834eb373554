#include "data/csv.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

#include "support/file.h"

namespace edgec {

Result<std::vector<CsvRow>> parse_csv(ByteView bytes) {
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<CsvRow> rows;
  CsvRow row{{""}, 1};
  std::size_t line = 1;
  bool quoted = false;
  const auto end_row = [&] {
    if (row.fields.size() > 1 || !row.fields.front().empty()) rows.push_back(std::move(row));
    row = {{""}, line};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') return bad_input(fmt::format("line {}: a zero byte, this is no CSV", line));
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"')
        row.fields.back() += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        row.fields.back() += text[++i];
      else
        quoted = false;
    } else if (c == '"' && row.fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      row.fields.emplace_back();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r' || (i + 1 < text.size() && text[i + 1] != '\n')) {
      row.fields.back() += c;
    }
  }
  if (quoted) return bad_input(fmt::format("line {}: a quote is not closed", row.line));
  end_row();
  return rows;
}

Result<std::vector<ListedFile>> read_list(const std::filesystem::path &path) {
  EDGEC_ASSIGN(const Storage file, map_file(path));
  EDGEC_ASSIGN(const auto rows, parse_csv(file.bytes()).in(path.string()));
  if (rows.empty()) return bad_input(fmt::format("{}: is empty, lines of file,label were expected", path.string()));
  std::size_t file_column = 0, label_column = 1, first = 0;
  const auto &head = rows.front().fields;
  if (const auto found = std::ranges::find(head, "file"); found != head.end()) {
    file_column = static_cast<std::size_t>(found - head.begin());
    label_column = static_cast<std::size_t>(std::ranges::find(head, "label") - head.begin());
    first = 1;
  }
  std::vector<ListedFile> files;
  for (std::size_t i = first; i < rows.size(); ++i) {
    const auto &fields = rows[i].fields;
    if (file_column >= fields.size() || fields[file_column].empty())
      return bad_input(fmt::format("{}: line {}: no file name stands there", path.string(), rows[i].line));
    files.push_back({path.parent_path() / fields[file_column], label_column < fields.size() ? fields[label_column] : "",
                     rows[i].line});
  }
  if (files.empty()) return bad_input(fmt::format("{}: lists no files", path.string()));
  return files;
}

} // namespace edgec
