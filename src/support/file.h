// Files: mapped for reading, replaced atomically for writing.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

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
Status write_file(const std::filesystem::path &path, std::string_view text, bool force);

/// Whether write_file() can make a file there; found out before long work. Nothing is left.
Status check_writable(const std::filesystem::path &path);

/// SHA-256 of bytes (FIPS 180-4), 64 lower-case hexadecimal digits.
std::string sha256(ByteView bytes);

/// Lets pages of a mapped file go from memory; what is touched again is read again. Bytes elsewhere stay.
void release_pages(const Storage &bytes);
/// Calls `visit` with one piece after another, in order; of a mapped file only one piece is in memory at a time.
void for_each_piece(const Storage &bytes, const std::function<void(ByteView)> &visit);
/// The same digest, in pieces.
std::string sha256(const Storage &bytes);
/// A copy in memory, made in pieces.
Storage copy_of(const Storage &bytes);

} // namespace edgec
