// What a file or folder holds, as a digest: results are found again by content, wherever it lies.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "support/result.h"

namespace edgec {

/// Digests of paths, each made once. Files beside a network that hold its weights, and images that a list names, count
/// as parts of it.
class Identities {
public:
  /// SHA-256 of a file with its parts, or of a folder's files and their names. Errors: those of reading.
  Result<std::string> of(const std::string &path);
  /// The same of an option's value, where it names a file or folder, or FILE:ENTRY; nothing: it names none.
  Result<std::optional<std::string>> of_value(const std::string &value);

private:
  std::map<std::string, std::string> known_;
};

} // namespace edgec
