// Folders named after classes, with the images of each: train/cat/1.jpg, train/dog/2.jpg.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/result.h"

namespace edgec {

struct ClassFolders {
  std::vector<std::string> names;           ///< sorted by bytes; those without images count, too
  std::vector<std::filesystem::path> files; ///< one of each class in turn, each class's sorted by path
};

/// What stands in `folder`; hidden entries are left out, folders in a class's folder belong to it. No files: it holds
/// no class folders. Errors: cannot be read; the folders are those of a split (train, val, test), not of classes.
Result<ClassFolders> find_class_folders(const std::filesystem::path &folder);

} // namespace edgec
