// Files: mapped for reading, replaced atomically for writing.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Maps a regular file read-only. Errors name the path: missing, a directory, not a regular file, unreadable.
Result<Storage> map_file(const std::filesystem::path &path);

/// Reads a whole stream or file into memory; "-" is stdin.
Result<Storage> read_file(const std::filesystem::path &path);

/// Writes `parts` one after another to a temporary file beside `path`, syncs it and renames it: all of it or nothing.
/// Without `force` an existing file is an error (Code::usage). "-" writes to stdout.
Status write_file(const std::filesystem::path &path, std::span<const ByteView> parts, bool force);

/// SHA-256 of bytes (FIPS 180-4), 64 lower-case hexadecimal digits.
std::string sha256(ByteView bytes);

} // namespace edgec
