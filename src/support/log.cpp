#include "support/log.h"

namespace edgec {
namespace {

LogSink &sink() {
  static LogSink installed;
  return installed;
}

void log(LogLevel level, std::string_view text) {
  if (sink()) sink()(level, text);
}

} // namespace

void set_log(LogSink installed) { sink() = std::move(installed); }
void log_info(std::string_view text) { log(LogLevel::detail, text); }
void say(std::string_view text) { log(LogLevel::message, text); }
void say_raw(std::string_view text) { log(LogLevel::text, text); }
void warn(std::string_view text) { log(LogLevel::warning, text); }

} // namespace edgec
