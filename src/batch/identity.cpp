#include "batch/identity.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <vector>

#include "data/csv.h"
#include "support/file.h"
#include "support/text.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char *>(bytes.data()), bytes.size()}; }

/// Files beside a network whose names stand in it: external data is named by its location.
std::set<fs::path> external_parts(const fs::path &path, const Storage &file) {
  std::set<fs::path> parts;
  const std::string_view text = text_of(file.bytes());
  if (lower_ending(path) != ".onnx" || text.find("location") == text.npos) return parts;
  std::error_code error;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const auto &entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file(error) && text.find(entry.path().filename().string()) != text.npos)
      parts.insert(entry.path());
  return parts;
}

/// Images that a list of samples names.
std::set<fs::path> listed_parts(const fs::path &path) {
  std::set<fs::path> parts;
  if (!is_list(path)) return parts;
  const auto list = read_list(path);
  std::error_code error;
  for (const ListedFile &row : list ? list->rows : std::vector<ListedFile>())
    if (!row.file.empty() && fs::is_regular_file(row.file, error)) parts.insert(row.file);
  return parts;
}

std::string digest_of(const std::string &text) { return sha256(std::as_bytes(std::span(text))); }

Result<std::string> identity_of_file(const fs::path &path) {
  EDGEC_ASSIGN(const Storage file, map_file(path));
  std::string digest = sha256(file);
  std::set<fs::path> parts = external_parts(path, file);
  parts.merge(listed_parts(path));
  if (parts.empty()) return digest;
  for (const fs::path &part : parts) {
    EDGEC_ASSIGN(const Storage bytes, map_file(part));
    digest += fmt::format("\n{} {}", part.filename().string(), sha256(bytes));
  }
  return digest_of(digest);
}

Result<std::string> identity_of_folder(const fs::path &folder) {
  std::error_code error;
  std::set<fs::path> files;
  for (fs::recursive_directory_iterator at(folder, error), end; at != end; at.increment(error)) {
    if (error) break;
    if (at->is_regular_file(error)) files.insert(at->path());
  }
  if (error) return bad_input(fmt::format("{}: cannot be listed: {}", folder.string(), error.message()));
  std::string digest;
  for (const fs::path &file : files) {
    EDGEC_ASSIGN(const Storage bytes, map_file(file));
    digest += fmt::format("{} {}\n", file.lexically_relative(folder).string(), sha256(bytes));
  }
  return digest_of(digest);
}

} // namespace

Result<std::string> Identities::of(const std::string &path) {
  if (const auto found = known_.find(path); found != known_.end()) return found->second;
  std::error_code error;
  auto identity = fs::is_directory(path, error) ? identity_of_folder(path) : identity_of_file(path);
  if (identity) known_[path] = *identity;
  return identity;
}

Result<std::optional<std::string>> Identities::of_value(const std::string &value) {
  std::error_code error;
  const auto colon = value.rfind(':');
  const bool entry = colon != std::string::npos && fs::is_regular_file(value.substr(0, colon), error);
  if (entry) {
    EDGEC_ASSIGN(const std::string identity, of(value.substr(0, colon)));
    return std::optional(identity + value.substr(colon));
  }
  if (value.empty() || !(fs::is_regular_file(value, error) || fs::is_directory(value, error)))
    return std::optional<std::string>();
  EDGEC_ASSIGN(std::string identity, of(value));
  return std::optional(std::move(identity));
}

} // namespace edgec
