#include <charconv>
#include <fmt/format.h>
#include <map>

#include "data/csv.h"
#include "data/fit.h"
#include "data/npy.h"
#include "data/samples.h"

namespace edgec {
namespace {

using Labels = std::vector<std::int64_t>;
namespace fs = std::filesystem;

Result<std::int64_t> parse_label(const ListedFile &listed, const std::string &path) {
  std::int64_t value = -1;
  const std::string &text = listed.label;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= 0) return value;
  return bad_input(
      fmt::format("{}: line {}: the label '{}' is no whole number >= 0", path, listed.line, text.substr(0, 40)));
}

Error wrong_count(const std::string &path, std::size_t found, const SampleSet &samples) {
  return bad_input(fmt::format("{}: has {} labels, but there are {} samples", path, found, samples.rows()));
}

/// An array of whole numbers, as many as there are samples.
Result<Labels> from_array(const Tensor &array, const std::string &path, const SampleSet &samples) {
  if (!is_integer(array.dtype))
    return bad_input(fmt::format("{}: labels are whole numbers, {} values were found", path, name(array.dtype)));
  Labels labels = to_int64s(array);
  if (labels.size() != samples.rows())
    return bad_input(
        fmt::format("{}: has labels {}, but there are {} samples", path, format_dims(array.dims), samples.rows()));
  for (const std::int64_t label : labels)
    if (label < 0) return bad_input(fmt::format("{}: the label {} is negative", path, label));
  return labels;
}

fs::path resolved(const fs::path &path) {
  std::error_code error;
  fs::path full = fs::absolute(path, error);
  return (error ? path : full).lexically_normal();
}

/// Labels by file: the listed path has to be the sample's, or the only one listed with its name.
Result<Labels> by_file(const std::vector<ListedFile> &list, const std::string &path, const SampleSet &samples) {
  std::map<fs::path, const ListedFile *> full, named;
  for (const ListedFile &listed : list) {
    full[resolved(listed.file)] = &listed;
    auto [at, fresh] = named.try_emplace(listed.file.filename(), &listed);
    if (!fresh && at->second && resolved(at->second->file) != resolved(listed.file)) at->second = nullptr;
  }
  Labels labels;
  for (std::size_t row = 0; row < samples.rows(); ++row) {
    const fs::path file = samples.file(row);
    auto found = full.find(resolved(file));
    if (found == full.end()) {
      found = named.find(file.filename());
      if (found == named.end() || !found->second)
        return bad_input(fmt::format("{}: has no label for {}", path, file.string()));
    }
    EDGEC_ASSIGN(const std::int64_t label, parse_label(*found->second, path));
    labels.push_back(label);
  }
  return labels;
}

Result<Labels> from_list(const std::string &path, const SampleSet &samples) {
  EDGEC_ASSIGN(const auto list, read_list(path));
  if (!samples.file(0).empty()) return by_file(list, path, samples);
  if (list.size() != samples.rows()) return wrong_count(path, list.size(), samples);
  Labels labels;
  for (const ListedFile &listed : list) {
    EDGEC_ASSIGN(const std::int64_t label, parse_label(listed, path));
    labels.push_back(label);
  }
  return labels;
}

Result<std::optional<Labels>> found(Result<Labels> labels) {
  if (!labels) return std::move(labels).error();
  return std::optional(std::move(*labels));
}

/// Labels that stand beside the samples themselves, if there are any.
Result<std::optional<Labels>> of_data(const fs::path &data, const SampleSet &samples) {
  if (data.extension() == ".npz") {
    EDGEC_ASSIGN(const NpzFile npz, NpzFile::open(data));
    if (!npz.has("y")) return std::optional<Labels>{};
    EDGEC_ASSIGN(const Tensor y, npz.read("y"));
    return found(from_array(y, data.string() + ": array 'y'", samples));
  }
  if (data.extension() != ".csv") return std::optional<Labels>{};
  EDGEC_ASSIGN(const auto list, read_list(data));
  for (const ListedFile &listed : list)
    if (!listed.label.empty()) return found(from_list(data.string(), samples));
  return std::optional<Labels>{};
}

} // namespace

Result<std::optional<Labels>> open_labels(const std::string &path, const std::string &data, const SampleSet &samples) {
  if (path.empty()) return of_data(data, samples);
  const fs::path extension = fs::path(path).extension();
  if (extension == ".npy") {
    EDGEC_ASSIGN(const Tensor array, load_npy(path));
    return found(from_array(array, path, samples));
  }
  if (extension == ".npz") {
    EDGEC_ASSIGN(const NpzFile npz, NpzFile::open(path));
    EDGEC_ASSIGN(const Tensor y, npz.read("y"));
    return found(from_array(y, path + ": array 'y'", samples));
  }
  return found(from_list(path, samples));
}

} // namespace edgec
