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

/// Where long work is.
struct ProgressState {
  std::string stage; ///< "searching the rate"; empty: there are no stages
  std::size_t stages_done = 0, most_stages = 1;
  std::string what; ///< "fitting layers"
  std::size_t done = 0, all = 0;
  double seconds = 0; ///< since the first stage, or since `what` began where there are none
};

/// "searching the rate, 3 of at most 9: fitting layers 12/26, 1:14, about 0:40 left". The time left follows from the time
/// that what is done took; it is not told of the first seconds.
std::string progress_text(const ProgressState &state);

/// A line on stderr that counts up, on a terminal only and gone when done. show() and stage() may be called by any thread.
class ProgressLine {
public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine &) = delete;
  ProgressLine &operator=(const ProgressLine &) = delete;
  void show(std::string_view what, std::size_t done, std::size_t all);
  /// What show() tells of from now on is a part of this.
  void stage(std::string_view what, std::size_t done, std::size_t most);

private:
  std::mutex mutex_;
  ProgressState state_;
  std::chrono::steady_clock::time_point shown_, begun_;
  bool wanted_ = false, drawn_ = false;

  void draw();
};

} // namespace edgec
