// Messages for people, on stderr: "edgec: warning: text". Standard output carries only results.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace edgec {

/// What -q, -v, --no-progress and --color say.
struct ConsoleFlags {
  bool quiet = false, verbose = false, no_progress = false;
  std::string color = "auto"; ///< auto (a terminal, and no NO_COLOR in the environment), always, never
};

/// Sets how messages are shown; once, before the command runs.
void set_up_console(const ConsoleFlags &flags);

void print_error(std::string_view text);
void say(std::string_view text);      ///< what is going to be done; not with -q
void warn(std::string_view text);     ///< not with -q
void log_info(std::string_view text); ///< with -v only

/// A result on stdout, as it is.
void print(std::string_view text);
/// Error (resource) if stdout could not take all that was printed.
bool flush_results();

/// A line on stderr that counts up, on a terminal only and gone when done. show() may be called by any thread.
class ProgressLine {
public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine &) = delete;
  ProgressLine &operator=(const ProgressLine &) = delete;
  void show(std::string_view what, std::size_t done, std::size_t all);

private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point shown_;
  bool wanted_ = false, drawn_ = false;
};

} // namespace edgec
