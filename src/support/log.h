// What a program has to say while it works, to whoever listens: a terminal, a file, nobody.
#pragma once

#include <functional>
#include <string_view>

namespace edgec {

enum class LogLevel {
  detail,  ///< how it is done
  message, ///< what is going to be done
  text,    ///< that was asked for, as it is
  warning
};

using LogSink = std::function<void(LogLevel, std::string_view text)>;

/// Texts go there from now on; null: nowhere. Before any thread logs.
void set_log(LogSink sink);

void log_info(std::string_view text);
void say(std::string_view text);
void say_raw(std::string_view text);
void warn(std::string_view text);

} // namespace edgec
