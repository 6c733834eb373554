#include "support/process.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/wait.h>

namespace edgec {

Result<std::string> output_of(const std::string &command) {
  FILE *pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return resource_error(fmt::format("{}: cannot be started: {}", command, std::strerror(errno)));
  std::string text;
  std::array<char, 4096> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), pipe)) text.append(piece.data(), count);
  const int status = ::pclose(pipe);
  if (WIFSIGNALED(status)) return bad_input(fmt::format("{}: ended by signal {}", command, WTERMSIG(status)));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return bad_input(fmt::format("{}: ended with status {}; 0 was expected", command, WEXITSTATUS(status)));
  return text;
}

std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) c == '\'' ? word += R"('\'')" : word += c;
  return word + "'";
}

Result<TemporaryFolder> TemporaryFolder::make() {
  std::error_code error;
  std::string path = (std::filesystem::temp_directory_path(error) / "edgec-XXXXXX").string();
  if (error || ::mkdtemp(path.data()) == nullptr)
    return resource_error(fmt::format("{}: no folder can be made there: {}", path, std::strerror(errno)));
  return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored; // a file left in TMPDIR spoils no result
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

} // namespace edgec
