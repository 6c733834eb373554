#include "data/class_folders.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/image.h"
#include "support/text.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path &path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || name == "__MACOSX";
}

Error unreadable(const fs::path &folder, const std::error_code &error) {
  return bad_input(fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
}

Result<std::vector<std::string>> folders_in(const fs::path &folder) {
  std::vector<std::string> names;
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (!is_hidden(entry->path()) && entry->is_directory(ignored)) names.push_back(entry->path().filename().string());
  if (error) return unreadable(folder, error);
  std::ranges::sort(names);
  return names;
}

Result<std::vector<fs::path>> images_below(const fs::path &folder) {
  std::vector<fs::path> files;
  std::error_code error, ignored;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (is_hidden(entry->path())) {
      if (entry->is_directory(ignored)) entry.disable_recursion_pending();
    } else if (has_image_extension(entry->path()) && entry->is_regular_file(ignored)) {
      files.push_back(entry->path());
    }
  }
  if (error) return unreadable(folder, error);
  std::ranges::sort(files, {}, [](const fs::path &path) { return path.string(); });
  return files;
}

bool is_split(std::string_view name) {
  constexpr std::array splits{"train", "training", "val", "valid", "validation", "test", "testing", "eval", "calib"};
  return std::ranges::find(splits, lower(name)) != splits.end();
}

} // namespace

Result<ClassFolders> find_class_folders(const fs::path &folder) {
  ClassFolders found;
  EDGEC_ASSIGN(found.names, folders_in(folder));
  std::vector<std::vector<fs::path>> classes;
  std::size_t most = 0;
  for (const std::string &name : found.names) {
    EDGEC_ASSIGN(auto files, images_below(folder / name));
    most = std::max(most, files.size());
    classes.push_back(std::move(files));
  }
  if (most > 0 && std::ranges::all_of(found.names, is_split))
    return bad_input(fmt::format("{}: holds {}, which are not classes; give one of them", folder.string(),
                                 fmt::join(found.names, ", ")));
  for (std::size_t turn = 0; turn < most; ++turn)
    for (const auto &files : classes)
      if (turn < files.size()) found.files.push_back(files[turn]);
  return found;
}

} // namespace edgec
