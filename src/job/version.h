// What --version prints.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace edgec {

/// "0.1.0".
std::string version();
/// "2026-11-29".
std::string release_date();
/// What the program is made of: names and versions.
std::vector<std::pair<std::string, std::string>> libraries();
/// Versions of edgec and its libraries, the compiler, and the processor's best instruction set; as lines or as JSON.
std::string version_text(bool json);

} // namespace edgec
