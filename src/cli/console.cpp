#include "cli/console.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/table.h"

namespace edgec {
namespace {

bool progress_wanted = false, progress_told = false, quiet = false;
std::atomic<bool> line_drawn = false;

/// Characters of a line on a terminal; nothing where `fd` is none.
std::optional<std::size_t> terminal_width(int fd) {
  winsize size{};
  constexpr std::size_t usual = 80;
  if (::isatty(fd) == 0) return std::nullopt;
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

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

void show(LogLevel level, std::string_view text) {
  if (quiet && level != LogLevel::text) return;
  if (level == LogLevel::warning) return miss(text);
  erase_line();
  if (level == LogLevel::detail)
    spdlog::info("{}", one_line(text));
  else if (level == LogLevel::text)
    fmt::print(stderr, "{}", harmless(text));
  else
    fmt::print(stderr, "edgec: {}\n", harmless(text));
}

} // namespace

void set_up_console(const ConsoleFlags &flags) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(color_mode(flags.color));
  auto logger = std::make_shared<spdlog::logger>("edgec", std::move(sink));
  logger->set_pattern("edgec: %^%l%$: %v");
  logger->set_level(flags.verbose && !flags.quiet ? spdlog::level::info : spdlog::level::warn);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  quiet = flags.quiet;
  progress_wanted = !flags.quiet && !flags.no_progress && ::isatty(STDERR_FILENO) != 0;
  progress_told = flags.progress_lines;
  set_log(show);
}

// Texts may hold names from files: they are arguments, never formats, and cannot steer the terminal.
void print_error(std::string_view text) {
  erase_line();
  spdlog::error("{}", one_line(text));
}
void miss(std::string_view text) {
  erase_line();
  spdlog::warn("{}", one_line(text));
}
void print(std::string_view text) {
  const std::string shown = harmless(text);
  erase_line();
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

void print_text(std::string_view text) {
  const std::size_t width = output_width();
  print(width > 0 ? wrap_lines(text, width) : std::string(text));
}

void print_report(std::string_view text) {
  if (!quiet) print_text(text);
}

std::size_t output_width() {
  constexpr std::size_t least = 20;
  const char *columns = std::getenv("COLUMNS");
  const std::string_view text = columns != nullptr ? columns : "";
  std::size_t width = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), width);
  if (error != std::errc() || end != text.data() + text.size() || width == 0)
    width = terminal_width(STDOUT_FILENO).value_or(0);
  return width == 0 ? 0 : std::max(width, least);
}

bool flush_results() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

bool tells_progress() { return progress_told; }

void tell_progress(std::string_view json) { fmt::print(stderr, "{}\n", json); }

bool shows_lines() { return progress_wanted; }

void draw_line(std::string_view text) {
  const std::size_t width = terminal_width(STDERR_FILENO).value_or(0);
  if (width == 0) return;
  line_drawn = true;
  fmt::print(stderr, "\r\x1b[K{}", text.substr(0, width - 1)); // one that wraps could not be taken back
  std::fflush(stderr);
}

void erase_line() {
  if (line_drawn.exchange(false)) fmt::print(stderr, "\r\x1b[K");
}

} // namespace edgec
