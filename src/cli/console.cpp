#include "cli/console.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace edgec {
namespace {

bool progress_wanted = false, quiet = false;

spdlog::color_mode color_mode(const std::string &color) {
  if (color == "always") return spdlog::color_mode::always;
  const char *no_color = std::getenv("NO_COLOR");
  const bool refused = no_color != nullptr && *no_color != '\0';
  return color == "never" || refused ? spdlog::color_mode::never : spdlog::color_mode::automatic;
}

/// Control characters but line ends and tabs as '?'.
std::string harmless(std::string_view text) {
  std::string result(text);
  for (char &c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) c = '?';
  }
  return result;
}

/// A message is one line: line ends, as libraries put them into theirs, become spaces.
std::string one_line(std::string_view text) {
  std::string result;
  for (const char c : harmless(text)) {
    if (c != '\n')
      result += c;
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  }
  return result;
}

} // namespace

void set_up_console(const ConsoleFlags &flags) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(color_mode(flags.color));
  auto logger = std::make_shared<spdlog::logger>("edgec", std::move(sink));
  logger->set_pattern("edgec: %^%l%$: %v");
  logger->set_level(flags.quiet ? spdlog::level::err : flags.verbose ? spdlog::level::info : spdlog::level::warn);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  quiet = flags.quiet;
  progress_wanted = !flags.quiet && !flags.no_progress && ::isatty(STDERR_FILENO) != 0;
}

// Texts may hold names from files: they are arguments, never formats, and cannot steer the terminal.
void print_error(std::string_view text) { spdlog::error("{}", one_line(text)); }
void say(std::string_view text) {
  if (!quiet) fmt::print(stderr, "edgec: {}\n", harmless(text));
}
void warn(std::string_view text) { spdlog::warn("{}", one_line(text)); }
void log_info(std::string_view text) { spdlog::info("{}", one_line(text)); }

void print(std::string_view text) {
  const std::string shown = harmless(text);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

bool flush_results() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

namespace {

std::string clock(double seconds) {
  const auto whole = static_cast<long>(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// Columns of the terminal; a line that wraps cannot be taken back.
std::size_t terminal_width() {
  winsize size{};
  constexpr std::size_t usual = 80;
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

} // namespace

std::string progress_text(const ProgressState &state) {
  constexpr double first_seconds = 3;
  std::string text;
  if (!state.stage.empty()) text = fmt::format("{}, {} of at most {}: ", state.stage, state.stages_done + 1, state.most_stages);
  text += fmt::format("{} {}/{}, {}", state.what, state.done, state.all, clock(state.seconds));
  const double part = state.all > 0 ? static_cast<double>(state.done) / static_cast<double>(state.all) : 0;
  const double done = (static_cast<double>(state.stages_done) + part) / static_cast<double>(std::max<std::size_t>(state.most_stages, 1));
  if (state.seconds >= first_seconds && done > 0 && done <= 1)
    text += fmt::format(", {} {} left", state.stage.empty() ? "about" : "at most", clock(state.seconds * (1 - done) / done));
  return text;
}

ProgressLine::ProgressLine() : shown_(std::chrono::steady_clock::now()), begun_(shown_), wanted_(progress_wanted) {}

ProgressLine::~ProgressLine() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::show(std::string_view what, std::size_t done, std::size_t all) {
  if (!wanted_) return;
  const std::lock_guard lock(mutex_);
  if (state_.stage.empty() && state_.what != what) begun_ = std::chrono::steady_clock::now();
  state_.what = what;
  state_.done = done;
  state_.all = all;
  draw();
}

void ProgressLine::stage(std::string_view what, std::size_t done, std::size_t most) {
  if (!wanted_) return;
  const std::lock_guard lock(mutex_);
  if (state_.stage.empty()) begun_ = std::chrono::steady_clock::now();
  state_.stage = what;
  state_.stages_done = done;
  state_.most_stages = most;
  state_.done = 0;
}

void ProgressLine::draw() {
  const auto now = std::chrono::steady_clock::now();
  if (now - shown_ < std::chrono::milliseconds(100)) return;
  shown_ = now;
  drawn_ = true;
  state_.seconds = std::chrono::duration<double>(now - begun_).count();
  fmt::print(stderr, "\r\x1b[K{}", progress_text(state_).substr(0, terminal_width() - 1));
  std::fflush(stderr);
}

} // namespace edgec
