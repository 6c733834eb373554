// Programs that are not ours, and a folder to hand them files in.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "support/result.h"

namespace edgec {

/// What a shell command (/bin/sh -c) prints on stdout, run to its end; its stderr goes where ours goes. Errors
/// (bad_input): it cannot be started, or does not end with status 0, and with which.
Result<std::string> output_of(const std::string &command);

/// A word of a shell's command line that stands for exactly this text.
std::string shell_word(std::string_view text);

/// An empty folder in TMPDIR, removed with all that is in it at the end of its life.
class TemporaryFolder {
public:
  /// Error (resource): it cannot be made.
  static Result<TemporaryFolder> make();
  TemporaryFolder(TemporaryFolder &&other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path &path() const { return path_; }

private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

} // namespace edgec
