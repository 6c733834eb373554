#include "data/labels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "data/class_folders.h"
#include "data/csv.h"
#include "data/fit.h"
#include "data/npy.h"
#include "support/text.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

/// Nothing: the text is not a number. "3.0" is 3.
std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_class(double value) { return value >= 0 && value <= 1e15 && value == std::floor(value); }

/// Labels as written become numbers, or ranks of names where none of them is a number.
Status understand(std::span<const std::string> texts, Labels &labels) {
  const bool numbers = std::ranges::any_of(texts, [](const std::string &text) { return number(text).has_value(); });
  if (!numbers) {
    labels.names.assign(texts.begin(), texts.end());
    std::ranges::sort(labels.names);
    const auto again = std::ranges::unique(labels.names);
    labels.names.erase(again.begin(), again.end());
  }
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const std::string &text = texts[row];
    const auto value = number(text);
    if (text.empty()) return bad_input(fmt::format("{}: no label stands there", labels.place(row)));
    if (numbers && (!value || !is_class(*value)))
      return bad_input(
          fmt::format("{}: the label '{}' is not a whole number >= 0", labels.place(row), text.substr(0, 40)));
    labels.classes.push_back(numbers ? static_cast<std::int64_t>(*value)
                                     : std::ranges::lower_bound(labels.names, text) - labels.names.begin());
  }
  return {};
}

Error wrong_count(const std::string &path, std::size_t found, const SampleSet &samples) {
  return bad_input(fmt::format("{}: has {} labels, but there are {} samples", path, found, samples.rows()));
}

/// The place of the only 1 among zeros; nothing: it is not a one-hot row.
std::optional<std::int64_t> one_hot(std::span<const double> row) {
  if (std::ranges::count(row, 1.0) != 1 || std::ranges::count(row, 0.0) != std::ssize(row) - 1) return std::nullopt;
  return std::ranges::find(row, 1.0) - row.begin();
}

/// A label for each sample; or a one-hot row, or a name.
Result<Labels> from_array(const Tensor &array, std::string source, const SampleSet &samples) {
  Labels labels{{}, {}, std::move(source), {}};
  const std::size_t rows = samples.rows();
  const auto size = static_cast<std::size_t>(array.size());
  const bool matrix = array.rank() == 2 && array.dims[1] > 1 && static_cast<std::size_t>(array.dims[0]) == rows;
  if (size != rows && !matrix)
    return bad_input(
        fmt::format("{}: has labels {}, but there are {} samples", labels.source, format_dims(array.dims), rows));
  if (array.dtype == DType::string && !matrix) {
    EDGEC_CHECK(understand(*array.strings, labels));
    return labels;
  }
  if (array.dtype == DType::string ||
      (!is_integer(array.dtype) && !is_float(array.dtype) && array.dtype != DType::boolean))
    return bad_input(
        fmt::format("{}: labels are whole numbers, {} values were found", labels.source, name(array.dtype)));
  const std::vector<double> values = to_doubles(array);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto hot = matrix ? one_hot(std::span(values).subspan(row * (size / rows), size / rows)) : std::nullopt;
    if (matrix && !hot)
      return bad_input(fmt::format("{}: is neither a whole number nor a one-hot row", labels.place(row)));
    if (!matrix && !is_class(values[row]))
      return bad_input(fmt::format("{}: the label {} is not a whole number >= 0", labels.place(row), values[row]));
    labels.classes.push_back(hot ? *hot : static_cast<std::int64_t>(values[row]));
  }
  return labels;
}

fs::path resolved(const fs::path &path) {
  std::error_code error;
  fs::path full = fs::absolute(path, error);
  return (error ? path : full).lexically_normal();
}

/// The line for each sample: the listed path has to be the sample's, or the only one listed with its name.
Result<std::vector<const ListedFile *>> by_file(const SampleList &list, const std::string &path,
                                                const SampleSet &samples) {
  std::map<fs::path, const ListedFile *> full, named;
  for (const ListedFile &listed : list.rows) {
    full[resolved(listed.file)] = &listed;
    auto [at, fresh] = named.try_emplace(listed.file.filename(), &listed);
    if (!fresh && at->second && resolved(at->second->file) != resolved(listed.file)) at->second = nullptr;
  }
  std::vector<const ListedFile *> lines;
  for (std::size_t row = 0; row < samples.rows(); ++row) {
    const fs::path file = samples.file(row);
    auto found = full.find(resolved(file));
    if (found == full.end()) {
      found = named.find(file.filename());
      if (found == named.end() || !found->second)
        return bad_input(fmt::format("{}: has no label for {}", path, file.string()));
    }
    lines.push_back(found->second);
  }
  return lines;
}

Result<Labels> from_list(const std::string &path, const SampleSet &samples) {
  EDGEC_ASSIGN(const SampleList list, read_list(path));
  std::vector<const ListedFile *> rows;
  if (!samples.file(0).empty() && !list.rows.front().file.empty()) {
    EDGEC_ASSIGN(rows, by_file(list, path, samples));
  } else {
    for (const ListedFile &listed : list.rows) rows.push_back(&listed);
    if (rows.size() != samples.rows()) return wrong_count(path, rows.size(), samples);
  }
  Labels labels{{}, {}, path, {}};
  std::vector<std::string> texts;
  for (const ListedFile *row : rows) {
    labels.lines.push_back(row->line);
    texts.push_back(row->label);
  }
  EDGEC_CHECK(understand(texts, labels));
  return labels;
}

Result<std::optional<Labels>> found(Result<Labels> labels) {
  if (!labels) return std::move(labels).error();
  return std::optional(std::move(*labels));
}

constexpr std::array label_arrays{"y", "label", "labels", "target", "targets", "classes"};

/// The array of labels. Nothing: none has such a name.
Result<std::optional<Labels>> from_npz(const std::string &path, const SampleSet &samples, bool alone) {
  EDGEC_ASSIGN(const NpzFile npz, NpzFile::open(path));
  auto array = std::ranges::find_if(npz.names(), names_labels);
  if (alone && array == npz.names().end() && npz.names().size() == 1) array = npz.names().begin();
  if (array == npz.names().end() && !alone) return std::optional<Labels>{};
  if (array == npz.names().end())
    return bad_input(fmt::format("{}: has no array of labels, which is named one of {}; there are: {}", path,
                                 fmt::join(label_arrays, ", "), fmt::join(npz.names(), ", ")));
  EDGEC_ASSIGN(const Tensor labels, npz.read(*array));
  return found(from_array(labels, fmt::format("{}: array '{}'", path, *array), samples));
}

/// The first folder on the way from `data` to each file is its class.
Result<std::optional<Labels>> from_folders(const fs::path &data, const SampleSet &samples) {
  const fs::path first = samples.file(0);
  if (first.empty() || first.parent_path() == data) return std::optional<Labels>{};
  EDGEC_ASSIGN(ClassFolders folders, find_class_folders(data));
  Labels labels{{}, std::move(folders.names), data.string(), {}};
  for (std::size_t row = 0; row < samples.rows(); ++row) {
    const std::string name = *samples.file(row).lexically_relative(data).begin();
    labels.classes.push_back(std::ranges::lower_bound(labels.names, name) - labels.names.begin());
  }
  return std::optional(std::move(labels));
}

/// Labels that stand beside the samples themselves, if there are any.
Result<std::optional<Labels>> of_data(const std::string &data, const SampleSet &samples) {
  std::error_code ignored;
  if (fs::is_directory(data, ignored)) return from_folders(data, samples);
  if (lower_ending(data) == ".npz") return from_npz(data, samples, false);
  if (!is_list(data)) return std::optional<Labels>{};
  EDGEC_ASSIGN(const SampleList list, read_list(data));
  return list.labelled ? found(from_list(data, samples)) : std::optional<Labels>{};
}

} // namespace

std::string Labels::place(std::size_t row) const {
  return lines.empty() ? fmt::format("{}[{}]", source, row) : fmt::format("{}: line {}", source, lines[row]);
}

bool names_labels(std::string_view array) {
  return std::ranges::find(label_arrays, lower(array)) != label_arrays.end();
}

Result<std::optional<Labels>> open_labels(const std::string &path, const std::string &data, const SampleSet &samples) {
  if (path.empty()) return of_data(data, samples);
  const std::string ending = lower_ending(path);
  if (ending == ".npz") return from_npz(path, samples, true);
  if (ending != ".npy") return found(from_list(path, samples));
  EDGEC_ASSIGN(const Tensor array, load_npy(path));
  return found(from_array(array, path, samples));
}

} // namespace edgec
