#include "data/csv.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <span>

#include "support/file.h"
#include "support/text.h"

namespace edgec {
namespace {

/// The field that is being read; spaces around it do not count unless they are quoted.
struct Field {
  std::string text;
  bool quoted = false, open = false; // there were quotes; the closing one has not come

  [[nodiscard]] std::string done() const { return quoted ? text : std::string(trim(text)); }
  [[nodiscard]] bool may_open() const { return !quoted && trim(text).empty(); }
  void add(char c) {
    if (open || !quoted || (c != ' ' && c != '\t')) text += c; // spaces behind a closing quote are dropped
  }
};

Error wrong_line(std::size_t line, std::string_view what) { return bad_input(fmt::format("line {}: {}", line, what)); }

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Whether all rows have as many fields, two or more.
bool is_table(std::span<const CsvRow> rows) {
  const std::size_t count = rows.empty() ? 0 : rows.front().fields.size();
  return count >= 2 && std::ranges::all_of(rows, [&](const CsvRow &row) { return row.fields.size() == count; });
}

/// "FILE NUMBER", as in the lists of Caffe; spaces are common in names, too, so nothing else counts.
bool ends_in_numbers(std::span<const CsvRow> rows) {
  return is_table(rows) && rows.front().fields.size() == 2 &&
         std::ranges::all_of(rows, [](const CsvRow &row) { return is_number(row.fields[1]); });
}

Result<std::vector<CsvRow>> parse_table(ByteView text) {
  EDGEC_ASSIGN(auto commas, parse_csv(text, ','));
  if (is_table(commas)) return commas;
  for (const char separator : {';', '\t', ' '}) {
    auto rows = parse_csv(text, separator);
    if (rows && (separator == ' ' ? ends_in_numbers(*rows) : is_table(*rows))) return rows;
  }
  // Lines of different lengths: by what parts the first one.
  for (const char separator : {',', ';', '\t'}) {
    auto rows = parse_csv(text, separator);
    if (rows && !rows->empty() && rows->front().fields.size() > 1) return rows;
  }
  return commas;
}

struct Columns {
  std::optional<std::size_t> file, label;
  bool header = false;
};

constexpr std::array file_words{"file",  "filename",   "file_name", "filepath", "path",
                                "image", "image_path", "img",       "name"};
constexpr std::array label_words{"label", "labels", "class", "target", "y"};

Columns columns_of(const std::vector<std::string> &head) {
  Columns columns;
  const auto place = [&](const auto &words) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < head.size(); ++i)
      if (std::ranges::find(words, lower(head[i])) != words.end()) return i;
    return std::nullopt;
  };
  columns.file = place(file_words);
  columns.label = place(label_words);
  columns.header = columns.file || columns.label;
  if (!columns.header) { // the file and its label, or a label alone
    if (head.size() > 1 || !is_number(head.front())) columns.file = 0;
    columns.label = columns.file ? 1 : 0;
  }
  if (!columns.file && columns.label && head.size() == 2) columns.file = 1 - *columns.label;
  return columns;
}

} // namespace

Result<std::vector<CsvRow>> parse_csv(ByteView bytes, char separator) {
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return bad_input("is UTF-16 text; save it as UTF-8");
  std::vector<CsvRow> rows;
  CsvRow row{{}, 1};
  Field field;
  std::size_t line = 1;
  const auto end_field = [&] {
    row.fields.push_back(field.done());
    field = {};
  };
  const auto end_row = [&] {
    if (separator == ' ') std::erase(row.fields, ""); // several spaces part fields as one does
    const bool blank = std::ranges::all_of(row.fields, [](const std::string &f) { return f.empty(); });
    if (!blank) rows.push_back(std::move(row));
    row = {{}, line};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') return wrong_line(line, "a zero byte, this is not CSV");
    const bool line_end = c == '\n' || (c == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
    if (line_end) ++line;
    if (field.open) {
      if (c != '"')
        field.add(c);
      else if (i + 1 < text.size() && text[i + 1] == '"')
        field.add(text[++i]);
      else
        field.open = false;
    } else if (line_end) {
      end_field();
      end_row();
    } else if (c == separator) {
      end_field();
    } else if (c == '"' && field.may_open()) {
      field = {{}, true, true};
    } else if (c != '\r') {
      field.add(c);
    }
  }
  if (field.open) return wrong_line(row.line, "a quote is not closed");
  end_field();
  end_row();
  return rows;
}

Result<SampleList> parse_list(ByteView text) {
  EDGEC_ASSIGN(const auto rows, parse_table(text));
  if (rows.empty()) return bad_input("is empty, lines of file,label were expected");
  const Columns columns = columns_of(rows.front().fields);
  SampleList list;
  const auto field = [](const CsvRow &row, std::optional<std::size_t> column) {
    return column && *column < row.fields.size() ? row.fields[*column] : std::string();
  };
  for (const CsvRow &row : std::span(rows).subspan(columns.header ? 1 : 0)) {
    ListedFile listed{field(row, columns.file), field(row, columns.label), row.line};
    if (columns.file && listed.file.empty()) return wrong_line(row.line, "no file name stands there");
    list.labelled = list.labelled || !listed.label.empty();
    list.rows.push_back(std::move(listed));
  }
  if (!columns.header) list.first = list.rows.front().file.string();
  if (list.rows.empty()) return bad_input("lists no files");
  return list;
}

bool is_list(const std::filesystem::path &path) {
  const std::string ending = lower_ending(path);
  return ending == ".csv" || ending == ".tsv" || ending == ".txt";
}

Result<SampleList> read_list(const std::filesystem::path &path) {
  EDGEC_ASSIGN(const Storage file, map_file(path));
  EDGEC_ASSIGN(SampleList list, parse_list(file.bytes()).in(path.string()));
  for (ListedFile &listed : list.rows)
    if (!listed.file.empty()) listed.file = path.parent_path() / listed.file;
  return list;
}

std::string csv_cell(const std::string &text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

} // namespace edgec
