// Messages for people, on stderr: "edgec: warning: text". Standard output carries only results.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "support/log.h"

namespace edgec {

/// What -q, -v, --no-progress, --progress-lines and --color say.
struct ConsoleFlags {
  bool quiet = false, verbose = false, no_progress = false;
  bool progress_lines = false; ///< as JSON, a line each
  std::string color = "auto";  ///< auto (a terminal, and no NO_COLOR in the environment), always, never
};

/// Sets how messages are shown, those of support/log.h among them: details with -v only, all but texts that were asked
/// for not with -q. Once, before the command runs.
void set_up_console(const ConsoleFlags &flags);

void print_error(std::string_view text);
void miss(std::string_view text); ///< a warning that is why the status is 1: with -q, too

/// A result on stdout, as it is.
void print(std::string_view text);
/// A text for people on stdout, its lines no longer than output_width().
void print_text(std::string_view text);
/// What was done, on stdout, by a command whose result is a file or its status; not with -q.
void print_report(std::string_view text);
/// Characters of a line on stdout: COLUMNS of the environment, else those of the terminal. 0: as long as they are, as
/// into a pipe.
std::size_t output_width();
/// Error (resource) if stdout could not take all that was printed.
bool flush_results();

/// Whether a program reads on stderr how far the work is; a line for it, with nothing else in it.
bool tells_progress();
void tell_progress(std::string_view json);
/// Whether stderr has a last line that can be drawn again: a terminal, and it was not refused.
bool shows_lines();
/// Puts a text on that line, cut to fit; gone with the next message or result.
void draw_line(std::string_view text);
void erase_line();

} // namespace edgec
