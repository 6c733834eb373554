// TOML files as JSON values, so that one .cpp sees the TOML library.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "support/result.h"

namespace edgec {

/// Tables become objects with their keys in the order of the file; dates become texts. Errors: bad_input names the
/// line.
Result<nlohmann::ordered_json> parse_toml(std::string_view text, const std::string &name);
Result<nlohmann::ordered_json> read_toml(const std::string &path);

} // namespace edgec
